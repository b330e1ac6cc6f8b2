"""Four small services: real gRPC servers of the real contract, with toys instead of models.

`python -m tests.support.small_services FOLDER embedder=unix:/path ...` serves some of them. They
stand for the services wherever a test must stop one at an exact moment and count its calls:

* each call adds a line `rpc pid` to FOLDER/calls;
* while FOLDER/hold-<rpc> exists, calls of that rpc wait before they answer; a number in the file
  lets that many calls pass first;
* while FOLDER/fail-<rpc> exists, they are refused with PARAMETER_INVALID and the file's text.

"Vectors" stands for each part of the answer of Embed; it is held as calls are, and not noted.

Texts begin with "topic<N>"; rows of one topic are one cluster. A token is a word.
"""

import asyncio
import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from level_rpc.errors import FailedPrecondition, InvalidArgument
from level_rpc.logs import configure_logging
from level_rpc.server import Service, ServiceHost
from level_rpc.tensors import ArrayAssembler, checksum, pack_tensor, split_array, unpack_tensor
from levelapi.analyzer.v1 import analyzer_service_pb2 as analyzer
from levelapi.analyzer.v1 import analyzer_service_pb2_grpc as analyzer_grpc
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelapi.cluster.v1 import cluster_service_pb2_grpc as cluster_grpc
from levelapi.embedder.v1 import embedder_service_pb2 as embedder
from levelapi.embedder.v1 import embedder_service_pb2_grpc as embedder_grpc
from levelapi.terrain.v1 import terrain_service_pb2_grpc as terrain_grpc
from terrain_svc.servicer import TerrainServicer
from tests.support.small_levelling import SmallLevelling

TOPICS = 4
DIMENSIONS = 64
MAX_TOKENS = 256
VECTORS_AT_ONCE = 100
FINGERPRINT = "toy-1"


class ParameterInvalid(InvalidArgument):
    reason = "PARAMETER_INVALID"


class ModelMismatch(FailedPrecondition):
    reason = "MODEL_MISMATCH"


