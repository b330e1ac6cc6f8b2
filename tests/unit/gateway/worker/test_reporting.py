"""Progress of a stage goes to the store while the stage runs."""

import asyncio

import pytest

from gateway.database import Database
from gateway.dataset import Stage
from gateway.errors import DatasetNotFound
from gateway.store import DatasetStore
from gateway.worker import reporting
from gateway.worker.reporting import run_reporting
from tests.support.store_cases import add_dataset


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(reporting, "REPORT_SECONDS", 0.01)
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    yield DatasetStore(database)
    database.close()


async def until(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_progress_shows_and_the_result_comes_back(store):
    dataset_id = add_dataset(store)

    async def work(on_progress):
        on_progress(0.5)
        await until(lambda: store.get(dataset_id).progress == 35)
        on_progress(0.1)
        on_progress(1.0)
        await until(lambda: store.get(dataset_id).progress == 70)
        return "done"

    assert await run_reporting(store, dataset_id, Stage.EMBEDDING, work) == "done"
    assert store.get(dataset_id).stage == Stage.EMBEDDING


async def test_work_is_broken_off_when_its_dataset_is_deleted(store):
    dataset_id = add_dataset(store)
    broken_off = asyncio.Event()

    async def work(_):
        store.delete(dataset_id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken_off.set()
            raise

    with pytest.raises(DatasetNotFound):
        await run_reporting(store, dataset_id, Stage.EMBEDDING, work)
    assert broken_off.is_set()


async def test_an_error_of_the_work_comes_through_and_ends_the_reports(store):
    dataset_id = add_dataset(store)

    async def work(_):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_reporting(store, dataset_id, Stage.EMBEDDING, work)
    assert len(asyncio.all_tasks()) == 1
