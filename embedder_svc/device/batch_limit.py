"""How many texts the device holds at once: assumed at first, then learnt from where it failed."""

from __future__ import annotations

from embedder_svc.errors import DeviceOutOfMemory

SMALLEST_BATCH = 8
"""A device without room for this many texts is too small for the model."""


class BatchLimit:
    """The largest batch that is tried, shared by all calls on one device.

    Parameters
    ----------
    safe_batch_size
        Texts in a batch that the device is expected to hold.
    """

    def __init__(self, safe_batch_size: int) -> None:
        self._safe_batch_size = safe_batch_size
        self._ceiling: int | None = None
        self._token_ceiling = 0

    @property
    def safe_batch_size(self) -> int:
        """Texts in a batch, of whatever length, when the caller asks for no other number."""
        return self.apply(self._safe_batch_size)

    def apply(self, batch_size: int, token_count: int = 0) -> int:
        """Return ``batch_size``, or less where that many have run out of memory before.

        Parameters
        ----------
        batch_size
            Texts wished for.
        token_count
            Of the longest of them, 0 if unknown: a batch of short texts takes less memory than the
            long ones that did not fit.
        """
        if self._ceiling is None:
            return batch_size
        fitting = self._token_ceiling // token_count if token_count else 0
        return min(batch_size, max(self._ceiling, fitting))

    def lower(self, failed_batch_size: int, token_count: int = 0) -> None:
        """Halve the limit, down to 8 texts, since a batch of this size did not fit.

        A batch over the limit was cut before the limit was lowered last, so it tells nothing new.

        Parameters
        ----------
        failed_batch_size
            Texts in the batch.
        token_count
            Of the longest of them, 0 if unknown.

        Raises
        ------
        DeviceOutOfMemory
            It was the smallest already.
        """
        if failed_batch_size <= SMALLEST_BATCH:
            raise DeviceOutOfMemory(
                f"the device has no memory left for {failed_batch_size} texts at once; free some "
                "of it, or choose a smaller model with LEVEL_EMBEDDER_MODEL",
                batch_size=failed_batch_size,
            )
        if self.apply(failed_batch_size, token_count) < failed_batch_size:
            return
        tokens = failed_batch_size * token_count // 2
        self._token_ceiling = tokens if self._ceiling is None else min(tokens, self._token_ceiling)
        if self._ceiling is None or failed_batch_size <= self._ceiling:
            self._ceiling = max(SMALLEST_BATCH, failed_batch_size // 2)
