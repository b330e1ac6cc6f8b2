import pytest

from analyzer_svc.errors import ProviderAnswerMalformed
from analyzer_svc.language_model import parse_answer

GOOD = '{"label": "Lost cards", "description": "People lost their card."}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"\n```\n{GOOD}\n```\n",
        '{"label": "Lost cards", "description": "People lost their card.", "weight": 0}',
    ],
)
def test_the_object_asked_for_is_read(text):
    answer = parse_answer(text, "gemini")
    assert (answer.label, answer.description) == ("Lost cards", "People lost their card.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure! The rows are about lost cards.",
        f"Here it is: {GOOD}",
        '{"label": "Lost cards", "descr',
        "[]",
        "null",
        "NaN",
        '"Lost cards"',
        '{"label": 3, "description": "x"}',
        '{"label": ["Lost"], "description": "x"}',
        '{"label": null, "description": "x"}',
        '{"label": "Lost cards"}',
        '{"description": "x"}',
        '{"label": "A", "label": "B", "description": "x"}',
        '{"label": "", "description": "x"}',
        '{"label": "...", "description": "x"}',
        '{"label": "<br>", "description": "x"}',
        '{"label": "Lost cards", "description": " "}',
        '{"label": "' + "long " * 1000 + '", "description": "x"}',
        "[" * 10_000,
        " " * 30_000 + GOOD,
    ],
)
def test_anything_else_is_malformed(text):
    with pytest.raises(ProviderAnswerMalformed) as caught:
        parse_answer(text, "gemini")
    assert caught.value.reason == "PROVIDER_ANSWER_MALFORMED"
    assert caught.value.metadata == {"provider": "gemini"}


def test_the_message_of_a_malformed_answer_repeats_nothing_of_it():
    with pytest.raises(ProviderAnswerMalformed) as caught:
        parse_answer("SECRET", "gemini")
    assert "SECRET" not in caught.value.message
