"""Progress of a running stage, written to the store a few times a second."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.dataset import Stage, overall_progress
from gateway.pipeline_types import OnProgress
from gateway.store import DatasetStore
from gateway.worker.transient import in_store

REPORT_SECONDS = 0.4
T = TypeVar("T")


async def run_reporting(
    store: DatasetStore,
    dataset_id: str,
    stage: Stage,
    work: Callable[[OnProgress], Awaitable[T]],
    *,
    enter: bool = True,
) -> T:
    """Return what `work` returns, while what it says of its progress goes to the store.

    The work is cancelled when the dataset is deleted meanwhile. Without `enter` its progress shows
    only once the dataset has come to that stage by itself.

    Raises
    ------
    DatasetNotFound
        When the dataset was deleted.
    """
    latest = 0.0

    def on_progress(fraction: float) -> None:
        nonlocal latest
        latest = max(latest, fraction)

    def report() -> None:
        store.advance(dataset_id, stage, overall_progress(stage, latest), enter=enter)

    return await while_reporting(work(on_progress), report)


async def while_reporting(work: Awaitable[T], report: Callable[[], None]) -> T:
    """Return what `work` returns; until then `report`, which blocks, is called again and again.

    When a report fails, the work is cancelled and the error raised.
    """

    async def keep_reporting() -> None:
        while True:
            await in_store(report)
            await asyncio.sleep(REPORT_SECONDS)

    working = asyncio.ensure_future(work)
    reporting = asyncio.ensure_future(keep_reporting())
    try:
        await asyncio.wait({working, reporting}, return_when=asyncio.FIRST_COMPLETED)
        if reporting.done():
            reporting.result()  # raises what stopped the reports
        return await working
    finally:
        for task in (working, reporting):
            task.cancel()
        await asyncio.gather(working, reporting, return_exceptions=True)
