"""How many rows are embedded between two answers of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_ROWS = 4096
MAX_WORK_BYTES = 128 * 1024
"""Of text that a model reads: seconds of work on two cores, so that callers see a sign of life."""

MAX_BYTES = 4 * 2**20
"""Of text, read or not: what is held in memory."""

_BYTES_PER_TOKEN = 4


@dataclass
class TextWindow:
    """Consecutive rows that are sorted by length together and then answered.

    Parameters
    ----------
    first_row_index
        The row of the first text, from 0.
    max_token_count
        What the model reads of a text; the rest of it is no work.
    """

    first_row_index: int
    max_token_count: int
    texts: list[str] = field(default_factory=list)
    cut_by_sender: list[bool] = field(default_factory=list)
    _bytes: int = 0
    _work_bytes: int = 0

    def add(self, text: str, byte_count: int, was_cut: bool) -> None:
        """Take the next row's text, its length as UTF-8, and whether its sender has cut it."""
        self.texts.append(text)
        self.cut_by_sender.append(was_cut)
        self._bytes += byte_count
        self._work_bytes += min(byte_count, self.max_token_count * _BYTES_PER_TOKEN)

    @property
    def is_full(self) -> bool:
        """True once it is time to answer."""
        return (
            len(self.texts) >= MAX_ROWS
            or self._work_bytes >= MAX_WORK_BYTES
            or self._bytes >= MAX_BYTES
        )

    def next(self) -> TextWindow:
        """Return the empty window of the rows that follow."""
        return TextWindow(self.first_row_index + len(self.texts), self.max_token_count)
