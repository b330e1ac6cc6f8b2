"""Near-duplicates of real texts: found by the pipeline, and of datasets made before it did that."""

import numpy as np
import pytest
import pytest_asyncio
import sqlalchemy as sa

from gateway import database as tables
from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.layer_files import NEAR_DUPLICATES
from gateway.store import DatasetStore
from gateway.worker.near_duplicates import find_groups
from gateway.worker.pipeline import Pipeline
from gateway.worker.results import GRAPH_ARRAYS
from level.local_stages import LocalStages
from levelling.duplicates.near_duplicates import find_near_duplicates
from levelling.duplicates.text_keys import text_keys
from tests.support.worker_rig import accept

TOPICS = ("my card was not delivered", "the exchange rate is wrong", "I cannot log in to the app")
TEXTS = [f"{topic}, case number {row} of {len(topic)}" for row in range(20) for topic in TOPICS]
TEXTS += [TEXTS[0], TEXTS[0].upper() + "!", f"  {TEXTS[1]}.", TEXTS[2]]
SOURCE = "\n".join(["text", *(f'"{text}"' for text in TEXTS), ""]).encode()

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages():
    async with LocalStages() as stages:
        yield stages


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory, stages):
    """A store with one clustered dataset, its id, and the pipeline that made it."""
    folder = tmp_path_factory.mktemp("store")
    database = Database(f"sqlite:///{folder}/level.sqlite")
    database.create_tables()
    store, artifacts = DatasetStore(database), ArtifactStore(folder)
    pipeline = Pipeline(store, artifacts, stages)
    dataset_id = accept(store, artifacts, SOURCE)
    await pipeline.embed(dataset_id)
    await pipeline.cluster(dataset_id)
    yield database, store, artifacts, pipeline, dataset_id
    database.close()


def stored_groups(artifacts, dataset):
    return artifacts.open_array(dataset.dataset_id, dataset.artifacts[NEAR_DUPLICATES])


async def test_the_pipeline_stores_the_groups_and_how_many_rows_are_copies(desk):
    _, store, artifacts, _, dataset_id = desk
    dataset = store.get(dataset_id)
    groups = stored_groups(artifacts, dataset)
    assert groups.dtype == np.int32 and groups.shape == (len(TEXTS),)
    assert len({int(group) for group in groups[[0, 60, 61]]}) == 1
    assert groups[1] == groups[62] and groups[2] == groups[63]
    copies = dataset.counts["near_duplicate_count"]
    assert copies == len(TEXTS) - len(set(groups.tolist())) >= 4
    assert dataset.timings["near_duplicates"] >= 0
    assert set(dataset.artifacts[NEAR_DUPLICATES].parents) == {*GRAPH_ARRAYS, "rows"}


async def test_stored_groups_are_not_looked_for_again(desk):
    _, store, artifacts, _, dataset_id = desk
    dataset = store.get(dataset_id)
    found = await find_groups(dataset, artifacts, None)
    assert np.array_equal(found, stored_groups(artifacts, dataset))


async def test_another_distance_has_its_own_groups(desk, stages):
    _, store, artifacts, _, dataset_id = desk
    dataset = store.get(dataset_id)
    arrays = (artifacts.open_array(dataset_id, dataset.artifacts[name]) for name in GRAPH_ARRAYS)
    expected = find_near_duplicates(*arrays, 0.3, text_keys(TEXTS))
    found = await find_groups(dataset, artifacts, stages, 0.3)
    assert np.array_equal(found, expected.groups)
    assert not np.array_equal(found, stored_groups(artifacts, dataset))


async def test_a_dataset_of_an_earlier_version_gets_its_groups_when_they_are_needed(desk, stages):
    database, store, artifacts, pipeline, dataset_id = desk
    expected = stored_groups(artifacts, store.get(dataset_id))
    forget = sa.delete(tables.artifacts).where(tables.artifacts.c.name == NEAR_DUPLICATES)
    with database.writing() as connection:
        connection.execute(forget)
    dataset = store.get(dataset_id)
    assert NEAR_DUPLICATES not in dataset.artifacts
    assert np.array_equal(await find_groups(dataset, artifacts, stages), expected)
    # As after a worker that was killed between the two.
    await pipeline.cluster(dataset_id)
    assert np.array_equal(stored_groups(artifacts, store.get(dataset_id)), expected)
