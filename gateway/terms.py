"""Counts the words and word pairs of each cluster's rows, for any script.

The counts are what keyword names are made from. Letters are folded by NFKC and lower case.
Scripts that put spaces between words give words and pairs of neighbouring words; Chinese and
Japanese give pairs of characters; Thai, Lao, Khmer and Burmese give pairs of syllable-like
units. No dictionary is needed for any of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from heapq import nsmallest
from itertools import islice

TERM_LIMIT = 1000
_FEWEST_TERMS = 20
_TERMS_IN_MEMORY = 1_000_000
_ROW_CHARACTERS = 20_000
_WORD_CHARACTERS = 40

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA = "\u3041-\u3096\u309d-\u309f"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff"
_STACKED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
)
_UNSPACED = re.compile(f"[{_HAN}{_HIRAGANA}{_KATAKANA}{_STACKED}]")

# A tag, an address, a mention or an entity is machinery around the words, not one of them.
_MACHINERY = re.compile(
    r"</?[a-z!][^<>]{0,500}>|https?://\S+|www\.\S+|[\w.+-]{0,64}@\S+|&#?\w{2,8};", re.IGNORECASE
)
_MACHINERY_SIGNS = ("<", "://", "www.", "@", "&")
# Soft hyphens, direction marks, tags and the like stand inside words without being seen.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]+"
)
# NFKC takes the Thai and Lao vowel AM apart; written text has it as one character.
_SPLIT_AM = (("\u0e4d\u0e32", "\u0e33"), ("\u0ecd\u0eb2", "\u0eb3"))
# What is neither a word nor white space ends a phrase, so that no pair reaches over it.
_ASCII_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\w\s'-]")


def count_terms(
    texts: Iterable[str],
    labels: Iterable[int],
    cluster_count: int,
    *,
    term_limit: int = TERM_LIMIT,
) -> list[dict[str, int]]:
    """Return for each cluster how often each of its most frequent terms stands in its rows.

    As `count_terms_of_layers` of one layer whose cluster ids start at 0.
    """
    (counts,) = count_terms_of_layers(texts, [labels], [cluster_count], term_limit=term_limit)
    return counts


def count_terms_of_layers(
    texts: Iterable[str],
    labels: Sequence[Iterable[int]],
    cluster_counts: Sequence[int],
    *,
    term_limit: int = TERM_LIMIT,
) -> list[list[dict[str, int]]]:
    """Return for each cluster of each layer how often its most frequent terms stand in its rows.

    Rows are read once, in order, and memory is bounded whatever their number: where a cluster
    has more different terms than there is room for, its rarest are forgotten on the way. At most
    the first 20,000 characters of a row count.

    Parameters
    ----------
    texts : iterable of str
        The rows; any characters.
    labels : sequence of iterable of int, each as long as ``texts``
        Of each layer, the cluster of each row, 0 to its ``cluster_counts - 1``; -1 (noise) is
        passed over.
    cluster_counts : sequence of int
        How many clusters each layer has.
    term_limit
        How many terms a cluster keeps at most; fewer, but at least 20, where a layer has so many
        clusters that all of them together would have more than a million.

    Returns
    -------
    list of list of dict
        By layer, by cluster: term to count, most frequent first, equal counts in code point order.
        A term is a word, or two neighbouring words with one space between.

    Raises
    ------
    ValueError
        If ``texts`` and ``labels`` differ in length, or a label has no cluster.
    """
    layers = [_LayerCounter(count, term_limit) for count in cluster_counts]
    for text, *clusters in zip(texts, *labels, strict=True):
        if max(clusters) < 0:
            continue
        terms = split_terms(text)
        for layer, cluster in zip(layers, clusters, strict=True):
            if cluster >= 0:
                layer.add(cluster, terms)
    return [layer.finish() for layer in layers]


def sum_terms(
    counts: Sequence[Mapping[str, int]],
    parents: Sequence[int],
    parent_count: int,
    *,
    term_limit: int = TERM_LIMIT,
) -> list[dict[str, int]]:
    """Return the counts of coarser clusters from those of the clusters they are made of.

    Parameters
    ----------
    counts : sequence of mapping
        Of each finer cluster, term to count.
    parents : sequence of int
        The coarser cluster that each lies in, 0 to ``parent_count - 1``.
    parent_count
        How many coarser clusters there are.
    term_limit
        How many terms a cluster keeps at most.
    """
    sums: list[Counter[str]] = [Counter() for _ in range(parent_count)]
    for terms, parent in zip(counts, parents, strict=True):
        sums[parent].update(terms)
    return [_most_frequent(counter, term_limit) for counter in sums]


class _LayerCounter:
    """Counts terms of the clusters of one layer."""

    def __init__(self, cluster_count: int, term_limit: int) -> None:
        self._room = _TERMS_IN_MEMORY // max(cluster_count, 1)
        self._kept_count = min(term_limit, max(_FEWEST_TERMS, self._room))
        self._counters: list[Counter[str]] = [Counter() for _ in range(cluster_count)]

    def add(self, cluster: int, terms: list[str]) -> None:
        if cluster >= len(self._counters):
            count = len(self._counters)
            raise ValueError(f"label {cluster} with {count} clusters; labels start at 0")
        counter = self._counters[cluster]
        counter.update(terms)
        if len(counter) > max(2 * self._kept_count, self._room):
            _forget_rarest(counter)

    def finish(self) -> list[dict[str, int]]:
        return [_most_frequent(counter, self._kept_count) for counter in self._counters]


def split_terms(text: str) -> list[str]:
    """Return the words and the pairs of neighbouring words of one row, in reading order."""
    text = text[:_ROW_CHARACTERS]
    if any(sign in text for sign in _MACHINERY_SIGNS):
        text = _MACHINERY.sub(" . ", text)
    if text.isascii():
        return _pair_words(_ASCII_TOKEN.findall(text.lower()))
    text = _fold(text)
    if _UNSPACED.search(text):
        return _pair_words(_split_unspaced(text))
    return _pair_words(_token_pattern().findall(text))


def _fold(text: str) -> str:
    """Return the text in NFKC and lower case, without invisible characters."""
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).lower().replace("’", "'")
    for split, whole in _SPLIT_AM:
        folded = folded.replace(split, whole)
    return folded


def _pair_words(tokens: Iterable[str]) -> list[str]:
    """Return the words among the tokens and the pairs of words with nothing between them."""
    terms: list[str] = []
    previous = ""
    for token in tokens:
        word = token.removesuffix("'s")
        if not word[0].isalnum() or word.isdigit() or len(word) > _WORD_CHARACTERS:
            previous = ""
            continue
        # One letter alone says nothing, but "vitamin c" does; one Chinese character is a word.
        if len(word) > 1 or not word.isascii():
            terms.append(word)
        if previous:
            terms.append(f"{previous} {word}")
        previous = word
    return terms


def _split_unspaced(text: str) -> Iterator[str]:
    """Yield the words of spaced scripts, and the units of unspaced ones between breaks."""
    for match in _unspaced_pattern().finditer(text):
        token = match[0]
        if match.lastgroup is None:
            yield token
            continue
        yield "."
        for unit in _UNITS[match.lastgroup](token):
            yield unit
            yield "."


def _hiragana_pairs(run: str) -> list[str]:
    """Return the pairs of neighbouring characters; one alone is a particle, not a word."""
    return _character_pairs(run) if len(run) > 1 else []


def _character_pairs(run: str) -> list[str]:
    """Return the pairs of neighbouring characters; a character that stands alone as it is."""
    return [run[i : i + 2] for i in range(max(len(run) - 1, 1))]


def _unit_pairs(run: str) -> list[str]:
    """Return the pairs of neighbouring syllable-like units; a unit that stands alone as it is."""
    units = _stacked_unit().findall(run)
    return ["".join(units[i : i + 2]) for i in range(max(len(units) - 1, 1))]


def _whole(run: str) -> list[str]:
    """Return the run as one word: katakana is mostly used for single foreign words."""
    return [run]


_UNITS = {
    "han": _character_pairs,
    "hiragana": _hiragana_pairs,
    "katakana": _whole,
    "stacked": _unit_pairs,
}


@cache
def _marks() -> str:
    """Return the combining marks, which are no word characters to re, as ranges of a class."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1F000):
        if unicodedata.category(chr(code)) not in ("Mn", "Mc"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def _token_pattern() -> re.Pattern[str]:
    """Return the pattern of a word of any spaced script, or of what ends a phrase."""
    return re.compile(f"{_word_pattern('')}|{_break_pattern()}")


@cache
def _unspaced_pattern() -> re.Pattern[str]:
    """Return the pattern of a run of one unspaced script, of a word, or of a phrase's end."""
    return re.compile(
        f"(?P<han>[{_HAN}]+)|(?P<hiragana>[{_HIRAGANA}]+)|(?P<katakana>[{_KATAKANA}]+)"
        f"|(?P<stacked>[{_STACKED}]+)|{_word_pattern(_UNSPACED.pattern)}|{_break_pattern()}"
    )


def _word_pattern(unspaced: str) -> str:
    """Return the pattern of letters with their marks and at most one apostrophe inside."""
    letter = rf"{f'(?!{unspaced})' if unspaced else ''}[^\W_][{_marks()}\u200c\u200d]*"
    return f"(?:{letter})+(?:'(?:{letter})+)?"


def _break_pattern() -> str:
    """Return the pattern of one character that stands neither in nor between words."""
    return rf"[^\w\s'{_marks()}\u200c\u200d-]"


@cache
def _stacked_unit() -> re.Pattern[str]:
    """Return the pattern of a consonant with the vowels and signs written around it."""
    before, after = "\u0e40-\u0e44\u0ec0-\u0ec4", "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
    return re.compile(rf"[{before}]?[^{before}{_marks()}][{_marks()}]*[{after}]*|.")


def _forget_rarest(counter: Counter[str]) -> None:
    """Drop the rarer half of the terms: all that are no more frequent than the middle one."""
    middle = sorted(counter.values())[len(counter) // 2]
    kept = {term: count for term, count in counter.items() if count > middle}
    if not kept:
        kept = dict(islice(counter.items(), len(counter) // 2))
    counter.clear()
    counter.update(kept)


def _most_frequent(counter: Counter[str], limit: int) -> dict[str, int]:
    """Return the most frequent terms, most frequent first, equal ones in code point order."""
    return dict(nsmallest(limit, counter.items(), key=lambda item: (-item[1], item[0])))
