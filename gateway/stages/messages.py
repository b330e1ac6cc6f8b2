"""Domain values to messages and back; one function for each type."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.embedded_texts import ModelInfo
from gateway.pipeline_types import (
    AssignModel,
    ClusterStats,
    ClusterTexts,
    ExemplarKind,
    HillShape,
    NameOutcome,
    NeighborGraph,
    ParameterValue,
)
from level_rpc.tensors import split_array
from level_rpc.texts import prepare_text
from levelapi.analyzer.v1 import analyzer_service_pb2 as analyzer
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelapi.embedder.v1 import embedder_service_pb2 as embedder
from levelapi.errors.v1 import error_reason_pb2 as errors
from levelapi.terrain.v1 import terrain_service_pb2 as terrain

MAX_BLOCK_BYTES = 1 << 20
EXEMPLAR_KINDS = {
    ExemplarKind.CENTRAL: cluster.EXEMPLAR_KIND_CENTRAL,
    ExemplarKind.DIVERSE: cluster.EXEMPLAR_KIND_DIVERSE,
}


def text_blocks(texts: Sequence[str]) -> Iterator[Any]:
    """Yield messages of consecutive texts, each at most 1 MiB."""
    block = embedder.TextBlock(first_row_index=0)
    block_bytes = 0
    for row, text in enumerate(texts):
        cut, encoded, was_cut = prepare_text(text)
        byte_count = len(encoded) + 8
        if block.texts and block_bytes + byte_count > MAX_BLOCK_BYTES:
            yield block
            block, block_bytes = embedder.TextBlock(first_row_index=row), 0
        block.texts.append(cut)
        block.truncated_text_count += was_cut
        block_bytes += byte_count
    if block.texts:
        yield block


async def embed_requests(config: Any, texts: Sequence[str]) -> AsyncIterator[Any]:
    """Yield the config, then texts."""
    yield embedder.EmbedRequest(config=config)
    for block in text_blocks(texts):
        yield embedder.EmbedRequest(texts=block)


async def cluster_requests(config: Any, vectors: NDArray[np.float32]) -> AsyncIterator[Any]:
    """Yield the config, then vectors."""
    yield cluster.ClusterRequest(config=config)
    for block in split_array(vectors):
        yield cluster.ClusterRequest(vectors=block)


def graph_messages(graph: NeighborGraph) -> Iterator[Any]:
    """Yield the arrays of a graph as messages."""
    for name in ("row_nodes", "indices", "distances"):
        for block in split_array(getattr(graph, name)):
            yield cluster.GraphBlock(**{name: block})


async def layout_requests(
    config: Any, graph: NeighborGraph, labels: NDArray[np.int32] | None
) -> AsyncIterator[Any]:
    """Yield the config, then the graph, then labels where there are some."""
    yield cluster.LayOutRequest(config=config)
    for part in graph_messages(graph):
        yield cluster.LayOutRequest(graph=part)
    if labels is not None:
        for block in split_array(labels):
            yield cluster.LayOutRequest(labels=block)


async def assign_requests(
    config: Any, model: AssignModel, vectors: NDArray[np.float32]
) -> AsyncIterator[Any]:
    """Yield the config, then the model, then the new vectors."""
    yield cluster.AssignRequest(config=config)
    for name in ("vectors", "labels", "reaches", "positions"):
        array = getattr(model, name)
        for block in () if array is None else split_array(array):
            yield cluster.AssignRequest(model=cluster.ModelBlock(**{name: block}))
    for block in split_array(vectors):
        yield cluster.AssignRequest(vectors=block)


async def analyze_requests(config: Any, clusters: Sequence[ClusterTexts]) -> AsyncIterator[Any]:
    """Yield the config, then clusters."""
    yield analyzer.AnalyzeClustersRequest(config=config)
    for one in clusters:
        counts = [analyzer.TermCount(term=term, count=count) for term, count in one.term_counts]
        texts = analyzer.ClusterTexts(
            cluster_id=one.cluster_id,
            row_count=one.row_count,
            texts=[prepare_text(text)[0] for text in one.texts],
            term_counts=counts,
        )
        yield analyzer.AnalyzeClustersRequest(cluster=texts)


def to_model(message: Any) -> ModelInfo:
    """Return the model that a message describes."""
    return ModelInfo(**{name: getattr(message, name) for name in ModelInfo.__dataclass_fields__})


def to_parameters(values: dict[str, ParameterValue]) -> list[Any]:
    """Return named values as messages."""
    fields = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}
    messages = []
    for name, value in values.items():
        message = cluster.Parameter(name=name)
        setattr(message, fields[type(value)], value)
        messages.append(message)
    return messages


def from_parameters(parameters: Any) -> dict[str, ParameterValue]:
    """Return the named values of messages; those without a value are left out."""
    return {
        parameter.name: getattr(parameter, kind)
        for parameter in parameters
        if (kind := parameter.WhichOneof("value"))
    }


def to_graph_shape(graph: NeighborGraph) -> Any:
    """Return the size of a graph as a message."""
    return cluster.GraphShape(
        row_count=len(graph.row_nodes),
        node_count=graph.indices.shape[0],
        neighbor_count=graph.indices.shape[1],
    )


def to_outcome_dict(outcome: Any) -> dict[str, Any]:
    """Return what was done and why, as JSON values."""
    curve = [
        {
            "eps": point.eps,
            "cluster_count": point.cluster_count,
            "noise_fraction": point.noise_fraction,
            "largest_cluster_fraction": point.largest_cluster_fraction,
        }
        for point in outcome.eps_curve
    ]
    return {
        "algorithm": outcome.algorithm,
        "reason": outcome.reason,
        "parameters": from_parameters(outcome.parameters),
        "noise_count": outcome.noise_count,
        "noise": {
            "count": outcome.noise_count,
            "reason": outcome.noise_reason,
            "sparse_count": outcome.sparse_count,
            "small_cluster_count": outcome.small_cluster_count,
        },
        "layer_count": outcome.layer_count,
        "layer_reason": outcome.layer_reason,
        "graph_recall": outcome.graph_recall,
        "eps_curve": curve,
    }


def to_cluster_stats(message: Any) -> ClusterStats:
    """Return the cluster that a message describes."""
    return ClusterStats(
        cluster_id=message.cluster_id,
        size=message.size,
        spread=message.spread,
        exemplar_row_ids=tuple(message.exemplar_row_ids),
        parent_id=message.parent_id,
        stability=message.stability if message.HasField("stability") else None,
    )


def to_outcome(answer: Any) -> NameOutcome:
    """Return the name, or the reason for none, that a message carries."""
    if answer.WhichOneof("outcome") == "failure":
        reason = errors.ErrorReason.Name(answer.failure.reason)
        failure = reason.removeprefix("ERROR_REASON_")
        return NameOutcome(answer.cluster_id, failure=failure)
    analysis = answer.analysis
    source = analyzer.LabelSource.Name(analysis.label_source)
    return NameOutcome(
        cluster_id=answer.cluster_id,
        label=analysis.label,
        description=analysis.description,
        keywords=tuple(analysis.keywords),
        label_source=source.removeprefix("LABEL_SOURCE_").lower(),
    )


def to_hill(hill: HillShape) -> Any:
    """Return a hill as a message."""
    return terrain.Hill(
        cluster_id=hill.cluster_id, x=hill.x, z=hill.z, radius=hill.radius, height=hill.height
    )
