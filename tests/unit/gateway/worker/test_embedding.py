"""The embedding stage with real, small embedders on free ports."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.embedded_texts import BLOCKS, LongTexts
from gateway.stages import GrpcStages
from gateway.status_view import status_view
from gateway.store import DatasetStore
from gateway.worker.embedding import BLOCKS_AHEAD, TextNotEmbeddable
from gateway.worker.pipeline import Pipeline
from gateway.worker.vector_file import ModelsDiffer, VectorFile
from level_rpc.errors import InvalidArgument, Unavailable
from level_rpc.server import Service, ServiceHost
from tests.support.small_services import FINGERPRINT, SERVICES, Gate, SmallEmbedder
from tests.support.worker_rig import accept

ROW_COUNT = 9_000
SERVICE = Service("levelapi.embedder.v1.EmbedderService", SERVICES["embedder"][1])


def source_of(row_count=ROW_COUNT, ending=""):
    rows = [f'{row},"topic{row % 4} message {row}{ending}"' for row in range(row_count)]
    return "\n".join(["id,text", *rows]).encode()


class Embedder:
    """One embedder, which can be held and stopped."""

    def __init__(self, folder, fingerprint):
        folder.mkdir()
        self._folder = folder
        self._servicer = SmallEmbedder(Gate(folder), fingerprint)
        self._host = ServiceHost(SERVICE, "127.0.0.1:0")

    async def start(self):
        await self._host.start()
        await self._host.load(lambda: self._servicer)
        return self._host.address

    async def stop(self):
        await self._host.stop(grace_seconds=0)

    def hold(self, rpc, after=0):
        (self._folder / f"hold-{rpc}").write_text(str(after))

    def release(self, rpc):
        (self._folder / f"hold-{rpc}").unlink()

    @property
    def calls(self):
        calls = self._folder / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


class Desk:
    """A store, embedders and what a worker does of the first stage."""

    def __init__(self, folder):
        self._folder = folder
        self.database = Database(f"sqlite:///{folder}/level.sqlite")
        self.database.create_tables()
        self.store, self.artifacts = DatasetStore(self.database), ArtifactStore(folder / "data")
        self.embedders = []

    @asynccontextmanager
    async def running(self, *fingerprints, calls=0, patience_seconds=20.0):
        """Give a pipeline whose embedders have models of these fingerprints."""
        start = len(self.embedders)
        self.embedders += [
            Embedder(self._folder / f"embedder-{start + number}", fingerprint)
            for number, fingerprint in enumerate(fingerprints)
        ]
        started = self.embedders[start:]
        address = ",".join([await embedder.start() for embedder in started])
        names = ("embedder", "cluster", "analyzer", "terrain")
        async with GrpcStages(dict.fromkeys(names, address)) as stages:
            yield Pipeline(self.store, self.artifacts, stages, patience_seconds, calls)
        await asyncio.gather(*(embedder.stop() for embedder in started))

    def add(self, source, **parameters):
        return accept(self.store, self.artifacts, source, **parameters)

    def view(self, dataset_id):
        return status_view(self.store.get(dataset_id), 0)

    def rows_done(self, dataset_id):
        return (self.view(dataset_id)["embedding"] or {"rows_done": 0})["rows_done"]

    def checksum(self, dataset_id):
        return self.store.get(dataset_id).artifacts["vectors"].checksum

    @property
    def calls(self):
        return sum(embedder.calls for embedder in self.embedders)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The checksum of the vectors that one embedder gives, called once at a time."""
    desk = Desk(tmp_path_factory.mktemp("alone"))

    async def embed():
        dataset_id = desk.add(source_of())
        async with desk.running(FINGERPRINT, calls=1) as pipeline:
            await pipeline.embed(dataset_id)
        return desk.checksum(dataset_id)

    try:
        return asyncio.run(embed())
    finally:
        assert desk.calls == BLOCKS
        desk.database.close()


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_blocks_are_spread_over_embedders_and_put_back_in_order(desk, expected):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, FINGERPRINT) as pipeline:
        await pipeline.embed(dataset_id)
    assert desk.checksum(dataset_id) == expected
    assert desk.calls == BLOCKS
    assert all(embedder.calls for embedder in desk.embedders)


@pytest.mark.parametrize(("calls", "at_once"), [(0, 4), (3, 3)])
async def test_so_many_calls_are_under_way_and_no_more(desk, calls, at_once):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, FINGERPRINT, calls=calls) as pipeline:
        for embedder in desk.embedders:
            embedder.hold("Embed")
        working = asyncio.create_task(pipeline.embed(dataset_id))
        await until(lambda: desk.calls == at_once)
        await asyncio.sleep(0.1)
        assert desk.calls == at_once
        for embedder in desk.embedders:
            embedder.release("Embed")
        await working


async def test_blocks_of_an_embedder_that_dies_are_sent_to_the_other(desk, expected):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, FINGERPRINT) as pipeline:
        dying, other = desk.embedders
        dying.hold("Vectors", after=3)  # parts of the first answer, of eight
        working = asyncio.create_task(pipeline.embed(dataset_id))
        # The other's go on meanwhile, until too many wait for the block that does not come.
        await until(lambda: other.calls >= 2 + BLOCKS_AHEAD)
        assert not working.done()
        held = dying.calls
        await dying.stop()
        await working
    assert desk.checksum(dataset_id) == expected
    assert (dying.calls, desk.calls) == (held, BLOCKS + held)


