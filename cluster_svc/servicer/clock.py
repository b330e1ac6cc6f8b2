"""Progress messages: the time is right, the fraction never falls and does not stand still."""

from __future__ import annotations

import time
from collections.abc import Callable

from cluster_svc.jobs import Event
from cluster_svc.progress import Progress, Stage
from levelapi.cluster.v1 import cluster_service_pb2 as messages

_STAGES = {stage: getattr(messages.Progress, f"STAGE_{stage.name}") for stage in Stage}

# While these last nobody knows how fast the rest will be.
_WAITING = (Stage.QUEUED, Stage.RECEIVING)


class ProgressClock:
    """Makes the Progress messages of one call.

    Between two pieces of news the fraction goes on as fast as the computing did so far, up to the
    end of the stage: not every stage can say how far it is.

    Parameters
    ----------
    now
        Gives the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began_at = now()
        self._news = Progress(Stage.RECEIVING, 0.0, 0.0)
        self._news_at = self._began_at
        self._computing_from: tuple[float, float] | None = None
        self._told = 0.0

    def message(self, event: Event | None) -> messages.Progress:
        """Return progress as of the event; None is no news."""
        if isinstance(event, Progress):
            self._take(event)
        self._told = max(self._told, self._news.fraction, self._guess())
        message = messages.Progress(stage=_STAGES[self._news.stage], fraction_done=self._told)
        message.elapsed.FromNanoseconds(int((self._now() - self._began_at) * 1e9))
        return message

    def _take(self, news: Progress) -> None:
        self._news, self._news_at = news, self._now()
        if self._computing_from is None and news.stage not in _WAITING:
            self._computing_from = (self._news_at, news.fraction)

    def _guess(self) -> float:
        """Return the fraction that the speed so far leads to."""
        if self._computing_from is None:
            return 0.0
        began_at, began_with = self._computing_from
        seconds = self._news_at - began_at
        speed = (self._news.fraction - began_with) / seconds if seconds > 0 else 0.0
        ahead = speed * (self._now() - self._news_at)
        return min(self._news.fraction + ahead, self._news.stage_end)
