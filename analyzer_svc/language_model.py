"""What Level asks of a language model, whoever provides it, and how its answers are read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn, Protocol

from analyzer_svc.cleaning import clean_description, clean_label
from analyzer_svc.clusters import NO_USAGE, TokenUsage
from analyzer_svc.errors import ProviderAnswerMalformed
from analyzer_svc.prompts import Prompt

_ANSWER_CHARACTERS = 20_000
# A model that keeps to "two to four words" comes nowhere near these.
_RAW_LABEL_CHARACTERS = 200
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a language model says of one cluster, cleaned: neither part is empty."""

    label: str
    description: str
    usage: TokenUsage = NO_USAGE


class LanguageModel(Protocol):
    """A language model that describes one cluster a call."""

    async def describe(self, prompt: Prompt) -> Answer:
        """Return the model's answer to one prompt, from one request and without retries.

        Raises
        ------
        ProviderFailure
            If there is no usable answer, whatever the cause; nothing else is raised.
        """

    async def close(self) -> None:
        """Close what the model holds open."""


def parse_answer(text: str, provider: str, usage: TokenUsage = NO_USAGE) -> Answer:
    """Return the label and description in a model's answer, cleaned.

    The answer is one JSON object with exactly the keys asked for, at most once each, others being
    ignored; a Markdown fence around it is forgiven.

    Raises
    ------
    ProviderAnswerMalformed
        If the answer is anything else, or nothing is left of a part once it is cleaned.
    """
    answer = _parse_object(text, provider)
    label, description = answer.get("label"), answer.get("description")
    if not isinstance(label, str) or not isinstance(description, str):
        _refuse(provider, "lacks a label or a description")
    if len(label) > _RAW_LABEL_CHARACTERS:
        _refuse(provider, "has a label that is no label")
    label, description = clean_label(label), clean_description(description)
    if not any(character.isalnum() for character in label) or not description:
        _refuse(provider, "has an empty label or description")
    return Answer(label, description, usage)


def _parse_object(text: str, provider: str) -> dict[str, object]:
    if len(text) > _ANSWER_CHARACTERS:
        _refuse(provider, "is far too long")
    fenced = _FENCE.match(text)
    try:
        answer = json.loads(fenced[1] if fenced else text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        _refuse(provider, "is not JSON with each key once")
    if not isinstance(answer, dict):
        _refuse(provider, "is not a JSON object")
    return answer


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the pairs as a dict; where a key stands twice, neither value can be trusted."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key stands twice")
    return unique


def _refuse(provider: str, fault: str) -> NoReturn:
    raise ProviderAnswerMalformed(
        f"the answer of the language model {fault}; the keyword name stands", provider=provider
    ) from None
