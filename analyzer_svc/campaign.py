"""One run of calls to a language model over the clusters of a dataset: patient, and bounded."""

from __future__ import annotations

import asyncio
import random
from itertools import count

from analyzer_svc.errors import ProviderFailure, ProviderQuota, ProviderTimeout
from analyzer_svc.language_model import Answer, LanguageModel
from analyzer_svc.limits import NamingLimits
from analyzer_svc.prompts import Prompt


class Campaign:
    """Calls a language model for many clusters and knows when to stop.

    A call that fails is tried again as often as its kind of failure deserves. When the provider
    says how long to wait, all calls wait. The campaign ends when its time is up, when the provider
    refuses what every call has in common, or when several clusters in a row fail; every later call
    then fails at once for the same reason. A blocked cluster says nothing about the others and
    does not count.

    Parameters
    ----------
    model
        Called with one prompt at a time.
    limits
        The bounds.
    slots
        Bounds the calls under way over all campaigns of a service.
    """

    def __init__(
        self, model: LanguageModel, limits: NamingLimits, slots: asyncio.Semaphore
    ) -> None:
        self._model = model
        self._limits = limits
        self._slots = slots
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + limits.budget_seconds
        self._quiet_until = 0.0
        self._failed_in_a_row = 0
        self._end: ProviderFailure | None = None

    async def describe(self, prompt: Prompt) -> Answer:
        """Return the model's answer, after as many tries as it takes and is allowed.

        Raises
        ------
        ProviderFailure
            If there is no answer, or the campaign has ended.
        """
        for attempt in count(1):
            try:
                answer = await self._call(prompt)
            except ProviderFailure as failure:
                if self._end is not None or attempt >= failure.max_tries:
                    self._count_failure(failure)
                    raise
                await self._wait(failure, attempt)
            else:
                self._failed_in_a_row = 0
                return answer
        raise AssertionError("attempts never end by themselves")

    async def _call(self, prompt: Prompt) -> Answer:
        """Return the answer to one request, made once there is a slot and no wait is asked for."""
        try:
            async with asyncio.timeout_at(self._deadline), self._slots:
                await self._quiet()
                self._require_open()
                return await self._model.describe(prompt)
        except TimeoutError:
            raise self._end_for_time() from None

    async def _quiet(self) -> None:
        """Wait until the provider takes calls again; meanwhile the wait may be made longer."""
        pause = self._quiet_until - self._clock()
        if pause > 0 and self._end is None:
            await asyncio.sleep(pause)
            await self._quiet()

    def _require_open(self) -> None:
        """Raise the failure that ended the campaign, if one has."""
        if self._end is None and self._clock() >= self._deadline:
            self._end_for_time()
        if self._end is not None:
            # One instance is raised for every cluster left; it must not collect their tracebacks.
            raise self._end.with_traceback(None)

    def _end_for_time(self) -> ProviderFailure:
        self._end = self._end or ProviderTimeout(
            f"the {self._limits.budget_seconds:g} seconds for asking the language model are used "
            "up; the keyword name stands"
        )
        return self._end

    def _count_failure(self, failure: ProviderFailure) -> None:
        """End the campaign if this failure, or so many in a row, mean that no call can succeed."""
        if failure.reason != "PROVIDER_BLOCKED":
            self._failed_in_a_row += 1
        if failure.is_final or self._failed_in_a_row >= self._limits.failed_clusters:
            self._end = self._end or failure

    async def _wait(self, failure: ProviderFailure, attempt: int) -> None:
        """Wait before the next try; where the wait is the provider's wish, everybody waits."""
        delay = failure.retry_after
        if delay is None:
            delay = self._limits.backoff_seconds * 2 ** (attempt - 1)
        # Calls that failed together must not all come back at the same moment.
        until = self._clock() + delay * random.uniform(1.0, 1.25)
        if until >= self._deadline:
            self._end = self._end or failure
        elif failure.retry_after is not None or isinstance(failure, ProviderQuota):
            self._quiet_until = max(self._quiet_until, until)
        else:
            await asyncio.sleep(until - self._clock())