class Gate:
    """What a folder says is to happen to calls, and where they are noted."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._counts = Counter()

    async def enter(self, rpc):
        with (self._folder / "calls").open("a") as calls:
            calls.write(f"{rpc} {os.getpid()}\n")
        refusal = self._folder / f"fail-{rpc}"
        if refusal.exists():
            raise ParameterInvalid(refusal.read_text())
        await self.wait(rpc)

    async def wait(self, rpc):
        self._counts[rpc] += 1
        while self._counts[rpc] > self._limit(rpc):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _limit(self, rpc):
        """Return how many calls may pass now."""
        try:
            return int((self._folder / f"hold-{rpc}").read_text())
        except FileNotFoundError:
            return self._counts[rpc]


class SmallEmbedder(embedder_grpc.EmbedderServiceServicer):
    """A vector says the topic of its text, and a little of the text itself."""

    def __init__(self, gate, fingerprint=FINGERPRINT):
        self._gate = gate
        self._fingerprint = fingerprint
        self._known = set()

    async def GetModel(self, request, context):
        return embedder.GetModelResponse(model=_model(self._fingerprint))

    async def Embed(self, requests, context):
        config = (await anext(aiter(requests))).config
        if config.expected_model_fingerprint not in ("", self._fingerprint):
            raise ModelMismatch("the loaded model is another one")
        texts = []
        async for request in requests:
            texts.extend(request.texts.texts)
        await self._gate.enter("Embed")
        yield embedder.EmbedResponse(model=_model(self._fingerprint))
        reads_whole = config.long_text_mode == embedder.LONG_TEXT_MODE_MEAN
        for start in range(0, len(texts), VECTORS_AT_ONCE):
            await self._gate.wait("Vectors")
            some = texts[start : start + VECTORS_AT_ONCE]
            yield embedder.EmbedResponse(vectors=self._embedded(some, start, reads_whole))

    def _embedded(self, texts, first_row_index, reads_whole):
        words = [text.split() for text in texts]
        long_count = sum(len(one) > MAX_TOKENS for one in words)
        read = [" ".join(one if reads_whole else one[:MAX_TOKENS]) for one in words]
        new = [text for text in read if text not in self._known]
        self._known.update(read)
        (block,) = split_array(np.stack([_vector(text) for text in read]))
        block.first_row_index = first_row_index
        block.crc32 = checksum(block)
        return embedder.VectorBlock(
            vectors=block,
            truncated_text_count=0 if reads_whole else long_count,
            chunked_text_count=long_count if reads_whole else 0,
            cached_text_count=len(texts) - len(new),
            token_count=sum(len(text.split()) for text in new),
        )


class SmallCluster(SmallLevelling, cluster_grpc.ClusterServiceServicer):
    """A row belongs to the topic that its vector says."""

    def __init__(self, gate):
        self._gate = gate

    async def CheckParameters(self, request, context):
        return cluster.CheckParametersResponse()

    async def Cluster(self, requests, context):
        config, vectors = None, None
        async for request in requests:
            if request.HasField("config"):
                config = request.config
                shape = (config.dimension_count,)
                vectors = ArrayAssembler("vectors", np.float32, config.row_count, shape)
            else:
                vectors.add(request.vectors)
        await self._gate.enter("Cluster")
        for message in _cluster_messages(vectors.finish(), config.exemplar_count):
            yield message

    async def LayOut(self, requests, context):
        config, labelled = None, 0
        async for request in requests:
            if request.HasField("config"):
                config = request.config
            if request.HasField("labels"):
                labelled += request.labels.tensor.shape[0]
        await self._gate.enter("LayOut")
        angles = np.arange(config.graph_shape.row_count) + config.random_seed
        if config.wants_drafts:
            for message in _frame(0, angles // 8):
                yield message
        for message in _frame(1, angles):
            yield message
        quality = cluster.LayoutQuality(neighbor_preservation=0.5)
        if config.has_labels and labelled == len(angles):
            quality.own_hill_fraction = 0.875
        yield cluster.LayOutResponse(quality=quality)

    async def Assign(self, requests, context):
        config, parts, rows = None, {}, []
        async for request in requests:
            match request.WhichOneof("payload"):
                case "config":
                    config = request.config
                case "model":
                    name = request.model.WhichOneof("array")
                    parts.setdefault(name, []).append(_unpacked(getattr(request.model, name)))
                case "vectors":
                    rows.append(_unpacked(request.vectors))
        await self._gate.enter("Assign")
        model = {name: np.concatenate(blocks) for name, blocks in parts.items()}
        vectors = np.concatenate(rows) if rows else np.zeros((0, config.dimension_count), "f4")
        yield cluster.AssignResponse(progress=cluster.Progress(fraction_done=0.5))
        for message in _assigned(model, vectors):
            yield message


class SmallAnalyzer(analyzer_grpc.AnalyzerServiceServicer):
    """The most frequent term is the name; then a "language model" puts it in capitals."""

    def __init__(self, gate):
        self._gate = gate

    async def AnalyzeClusters(self, requests, context):
        clusters = [request.cluster async for request in requests if request.HasField("cluster")]
        await self._gate.enter("AnalyzeClusters")
        for one in clusters:
            yield _analysis(one, one.term_counts[0].term, analyzer.LABEL_SOURCE_KEYWORDS)
        for one in clusters:
            if one.texts:
                await self._gate.enter("LanguageModel")
                name = one.texts[0].split()[0].upper()
                yield _analysis(one, name, analyzer.LABEL_SOURCE_LLM)


class SmallTerrain(TerrainServicer):
    """The real one, behind the gate."""

    def __init__(self, gate):
        super().__init__()
        self._gate = gate

    async def BuildTerrain(self, request, context):
        await self._gate.enter("BuildTerrain")
        async for message in super().BuildTerrain(request, context):
            yield message


SERVICES = {
    "embedder": (SmallEmbedder, embedder_grpc.add_EmbedderServiceServicer_to_server),
    "cluster": (SmallCluster, cluster_grpc.add_ClusterServiceServicer_to_server),
    "analyzer": (SmallAnalyzer, analyzer_grpc.add_AnalyzerServiceServicer_to_server),
    "terrain": (SmallTerrain, terrain_grpc.add_TerrainServiceServicer_to_server),
}


def _model(fingerprint):
    return embedder.Model(
        model_id="toy",
        fingerprint=fingerprint,
        dimension_count=DIMENSIONS,
        max_token_count=MAX_TOKENS,
        precision="float32",
    )


def _vector(text):
    digest = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=DIMENSIONS).digest(), "u1")
    # So much that texts of one topic are no near-duplicates: a proof could hold none of them out.
    vector = digest.astype(np.float32) / 850
    vector[int(text.split()[0].removeprefix("topic")) % TOPICS] += 1
    return vector / np.linalg.norm(vector)


def _cluster_messages(vectors, exemplar_count):
    topics = vectors[:, :TOPICS].argmax(axis=1)
    terrain = _ranked(topics)
    halves = _ranked(2 * topics + np.arange(len(topics)) // 8 % 2) + terrain.max() + 1
    yield cluster.ClusterResponse(progress=cluster.Progress(fraction_done=0.5))
    yield from _graph_messages(vectors)
    outcome = cluster.ClusterOutcome(
        algorithm="topics",
        reason="a toy",
        layer_count=2,
        layer_reason="topics are few",
        noise_reason="no row is noise",
    )
    yield cluster.ClusterResponse(outcome=outcome)
    yield from _layer_messages(0, halves, terrain, vectors, exemplar_count)
    yield from _layer_messages(1, terrain, np.full_like(terrain, -1), vectors, exemplar_count)
    reaches = np.full(len(vectors), 0.5, np.float32)
    blocks = zip(split_array(np.arange(len(vectors))), split_array(reaches), strict=True)
    for rows, reach in blocks:
        yield cluster.ClusterResponse(landmarks=cluster.Landmarks(row_ids=rows, reaches=reach))


def _ranked(groups):
    """Return the number of each row's group, the largest group first."""
    found, sizes = np.unique(groups, return_counts=True)
    order = found[np.argsort(-sizes, kind="stable")]
    return np.argsort(order)[np.searchsorted(np.sort(order), groups)].astype(np.int32)


