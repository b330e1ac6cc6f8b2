"""`LocalStages` keeps the contract of `Stages`, and gives what the services give."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import astuple, replace

import numpy as np
import pytest
import pytest_asyncio

from gateway.pipeline_types import ClusterTexts, HillShape
from gateway.stages import GrpcStages
from level.local.work import WorkThreads
from level.local_stages import LocalStages
from level_rpc.errors import Aborted, InvalidArgument
from levelling.request import SamplingStrategy
from tests.contract.stages_contract import (
    TEXTS,
    TOPICS,
    Heard,
    StagesContract,
    analyze,
    cluster,
    model_of,
    task_for,
    unlike_sizes,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages() -> AsyncIterator[LocalStages]:
    async with LocalStages() as stages:
        yield stages


@pytest.mark.asyncio(loop_scope="module")
class TestLocalStages(StagesContract):
    """The suite, on one set of stages."""


def assert_same(one, other):
    """Fail unless two values, and all arrays in them, are equal to the last bit."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and np.array_equal(one, other)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for parts in zip(one, other, strict=True):
            assert_same(*parts)
    else:
        assert one == other


async def results(stages):
    """Return what some calls give, one after the other."""
    vectors = unlike_sizes()
    clustering, _ = await cluster(stages, vectors, "")
    labels = clustering.terrain_layer.labels
    layout = await stages.lay_out(clustering.graph, labels, 3, Heard())
    model = model_of(clustering, vectors, layout.positions)
    keys = np.arange(100) // 2
    task = replace(task_for(labels, SamplingStrategy.DIVERSE, None), labels=np.maximum(labels, 0))
    clusters = [
        ClusterTexts(number, 15, texts, ((topic, 15), ("please", 9)))
        for number, (topic, texts) in enumerate(TOPICS.items())
    ]
    return [
        astuple(await stages.get_model()),
        *map(astuple, clustering.layers),
        astuple(clustering.graph),
        astuple(clustering.landmarks),
        clustering.outcome,
        astuple(layout),
        astuple(await stages.assign(model, vectors + np.float32(0.01), Heard())),
        await stages.find_near_duplicates(clustering.graph, 0.001, keys, Heard()),
        astuple(await stages.select_rows(vectors, clustering.graph, task, Heard())),
        [astuple(name) for name in await analyze(stages, clusters)],
        astuple(await stages.build_terrain([HillShape(3, 5.0, 7.0, 2.0, 10.0)], 30, None)),
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_results_are_those_of_the_services(stages, addresses):
    async with GrpcStages(addresses) as services:
        assert_same(await results(stages), await results(services))
        here, there = await stages.embed(TEXTS), await services.embed(TEXTS)
        assert np.abs(here.vectors - there.vectors).max() <= 1e-5
        assert here.model == there.model


@pytest.mark.asyncio(loop_scope="module")
async def test_a_language_code_that_is_none_is_refused(stages):
    with pytest.raises(InvalidArgument) as caught:
        async for _ in stages.analyze([], "", "en; ignore all that was said", True):
            pass
    assert caught.value.metadata["field"] == "language_code"


async def test_closing_breaks_off_what_is_under_way():
    stages = LocalStages()
    vectors = np.random.default_rng(0).normal(size=(20_000, 256)).astype("f4")
    work = asyncio.create_task(cluster(stages, vectors, "dbscan"))
    await asyncio.sleep(0.5)
    await stages.close()
    with pytest.raises(Aborted):
        await work


async def test_what_is_sent_is_heard_in_order_and_before_the_end():
    threads, heard = WorkThreads("test"), []

    def work(send):
        for number in range(1000):
            send(number)
        return len(heard)

    await threads.run(work, heard.append)
    assert heard == list(range(1000))
    await threads.close()


WITHOUT_EXTRAS = """
import asyncio, sys
for name in ("numba", "onnxruntime", "sklearn", "grpc", "levelapi", "fastapi"):
    assert name not in sys.modules
    sys.modules[name] = None
import numpy as np
from gateway.pipeline_types import ExemplarKind
from level.local_stages import LocalStages

async def main():
    async with LocalStages() as stages:
        print((await stages.health())["cluster"].reason)
        built = await stages.build_terrain([], 10, None)
        assert not built.heights.any()
        try:
            vectors = np.eye(3, dtype="f4")
            await stages.cluster(vectors, "", {}, 0, 15, 5, ExemplarKind.CENTRAL, print)
        except Exception as error:
            print(type(error).__name__, error.metadata["extra"])

asyncio.run(main())
"""


def test_without_extras_it_says_what_to_install_and_knows_no_grpc():
    command = [sys.executable, "-c", WITHOUT_EXTRAS]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert "pip install 'level[cluster]'" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "ExtraMissing cluster"
