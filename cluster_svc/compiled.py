"""How Level's inner loops are compiled, and how blocks of them share the processor's cores.

A kernel works on a range of rows and holds no lock on the interpreter, so ordinary threads run
several at once; numba's own parallel loops take several times as long to compile, and a row's
result must not depend on which thread it falls to.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar, cast

import numba

ReportFraction = Callable[[float], None]
F = TypeVar("F", bound=Callable[..., object])

# Sums may be reordered, which SIMD needs; infinities and NaN keep their meaning.
_FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


def kernel(function: F) -> F:
    """Return the function compiled by numba when it is first called, the code kept on disk.

    The code lies beside the source, else in the user's cache, else in memory only. It is renewed
    when the function's file changes and not when another does: a kernel uses kernels and constants
    of its own file alone.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": _FAST_MATH, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # no folder that can be written
        return cast(F, numba.njit(**options)(function))


def for_each_block(
    work: Callable[[int, int], None],
    count: int,
    block_size: int,
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> None:
    """Call ``work(start, stop)`` for consecutive blocks of ``count`` items, several at once.

    Parameters
    ----------
    work
        Must write where no other block does; most of its time outside the interpreter's lock.
    count : int
        How many items there are.
    block_size : int
        Items of a block, the last one aside; it must not depend on ``thread_count`` where results
        depend on it.
    thread_count : int
        At least 1.
    report
        Called from this thread with the fraction done after every block; may raise to end the work.
    """
    starts = range(0, count, block_size)
    if thread_count == 1 or len(starts) < 2:
        for start in starts:
            work(start, min(start + block_size, count))
            report(min(start + block_size, count) / count)
        return
    with ThreadPoolExecutor(thread_count) as pool:
        blocks = [pool.submit(work, start, min(start + block_size, count)) for start in starts]
        try:
            for done, block in enumerate(as_completed(blocks), 1):
                block.result()
                report(done / len(blocks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