def _layer_messages(layer_index, labels, parents, vectors, exemplar_count):
    first, count = int(labels.min()), len(np.unique(labels))
    layer = cluster.Layer(
        layer_index=layer_index,
        first_cluster_id=first,
        cluster_count=count,
        is_terrain_layer=first == 0,
    )
    yield cluster.ClusterResponse(layer=layer)
    for cluster_id in range(first, first + count):
        rows = np.flatnonzero(labels == cluster_id)
        yield cluster.ClusterResponse(
            cluster=cluster.Cluster(
                cluster_id=cluster_id,
                size=len(rows),
                centroid=pack_tensor(vectors[rows].mean(axis=0)),
                exemplar_row_ids=rows[:exemplar_count].tolist(),
                parent_id=int(parents[rows[0]]),
                stability=0.75,
            )
        )
    strengths = np.ones(len(labels), np.float32)
    blocks = zip(*(split_array(array) for array in (labels, labels, strengths)), strict=True)
    for label, nearest, strength in blocks:
        rows = cluster.RowBlock(labels=label, nearest=nearest, strengths=strength)
        yield cluster.ClusterResponse(rows=rows)


def _frame(frame_index, angles):
    frame = cluster.LayoutFrame(frame_index=frame_index, is_final=frame_index == 1)
    yield cluster.LayOutResponse(frame=frame)
    positions = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for block in split_array(positions):
        yield cluster.LayOutResponse(positions=block)


def _unpacked(block):
    return unpack_tensor(block.tensor)


def _assigned(model, vectors):
    """A row gets what the landmark nearest to it has, noise where that does not reach it."""
    if not len(vectors):
        return
    similarity = vectors @ model["vectors"].T
    found = similarity.argmax(axis=1)
    near = similarity.max(axis=1) >= 1 - model["reaches"][found]
    arrays = {
        "labels": np.where(near, model["labels"][found], -1).astype(np.int32),
        "nearest": model["labels"][found],
        "strengths": similarity.max(axis=1).clip(0, 1),
    }
    if "positions" in model:
        arrays["positions"] = model["positions"][found]
    blocks = {name: next(iter(split_array(array))) for name, array in arrays.items()}
    yield cluster.AssignResponse(rows=cluster.AssignedBlock(**blocks))


def _graph_messages(vectors):
    count, neighbors = len(vectors), 2
    indices = (np.arange(count)[:, None] + np.arange(1, neighbors + 1)) % count
    arrays = {
        "row_nodes": np.arange(count, dtype=np.int32),
        "indices": indices.astype(np.int32),
        "distances": np.full((count, neighbors), 0.5, np.float32),
    }
    shape = cluster.GraphShape(row_count=count, node_count=count, neighbor_count=neighbors)
    yield cluster.ClusterResponse(graph_shape=shape)
    for name, array in arrays.items():
        for block in split_array(array):
            yield cluster.ClusterResponse(graph=cluster.GraphBlock(**{name: block}))


def _analysis(one, label, source):
    analysis = analyzer.ClusterAnalysis(label=label, description=label, label_source=source)
    return analyzer.AnalyzeClustersResponse(cluster_id=one.cluster_id, analysis=analysis)


async def serve(folder, addresses):
    hosts = []  # a server that nobody refers to stops
    for name, address in addresses.items():
        servicer, add_to_server = SERVICES[name]
        service = Service(f"levelapi.{name}.v1.{name.title()}Service", add_to_server)
        hosts.append(ServiceHost(service, address))
        await hosts[-1].start()
        await hosts[-1].load(lambda servicer=servicer: servicer(Gate(folder)))
    await asyncio.Event().wait()


def main(folder, *addresses):
    configure_logging("small_services")
    asyncio.run(serve(folder, dict(address.split("=", 1) for address in addresses)))


if __name__ == "__main__":
    main(*sys.argv[1:])
