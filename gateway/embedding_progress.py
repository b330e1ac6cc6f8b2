"""How far the embedding of a dataset is, and how fast it goes; pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from time import monotonic
from typing import Any, Self

from gateway.embedded_texts import TextCounts

RATE_SECONDS = 15.0
SAMPLE_SECONDS = 0.5
UNHEARD_SECONDS = 5.0
# Before that, one answer more or less counts for too much.
FEWEST_RATED_SECONDS = 1.0


@dataclass(frozen=True)
class EmbeddingProgress:
    """What is told of an embedding, while it goes on and afterwards.

    Attributes
    ----------
    row_count : int
        Distinct texts.
    done : TextCounts
        What is known of those that have their vectors.
    seconds : float
        Time taken so far.
    rows_per_second : float, optional
        Lately; of a finished embedding, on the whole. None until it can be said.
    seconds_left : float, optional
        None until it can be said.
    """

    row_count: int
    done: TextCounts
    seconds: float
    rows_per_second: float | None
    seconds_left: float | None

    @property
    def cache_hit_rate(self) -> float | None:
        """Share of the texts done whose vectors came from the cache, 0 to 1; None without any."""
        return self.done.cached_count / self.done.row_count if self.done.row_count else None

    def after(self, earlier: "EmbeddingProgress") -> "EmbeddingProgress":
        """Return this progress with no count below that of an earlier one."""
        counts = {
            one.name: max(getattr(self.done, one.name), getattr(earlier.done, one.name))
            for one in fields(TextCounts)
        }
        return EmbeddingProgress(
            self.row_count,
            TextCounts(**counts),
            max(self.seconds, earlier.seconds),
            self.rows_per_second,
            self.seconds_left,
        )

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return what `to_json` was given."""
        return cls(**{**value, "done": TextCounts(**value["done"])})


class EmbeddingMeter:
    """Adds up what calls say of their texts, several calls at once.

    A call that is repeated begins anew; what it had done shows until that is more again.

    Parameters
    ----------
    row_count : int
        Distinct texts in all.
    done : TextCounts
        Those whose vectors are there already.
    seconds : float
        Time taken already.
    clock : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        row_count: int,
        done: TextCounts,
        seconds: float = 0.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._row_count = row_count
        self._before = done.row_count
        self._ended = done
        self._running: dict[int, TextCounts] = {}
        self._most_rows = done.row_count
        self._seconds_before = seconds
        self._clock = clock
        self._start = clock()
        self._samples: deque[tuple[float, int]] = deque()
        self._last_heard = self._start

    @property
    def fraction(self) -> float:
        """Share of the texts that have their vectors, 0 to 1."""
        return self._most_rows / self._row_count if self._row_count else 1.0

    def begin(self, call: int) -> None:
        """Note that a call begins, perhaps again."""
        self._running[call] = TextCounts()

    def add(self, call: int, counts: TextCounts) -> None:
        """Take what a call says of its next texts."""
        self._running[call] += counts
        self._most_rows = max(self._most_rows, self._counts().row_count)
        self._last_heard = self._clock()
        # The first answer begins the count: what went before it was starting up as well.
        if not self._samples or self._last_heard - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((self._last_heard, self._most_rows))

    def end(self, call: int) -> None:
        """Note that a call has answered all of its texts."""
        self._ended += self._running.pop(call)

    def progress(self) -> EmbeddingProgress:
        """Return how far it is now."""
        now = self._clock()
        rate = self._rate(now)
        left = self._row_count - self._most_rows
        return EmbeddingProgress(
            self._row_count,
            self._counts(),
            self._seconds_before + now - self._start,
            rate,
            left / rate if rate else None,
        )

    def final(self) -> EmbeddingProgress:
        """Return how it went, on the whole."""
        seconds = max(self._clock() - self._start, 1e-3)
        rate = (self._most_rows - self._before) / seconds
        return EmbeddingProgress(
            self._row_count, self._counts(), self._seconds_before + seconds, rate, 0.0
        )

    def _counts(self) -> TextCounts:
        return sum(self._running.values(), self._ended)

    def _rate(self, now: float) -> float | None:
        """Return rows a second over the last seconds; None where too little is known."""
        while len(self._samples) > 1 and now - self._samples[1][0] > RATE_SECONDS:
            self._samples.popleft()
        if not self._samples:
            return None
        since, rows = self._samples[0]
        # Between two answers work goes on unseen; only after a while it has come to a stop.
        seconds = max(self._last_heard, now - UNHEARD_SECONDS) - since
        if seconds < FEWEST_RATED_SECONDS or self._most_rows == rows:
            return None
        return (self._most_rows - rows) / seconds
