"""Matrix products on one thread each: blocks of rows share the cores, not parts of a product."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which NumPy's matrix products run on the calling thread alone.

    A product's last bits depend on how many threads share it, and threads of two products at once
    would contend for the cores.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
