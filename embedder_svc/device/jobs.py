"""Token ids on their way through a device, and the batches cut from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder_svc.model import ModelInfo


class Job:
    """Sequences of token ids that are sorted by length together: padding is work for nothing.

    The longest come first, so that memory, if it is short, runs out at once. Not for several
    threads at a time, but for `write`.

    Parameters
    ----------
    sequences
        Token ids, each not empty.
    batch_size
        Most sequences in a batch.
    info
        Of the model; its ``batch_token_count`` bounds a batch, padding included.

    Raises
    ------
    ValueError
        A sequence is empty.

    Attributes
    ----------
    vectors
        What will be float32 of shape (len(sequences), dimension_count), in the order given.
    """

    def __init__(
        self, sequences: Sequence[Sequence[int]], batch_size: int, info: ModelInfo
    ) -> None:
        self.sequences = sequences
        self.batch_size = batch_size
        self.vectors: Future[NDArray[np.float32]] = Future()
        # Running from the start: who awaits it must not be able to cancel it.
        self.vectors.set_running_or_notify_cancel()
        self._token_limit = info.batch_token_count
        self._padding_limit = info.batch_token_count * info.padding_share
        lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
        self.order = np.argsort(-lengths, kind="stable")
        self._sorted_lengths = lengths[self.order]
        if not lengths.all():
            raise ValueError("a sequence of token ids is empty")
        self._result = np.empty((len(sequences), info.dimension_count), dtype=np.float32)
        self._missing = len(sequences)
        self._waiting: deque[tuple[int, int]] = deque([(0, len(sequences))] if sequences else [])
        if not sequences:
            self.vectors.set_result(self._result)

    @property
    def is_waiting(self) -> bool:
        """True while a batch can be cut."""
        return bool(self._waiting)

    @property
    def longest_waiting(self) -> int:
        """Tokens of the first sequence of the next batch, the longest in it."""
        return self.length_at(self._waiting[0][0])

    def length_at(self, place: int) -> int:
        """Return the tokens of the sequence at a place in ``order``."""
        return int(self._sorted_lengths[place])

    def cut(self, batch_size: int) -> Batch:
        """Return the next batch, of at most ``batch_size`` sequences and the model's tokens."""
        start, stop = self._waiting.popleft()
        end = min(stop, start + batch_size)
        if self._token_limit:
            end = min(end, start + self._well_filled(self._sorted_lengths[start:end]))
        if end < stop:
            self._waiting.appendleft((end, stop))
        return Batch(self, start, end)

    def _well_filled(self, lengths: NDArray[np.int64]) -> int:
        """Return how many of these lengths, longest first, go together with little padding."""
        fitting = max(1, self._token_limit // int(lengths[0]))
        padding = np.cumsum(lengths[0] - lengths[:fitting])
        return int(np.searchsorted(padding, self._padding_limit, side="right"))

    def put_back(self, batch: Batch) -> None:
        """Let ``batch`` be cut again, before anything else."""
        self._waiting.appendleft((batch.start, batch.stop))

    def write(self, batch: Batch, vectors: NDArray[np.float32]) -> None:
        """Keep a batch's vectors."""
        self._result[batch.rows] = vectors

    def count_done(self, batch: Batch) -> None:
        """Note that a batch has been written; with the last one the vectors are there."""
        self._missing -= len(batch.rows)
        if self._missing == 0 and not self.vectors.done():
            self.vectors.set_result(self._result)

    def fail(self, error: Exception) -> None:
        """Drop what waits; ``vectors`` raises ``error``."""
        self._waiting.clear()
        if not self.vectors.done():
            self.vectors.set_exception(error)


@dataclass(eq=False)
class Batch:
    """Sequences of one job that run together.

    Parameters
    ----------
    job
        What they are part of.
    start, stop
        Which ones, in the job's order.
    ran_beside_others
        True once another batch has run at the same time.
    """

    job: Job
    start: int
    stop: int
    ran_beside_others: bool = False

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return self.job.length_at(self.start)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Indices into the job's sequences, int64."""
        rows: NDArray[np.int64] = self.job.order[self.start : self.stop]
        return rows

    @property
    def sequences(self) -> list[Sequence[int]]:
        """The token ids."""
        return [self.job.sequences[row] for row in self.rows.tolist()]
