"""Keeps the labels of one dataset distinct."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count

from analyzer_svc.cleaning import LABEL_CHARACTERS, shorten


class DistinctLabels:
    """The label each cluster has; no two alike, letter case and invisible characters aside."""

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}
        self._keys: dict[int, str] = {}

    def claim(self, cluster_id: int, candidates: Iterable[str]) -> str:
        """Return the first candidate that no other cluster has, and give it to this cluster.

        Where all are taken, the last one goes with the cluster's number after it. A label is at
        most 80 characters long. The cluster's former label is free again.
        """
        for label in _bounded(cluster_id, candidates):
            key = _key(label)
            if self._owners.get(key, cluster_id) == cluster_id:
                self._release(cluster_id)
                self._owners[key] = cluster_id
                self._keys[cluster_id] = key
                return label
        raise AssertionError("the candidates never end")

    def _release(self, cluster_id: int) -> None:
        former = self._keys.pop(cluster_id, None)
        if former is not None:
            del self._owners[former]


def with_suffixes(label: str, keywords: Iterable[str]) -> Iterator[str]:
    """Yield the label, then the label with each keyword that it lacks in parentheses."""
    yield label
    for keyword in keywords:
        if keyword.casefold() not in label.casefold():
            yield _with_suffix(label, keyword)


def _bounded(cluster_id: int, candidates: Iterable[str]) -> Iterator[str]:
    """Yield the candidates, cut to length, then the last one with numbers after it, without end."""
    label = ""
    for candidate in candidates:
        label = shorten(candidate, LABEL_CHARACTERS)
        yield label
    yield _with_suffix(label, str(cluster_id))
    for number in count(2):
        yield _with_suffix(label, f"{cluster_id}-{number}")


def _with_suffix(label: str, suffix: str) -> str:
    suffix = f" ({shorten(suffix, LABEL_CHARACTERS // 2)})"
    return shorten(label, LABEL_CHARACTERS - len(suffix)) + suffix


def _key(label: str) -> str:
    """Return what two labels have in common that look the same to a person."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")
