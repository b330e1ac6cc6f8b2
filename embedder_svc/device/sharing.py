"""Shares one model between calls, which take turns on it batch by batch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Self

import structlog

from embedder_svc.device.batch_limit import SMALLEST_BATCH, BatchLimit
from embedder_svc.device.jobs import Batch, Job
from embedder_svc.errors import DeviceOutOfMemory, EmbeddingCancelled, OutOfMemory
from embedder_svc.model import EmbeddingModel

_log = structlog.get_logger(__name__)


class Device:
    """Runs batches on as many threads as the model takes batches at once.

    The calls that have work waiting stand in a ring: each gives one batch, then it is the next
    one's turn. So a call waits for one batch of every other call, however many those have queued.
    A batch that runs out of memory goes back to the front, and is cut smaller from then on.

    Parameters
    ----------
    model
        From `load_model`.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        self.model = model
        self._limit = BatchLimit(model.info.safe_batch_size)
        self._changed = threading.Condition()
        self._ring: deque[CallQueue] = deque()
        self._running: dict[Batch, CallQueue] = {}
        self._awaited: set[Batch] = set()
        self._width = max(1, model.info.parallel_batch_count)
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"embed-{number}", daemon=True)
            for number in range(self._width)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def safe_batch_size(self) -> int:
        """The largest batch that has not run out of memory, in texts."""
        return self._limit.safe_batch_size

    def close(self) -> None:
        """Drop what waits, let the batches that run end, and end the threads."""
        with self._changed:
            self._is_closed = True
            for queue in tuple(self._ring):
                self.drop(queue)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def submit(self, queue: CallQueue, sequences: Sequence[Sequence[int]], batch_size: int) -> Job:
        """Do what `CallQueue.submit` says."""
        share = max(SMALLEST_BATCH, -(-len(sequences) // self._width))
        job = Job(sequences, min(batch_size or self.safe_batch_size, share), self.model.info)
        with self._changed:
            if self._is_closed or queue.is_cancelled:
                raise cancelled_error()
            if job.is_waiting:
                if not queue.jobs:
                    self._ring.append(queue)
                queue.jobs.append(job)
                self._changed.notify_all()
        return job

    def drop(self, queue: CallQueue) -> None:
        """Do what `CallQueue.close` says."""
        with self._changed:
            running = [batch.job for batch, owner in self._running.items() if owner is queue]
            for job in (*queue.jobs, *running):
                job.fail(cancelled_error())
            queue.jobs.clear()
            if queue in self._ring:
                self._ring.remove(queue)

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            error: Exception | None = None
            try:
                batch.job.write(batch, self.model.encode(batch.sequences))
            except OutOfMemory:
                # Not kept: its traceback would hold the failed batch's memory.
                error = OutOfMemory()
            # Whatever a library raises belongs to the call whose batch it was, not to this thread.
            except Exception as raised:
                error = raised
            self._settle(batch, error)

    def _next_batch(self) -> Batch | None:
        """Return the batch whose turn it is, None once the device is closed."""
        with self._changed:
            while not self._is_closed:
                if not self._ring or self._awaited or len(self._running) >= self._width:
                    self._changed.wait()
                elif (queue := self._ring.popleft()).is_cancelled:
                    self.drop(queue)
                else:
                    return self._begin_batch(queue)
            return None

    def _begin_batch(self, queue: CallQueue) -> Batch:
        job = queue.jobs[0]
        batch = job.cut(self._limit.apply(job.batch_size, job.longest_waiting))
        if not job.is_waiting:
            queue.jobs.popleft()
        if queue.jobs:
            self._ring.append(queue)
        self._running[batch] = queue
        if len(self._running) > 1:
            for running in self._running:
                running.ran_beside_others = True
        return batch

    def _settle(self, batch: Batch, error: Exception | None) -> None:
        with self._changed:
            queue = self._running.pop(batch)
            self._awaited.discard(batch)
            if isinstance(error, OutOfMemory):
                # Their memory is not free before they end: to try again earlier would say nothing.
                self._awaited.update(self._running)
                error = self._make_room(batch)
                if error is None:
                    self._put_back(batch, queue)
            elif error is None:
                batch.job.count_done(batch)
            if error is not None:
                self._fail(batch.job, queue, error)
            self._changed.notify_all()

    def _make_room(self, batch: Batch) -> DeviceOutOfMemory | None:
        """Lower the limit for what comes; return the error if it cannot be lowered."""
        size = batch.stop - batch.start
        try:
            self._limit.lower(size, batch.longest)
        except DeviceOutOfMemory as error:
            if not batch.ran_beside_others:
                return error
            # It may fit alone, if two of the smallest batches at once do not.
            self._width = 1
        _log.warning(
            "out of memory",
            failed_batch_size=size,
            safe_batch_size=self.safe_batch_size,
            batches_at_once=self._width,
        )
        return None

    def _put_back(self, batch: Batch, queue: CallQueue) -> None:
        if self._is_closed or queue.is_cancelled:
            batch.job.fail(cancelled_error())
        if batch.job.vectors.done():
            return
        batch.job.put_back(batch)
        if batch.job not in queue.jobs:
            queue.jobs.appendleft(batch.job)
        if queue in self._ring:
            self._ring.remove(queue)
        self._ring.appendleft(queue)

    def _fail(self, job: Job, queue: CallQueue, error: Exception) -> None:
        job.fail(error)
        if job in queue.jobs:
            queue.jobs.remove(job)
        if not queue.jobs and queue in self._ring:
            self._ring.remove(queue)


class CallQueue:
    """One call's place in a device's ring; as a context, it is closed at the end.

    Parameters
    ----------
    device
        Where the work is done.
    cancelled
        Once set, no batch is begun, as after `close`, which drops what waits there and then.
    """

    def __init__(self, device: Device, cancelled: threading.Event | None = None) -> None:
        self.jobs: deque[Job] = deque()
        self._device = device
        self._cancelled = cancelled
        self._is_closed = False

    @property
    def is_cancelled(self) -> bool:
        """True once no more batches are begun."""
        return self._is_closed or (self._cancelled is not None and self._cancelled.is_set())

    def stop_if_cancelled(self) -> None:
        """Raise EmbeddingCancelled once no more batches are begun."""
        if self.is_cancelled:
            raise cancelled_error()

    def submit(self, sequences: Sequence[Sequence[int]], batch_size: int = 0) -> Job:
        """Return the job that is to give the vectors of the token ids.

        Its ``vectors`` raise DeviceOutOfMemory where eight sequences do not fit, EmbeddingCancelled
        where the queue or the device was closed, and whatever else the model raised.

        Parameters
        ----------
        sequences
            Token ids, each not empty.
        batch_size
            Most of them in a batch, 0 for what the device is known to hold; fewer where memory has
            run out before, where they are long, or where another thread would have none.

        Raises
        ------
        EmbeddingCancelled
            The queue or the device is closed.
        """
        return self._device.submit(self, sequences, batch_size)

    def close(self) -> None:
        """Drop what waits; what runs goes on, for nothing."""
        self._is_closed = True
        self._device.drop(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def cancelled_error() -> EmbeddingCancelled:
    """Return the error of work that nobody waits for any more."""
    return EmbeddingCancelled("the caller cancelled the embedding, or the service is stopping")
