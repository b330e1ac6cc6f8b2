"""A model whose batches run only when a test lets them."""

import queue
import threading

import numpy as np

from embedder_svc.errors import OutOfMemory
from embedder_svc.model import ModelInfo

DIMENSION_COUNT = 8
_SECONDS = 30


def describe(**fields):
    """Return a ModelInfo of no model in particular."""
    return ModelInfo(
        **{
            "model_id": "stepped",
            "revision": "",
            "fingerprint": "f" * 64,
            "dimension_count": DIMENSION_COUNT,
            "max_token_count": 512,
            "device": "cpu",
            "backend": "onnxruntime",
            "precision": "float32",
            "runtime": "onnxruntime 1",
            "instruction_set": "",
            "safe_batch_size": 32,
            "batch_token_count": 0,
            "query_prefix": "",
        }
        | fields
    )


class SteppedModel:
    """Encodes a sequence as the unit vector that its first token id names.

    Parameters
    ----------
    capacity
        Sequences that fit at once, over all batches that run.
    steps
        True to wait for `step` before each batch.
    together
        So many batches, the first, begin and end at the same time.
    """

    def __init__(self, *, capacity=10**6, steps=False, together=0, **info):
        self.info = describe(**info)
        self.batches = []
        self._steps = steps
        self._capacity = capacity
        self._held = 0
        self._together = together
        self._barrier = threading.Barrier(together or 1, timeout=_SECONDS)
        self._lock = threading.Lock()
        self._started = queue.Queue()
        self._permits = threading.Semaphore(0)

    def encode(self, batch):
        with self._lock:
            self.batches.append([list(token_ids) for token_ids in batch])
            self._held += len(batch)
            meets_others = len(self.batches) <= self._together
        self._started.put(len(batch))
        try:
            if self._steps:
                assert self._permits.acquire(timeout=_SECONDS)
            if meets_others:
                self._barrier.wait()
            fits = self._held <= self._capacity
            if meets_others:
                self._barrier.wait()
            if not fits:
                raise OutOfMemory
            return np.eye(DIMENSION_COUNT, dtype=np.float32)[[ids[0] for ids in batch]]
        finally:
            with self._lock:
                self._held -= len(batch)

    def wait_for_batch(self):
        """Return the size of the next batch, once it has begun."""
        return self._started.get(timeout=_SECONDS)

    def step(self, count=1):
        """Let so many batches end."""
        self._permits.release(count)

    @property
    def batch_sizes(self):
        """The sizes of all batches, in the order they began."""
        return [len(batch) for batch in self.batches]

    @property
    def owners(self):
        """The first token id of each batch, in the order they began."""
        return [batch[0][0] for batch in self.batches]
