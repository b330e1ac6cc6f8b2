"""How many rows are embedded between two answers of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from embedder_svc.model import ModelInfo
from level_rpc.texts import MAX_TEXT_BYTES

MAX_ROWS = 4096
MAX_BYTES = 2**20
"""Of text, read or not: what is held in memory, and tokenised in one go."""

MIN_WORK_BYTES = 4 * 1024
MAX_WORK_BYTES = 256 * 1024
"""More would hardly be sorted any better by length."""

_BYTES_PER_TOKEN = 4
# A second or two of two cores, and a fraction of one of a GPU.
_CPU_FLOP = 4e11
_GPU_FLOP = 1e14


@dataclass
class TextWindow:
    """Consecutive rows that are sorted by length together and then answered.

    Parameters
    ----------
    first_row_index
        The row of the first text, from 0.
    read_bytes
        What the model reads of a text, about; the rest of it is no work.
    work_limit
        Bytes of text that a model reads, after which it is time to answer.
    """

    first_row_index: int
    read_bytes: int
    work_limit: int = MAX_WORK_BYTES
    texts: list[str] = field(default_factory=list)
    cut_by_sender: list[bool] = field(default_factory=list)
    work_bytes: int = 0
    _bytes: int = 0

    def add(self, text: str, byte_count: int, was_cut: bool) -> None:
        """Take the next row's text, its length as UTF-8, and whether its sender has cut it."""
        self.texts.append(text)
        self.cut_by_sender.append(was_cut)
        self._bytes += byte_count
        self.work_bytes += min(byte_count, self.read_bytes)

    @property
    def is_full(self) -> bool:
        """True once it is time to answer."""
        return (
            len(self.texts) >= MAX_ROWS
            or self.work_bytes >= self.work_limit
            or self._bytes >= MAX_BYTES
        )

    def next(self) -> TextWindow:
        """Return the empty window of the rows that follow."""
        return TextWindow(self.first_row_index + len(self.texts), self.read_bytes, self.work_limit)


def read_bytes(max_token_count: int, *, all_of_it: bool) -> int:
    """Return about how many bytes of a text a model reads: its tokens' worth, or all of it."""
    limit = MAX_TEXT_BYTES if all_of_it else max_token_count * _BYTES_PER_TOKEN
    return min(limit, MAX_TEXT_BYTES)


def work_limit(info: ModelInfo) -> int:
    """Return how many bytes of text are work enough for one answer, 4 KiB to 256 KiB.

    From what the model is, not from a clock: which texts are sorted and batched together decides
    how sums are rounded on some devices, and equal calls are to get equal answers.
    """
    if info.flop_per_token <= 0:
        return MAX_WORK_BYTES
    budget = _GPU_FLOP if "cuda" in info.device else _CPU_FLOP
    byte_count = int(budget / info.flop_per_token * _BYTES_PER_TOKEN)
    return min(max(byte_count, MIN_WORK_BYTES), MAX_WORK_BYTES)