async def test_without_any_embedder_left_the_patience_ends(desk):
    dataset_id = desk.add(source_of(60))
    async with desk.running(FINGERPRINT, patience_seconds=0) as pipeline:
        desk.embedders[0].hold("Embed")
        working = asyncio.create_task(pipeline.embed(dataset_id))
        await until(lambda: desk.calls == 1)
        await desk.embedders[0].stop()
        with pytest.raises(Unavailable):
            await working


async def test_embedders_of_different_models_are_refused(desk):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, "toy-2") as pipeline:
        with pytest.raises(ModelsDiffer, match="toy, and an embedder has another model"):
            await pipeline.embed(dataset_id)


async def test_a_model_that_changed_since_the_last_block_is_refused(desk):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, calls=1) as pipeline:
        await broken_off(desk, pipeline, dataset_id)
    async with desk.running("toy-2") as pipeline:
        with pytest.raises(ModelsDiffer):
            await pipeline.embed(dataset_id)


async def test_a_text_without_a_vector_is_named_by_its_first_row_in_the_file(desk, monkeypatch):
    embed = GrpcStages.embed

    async def embed_all_but_one(self, texts, *options, **more):
        if "bad" in texts:
            row = {"row_index": str(texts.index("bad"))}
            raise InvalidArgument.rebuild("no vector", "TEXT_NOT_EMBEDDABLE", row, None)
        return await embed(self, texts, *options, **more)

    monkeypatch.setattr(GrpcStages, "embed", embed_all_but_one)
    texts = ["same"] * 300 + [f"message {row}" for row in range(700)] + ["bad", "last", "bad"]
    rows = [f"{row},{text}" for row, text in enumerate(texts)]
    dataset_id = desk.add("\n".join(["id,text", *rows]).encode())
    async with desk.running(FINGERPRINT) as pipeline:
        with pytest.raises(TextNotEmbeddable, match="row 1000 ") as raised:
            await pipeline.embed(dataset_id)
    assert raised.value.metadata == {"row_id": "1000"}


async def broken_off(desk, pipeline, dataset_id):
    """Break an embedding, of one call at a time, off after five blocks."""
    desk.embedders[0].hold("Embed", after=5)
    working = asyncio.create_task(pipeline.embed(dataset_id))
    folder = desk.artifacts.dataset_dir(dataset_id)
    await until(lambda: VectorFile(folder).so_far.counts.row_count == 5 * ROW_COUNT // BLOCKS)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    desk.embedders[0].release("Embed")


async def test_it_goes_on_at_the_last_whole_block_with_any_number_of_embedders(desk, expected):
    dataset_id = desk.add(source_of())
    async with desk.running(FINGERPRINT, calls=1) as pipeline:
        await broken_off(desk, pipeline, dataset_id)
        shown = desk.rows_done(dataset_id)
    before = desk.calls
    async with desk.running(FINGERPRINT, FINGERPRINT) as pipeline:
        await pipeline.embed(dataset_id)
    assert desk.calls - before == BLOCKS - 5
    assert desk.checksum(dataset_id) == expected
    assert shown <= desk.rows_done(dataset_id) == ROW_COUNT


async def test_progress_goes_on_within_a_call(desk):
    dataset_id = desk.add(source_of(1_000))
    async with desk.running(FINGERPRINT, calls=1) as pipeline:
        (embedder,) = desk.embedders
        embedder.hold("Vectors", after=2)
        working = asyncio.create_task(pipeline.embed(dataset_id))
        await until(lambda: desk.rows_done(dataset_id) == 200)
        view = desk.view(dataset_id)
        assert (embedder.calls, view["stage"], view["progress"]) == (1, "embedding", 14)
        assert view["embedding"]["row_count"] == 1_000
        assert view["embedding"]["token_count"] == 600
        embedder.release("Vectors")
        await working
    done = desk.view(dataset_id)["embedding"]
    assert (done["rows_done"], done["seconds_left"], done["token_count"]) == (1_000, 0.0, 3_000)
    assert done["rows_per_second"] > 0
    assert (done["cached_count"], done["cache_hit_rate"]) == (0, 0.0)


async def test_texts_embedded_before_come_from_the_cache(desk):
    async with desk.running(FINGERPRINT) as pipeline:
        for _ in range(2):
            dataset_id = desk.add(source_of(200))
            await pipeline.embed(dataset_id)
    shown = desk.view(dataset_id)["embedding"]
    assert (shown["cached_count"], shown["cache_hit_rate"], shown["token_count"]) == (200, 1.0, 0)
    assert desk.view(dataset_id)["model"]["precision"] == "float32"
    totals = desk.store.embedding_totals()
    assert (totals["row_count"], totals["cached_count"]) == (400, 200)


@pytest.mark.parametrize(
    ("mode", "counts", "said"),
    [
        (LongTexts.TRUNCATE, (60, 0), ["60 of 60 different texts are longer", "long_texts=mean"]),
        (LongTexts.MEAN, (0, 60), []),
    ],
)
async def test_long_texts_are_read_as_the_upload_asked_and_counted(desk, mode, counts, said):
    dataset_id = desk.add(source_of(60, " word" * 300), long_texts=mode)
    async with desk.running(FINGERPRINT) as pipeline:
        await pipeline.embed(dataset_id)
    view = desk.view(dataset_id)
    assert view["parameters"]["long_texts"] == mode
    assert (view["truncated_count"], view["chunked_count"]) == counts
    warnings = " ".join(view["warnings"])
    assert bool(warnings) == bool(said) and all(words in warnings for words in said)
