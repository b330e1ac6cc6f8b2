"""The sample dataset: some 600 lopsided support messages, made from phrases by a seed.

Real in shape: a handful of topics take most of the rows, a dozen share the rest, some messages were
sent twice with a typo or a changed word, some say nothing about any topic.
"""

import csv
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

from level.sample_phrases import (
    GREETINGS,
    NAMES,
    NOISE,
    PRODUCTS,
    SAME_WORDS,
    SIGN_OFFS,
    TOPICS,
    WEEKDAYS,
    Topic,
)

SAMPLE_NAME = "sample-support-messages.csv"
COLUMNS = ("ticket", "received_at", "channel", "message")
NEAR_DUPLICATE_SHARE = 0.10
_FIRST_MESSAGE = datetime(2026, 3, 2, 8, 0)
_CHANNELS = {"email": 45, "chat": 30, "form": 20, "phone": 5}
_RESENT = ("{}", "{}", "Sending this again: {}", "Second try: {}", "No answer so far. {}")
_ORDER_NUMBER = re.compile(r"#\d{6}")
# Somebody who writes again does so within this part of the time that the dataset spans.
_LONGEST_WAIT = 0.15


@dataclass(frozen=True)
class SampleMessage:
    """A message and what is known about it because it was made.

    Parameters
    ----------
    text
        The message.
    topic
        Name of its topic; empty for noise.
    is_repeat
        True for a near-duplicate of an earlier message.
    arrival : float
        When it comes, 0 to about 1.
    """

    text: str
    topic: str
    is_repeat: bool
    arrival: float


def sample_rows(seed: int = 4) -> list[tuple[str, ...]]:
    """Return the rows of the sample dataset, always the same for a seed.

    Returns
    -------
    list of tuple of str
        Values of `COLUMNS`, about 600 rows in order of arrival.
    """
    chance = random.Random(seed)
    moment = _FIRST_MESSAGE
    rows: list[tuple[str, ...]] = []
    for number, message in enumerate(sample_messages(seed), 1):
        moment += timedelta(minutes=chance.randint(1, 55))
        channel = chance.choices(list(_CHANNELS), list(_CHANNELS.values()))[0]
        rows.append((f"{number:05d}", moment.isoformat(" ", "minutes"), channel, message.text))
    return rows


def sample_messages(seed: int = 4) -> list[SampleMessage]:
    """Return the messages behind `sample_rows`, in the same order."""
    chance = random.Random(seed)
    messages = [
        SampleMessage(text, topic.name, is_repeat=False, arrival=chance.random())
        for topic in TOPICS
        for text in _topic_texts(topic, chance)
    ]
    repeated = chance.sample(messages, round(NEAR_DUPLICATE_SHARE * len(messages)))
    messages += [_repeat(message, chance) for message in repeated]
    messages += [SampleMessage(text, "", False, chance.random()) for text in NOISE]
    return sorted(messages, key=lambda message: message.arrival)


def write_sample(path: Path) -> Path:
    """Write the sample dataset as CSV and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sample_rows())
    return path


def _topic_texts(topic: Topic, chance: random.Random) -> Iterator[str]:
    """Yield as many different texts as the topic has rows, no message again before all came."""
    seen: set[str] = set()
    for message in cycle(chance.sample(topic.messages, len(topic.messages))):
        text = _compose(message, topic, chance)
        if text not in seen:
            seen.add(text)
            yield text
        if len(seen) == topic.row_count:
            return


def _compose(message: str, topic: Topic, chance: random.Random) -> str:
    """Return the message as one person writes it: alone or with more, politely or in haste."""
    added = sum(chance.random() < topic.talkativeness for _ in range(2))
    text = message
    for addition in chance.sample(topic.additions, added):
        text = f"{_end(text)} {addition}"
    line_end = chance.choice((" ", "\n"))
    if chance.random() < 0.12:
        text = f"{chance.choice(GREETINGS)}{line_end}{text}"
    if chance.random() < 0.10:
        text = f"{_end(text)}{line_end}{chance.choice(SIGN_OFFS)}"
    text = _fill(text, chance)
    return text.lower().rstrip(".") if chance.random() < 0.12 else text


def _end(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _fill(text: str, chance: random.Random) -> str:
    """Return the text with values that agree with each other."""
    days = chance.randint(4, 21)
    past, later = chance.sample(WEEKDAYS, 2)
    return text.format(
        product=chance.choice(PRODUCTS),
        name=chance.choice(NAMES),
        weekday=past,
        later=later,
        days=days,
        more_days=days + chance.randint(3, 7),
        amount=f"{chance.randint(9, 240)}.{chance.choice(('00', '50', '95', '99'))}",
        order=f"#{chance.randint(100_000, 999_999)}",
    )


def _repeat(message: SampleMessage, chance: random.Random) -> SampleMessage:
    """Return the message as it comes a second time, somewhat later."""
    change = chance.choice((_resend, _mistype, _reword, _renumber))
    arrival = message.arrival + chance.uniform(0.001, _LONGEST_WAIT)
    return SampleMessage(change(message.text, chance), message.topic, True, arrival)


def _resend(text: str, chance: random.Random) -> str:
    return chance.choice(_RESENT).format(text)


def _mistype(text: str, chance: random.Random) -> str:
    """Return the text with two neighbouring characters swapped."""
    place = chance.randrange(len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _reword(text: str, chance: random.Random) -> str:
    """Return the text with one word changed, or mistyped where no other word is known."""
    known = [(word, other) for word, other in SAME_WORDS if re.search(rf"\b{word}\b", text)]
    if not known:
        return _mistype(text, chance)
    word, other = chance.choice(known)
    return re.sub(rf"\b{word}\b", other, text, count=1)


def _renumber(text: str, chance: random.Random) -> str:
    """Return the text with another order number, or resent where it has none."""
    number = f"#{chance.randint(100_000, 999_999)}"
    changed = _ORDER_NUMBER.sub(number, text)
    return changed if changed != text else _resend(text, chance)
