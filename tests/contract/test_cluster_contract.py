"""Cluster and ListAlgorithms as protos describe them, to a client that knows nothing else."""

import re
from itertools import pairwise

import numpy as np
import pytest

from tests.contract.cluster_client import GROUPS, VECTORS
from tests.contract.stranger import Refusal, ask, converse


def test_the_answer_comes_in_its_order(clusters):
    answer = clusters.cluster()
    told = [kind for kind in answer.said if kind != "progress"]
    layer = r"(layer )(cluster )+(rows )+"
    assert re.fullmatch(
        rf"graph_shape (graph )+outcome ({layer})+(landmarks )+", " ".join([*told, ""])
    )
    assert told.count("layer") == answer.outcome.layer_count
    assert [one.layer.layer_index for one in answer.layers] == list(range(len(answer.layers)))
    fractions = [one.fraction_done for one in answer.progress]
    assert fractions == sorted(fractions) and 0 <= fractions[0] and fractions[-1] <= 1
    elapsed = [one.elapsed.ToTimedelta() for one in answer.progress]
    assert elapsed == sorted(elapsed)
    assert all(one.stage for one in answer.progress)


def test_clusters_and_rows_agree_in_every_layer(clusters, tensors):
    answer = clusters.cluster(algorithm="hdbscan")
    assert answer.layer.cluster_count == GROUPS
    for layer in answer.layers:
        check_layer(layer, tensors)
        noise = layer.labels == -1
        assert np.array_equal(noise, answer.labels == -1)
        assert answer.outcome.noise_count == int(noise.sum())
    outcome = answer.outcome
    assert outcome.noise_count == outcome.sparse_count + outcome.small_cluster_count
    assert outcome.reason and outcome.layer_reason and outcome.noise_reason


def check_layer(answer, tensors):
    layer, labels = answer.layer, answer.labels
    first = layer.first_cluster_id
    assert [one.cluster_id for one in answer.clusters] == list(
        range(first, first + layer.cluster_count)
    )
    assert [one.size for one in answer.clusters] == [
        int((labels == one.cluster_id).sum()) for one in answer.clusters
    ]
    order = [(-one.size, int(np.argmax(labels == one.cluster_id))) for one in answer.clusters]
    assert order == sorted(order)
    inside = labels >= 0
    assert np.array_equal(answer.nearest[inside], labels[inside])
    assert answer.strengths.min() >= 0 and answer.strengths.max() <= 1
    for one in answer.clusters:
        rows = VECTORS[labels == one.cluster_id]
        centroid = tensors.unpack(one.centroid)
        mean = rows.mean(axis=0)
        assert centroid == pytest.approx(mean / np.linalg.norm(mean), abs=1e-4)
        assert one.spread == pytest.approx(float((1 - rows @ centroid).mean()), abs=1e-4)
        assert 0 <= one.stability <= 1


def test_layers_are_nested_and_their_ids_unique(clusters):
    layers = clusters.cluster().layers
    assert [one.layer.is_terrain_layer for one in layers].count(True) == 1
    ids = sorted(one.cluster_id for layer in layers for one in layer.clusters)
    assert ids == list(range(len(ids)))
    for layer in layers:
        assert (layer.layer.first_cluster_id == 0) == layer.layer.is_terrain_layer
    for fine, coarse in pairwise(layers):
        parents = {one.cluster_id: one.parent_id for one in fine.clusters} | {-1: -1}
        assert [parents[label] for label in fine.labels] == coarse.labels.tolist()
    assert {one.parent_id for one in layers[-1].clusters} == {-1}


def test_exemplars_are_the_different_rows_nearest_to_the_centroid(clusters, tensors):
    answer = clusters.cluster(exemplar_count=3)
    for one in answer.clusters:
        exemplars = list(one.exemplar_row_ids)
        assert len(exemplars) == 3
        assert set(answer.labels[exemplars]) == {one.cluster_id}
        nearness = VECTORS @ tensors.unpack(one.centroid)
        shown = nearness[exemplars]
        assert list(shown) == sorted(shown, reverse=True)
        assert len({VECTORS[row].tobytes() for row in exemplars}) == 3
        members = np.unique(VECTORS[answer.labels == one.cluster_id], axis=0)
        best = np.sort(members @ tensors.unpack(one.centroid))[::-1][:3]
        assert shown == pytest.approx(best, abs=1e-5)


def test_diverse_exemplars_begin_with_the_most_central_row(clusters):
    kinds = (clusters.part.EXEMPLAR_KIND_CENTRAL, clusters.part.EXEMPLAR_KIND_DIVERSE)
    central, diverse = (clusters.cluster(exemplar_count=4, exemplar_kind=kind) for kind in kinds)
    assert np.array_equal(central.labels, diverse.labels)
    for one, other in zip(central.clusters, diverse.clusters, strict=True):
        assert other.exemplar_row_ids[0] == one.exemplar_row_ids[0]
        shown = VECTORS[list(other.exemplar_row_ids)]
        assert len(np.unique(shown, axis=0)) == 4


def test_the_graph_has_the_true_neighbours_of_each_distinct_vector(clusters):
    graph = clusters.cluster(neighbor_count=7).graph
    distinct, first = np.unique(graph.row_nodes, return_index=True)
    nodes = VECTORS[first]
    assert len(distinct) == len(np.unique(VECTORS, axis=0)) == graph.indices.shape[0]
    assert np.array_equal(nodes[graph.row_nodes], VECTORS)
    assert graph.indices.shape[1] == 7
    assert not (graph.indices == distinct[:, None]).any()
    assert (np.diff(graph.distances, axis=1) >= -1e-6).all()
    all_distances = 1 - nodes @ nodes.T
    np.fill_diagonal(all_distances, np.inf)
    assert graph.distances == pytest.approx(np.sort(all_distances, axis=1)[:, :7], abs=1e-4)
    given = np.take_along_axis(all_distances, graph.indices.astype(int), axis=1)
    assert graph.distances == pytest.approx(given, abs=1e-4)


def test_the_same_request_gives_the_same_answer(clusters):
    first, again = clusters.cluster(random_seed=3), clusters.cluster(random_seed=3)
    assert first.outcome == again.outcome
    assert first.clusters == again.clusters
    assert np.array_equal(first.labels, again.labels)


def test_a_stored_graph_gives_the_same_clusters(clusters):
    first = clusters.cluster()
    again = clusters.cluster(graph=first.graph)
    assert np.array_equal(first.labels, again.labels)
    assert first.clusters == again.clusters
    assert again.graph is None  # the caller has it


def test_every_algorithm_says_what_it_takes_and_takes_it(clusters):
    algorithms = ask(
        clusters.service.ListAlgorithms, clusters.part.ListAlgorithmsRequest()
    ).algorithms
    names = [one.name for one in algorithms]
    assert names[0] == "auto" and "dbscan" in names and len(names) == len(set(names))
    for algorithm in algorithms:
        assert algorithm.description
        for spec in algorithm.parameters:
            assert spec.description and spec.type
            assert spec.default_value.name == spec.name
        presets = [preset.parameters for preset in algorithm.presets]
        for parameters in [[], *presets]:
            request = clusters.part.CheckParametersRequest(
                algorithm=algorithm.name, parameters=parameters
            )
            checked = ask(clusters.service.CheckParameters, request).parameters
            assert {one.name for one in checked} <= {spec.name for spec in algorithm.parameters}
        answer = clusters.cluster(algorithm=algorithm.name)
        assert answer.outcome.reason
        assert algorithm.name in ("auto", answer.outcome.algorithm)


def test_numbers_out_of_range_are_refused_as_the_registry_says(clusters):
    for algorithm in ask(
        clusters.service.ListAlgorithms, clusters.part.ListAlgorithmsRequest()
    ).algorithms:
        for spec in algorithm.parameters:
            if not spec.HasField("maximum"):
                continue
            is_whole = spec.type == clusters.part.PARAMETER_TYPE_INT
            over = (
                {"int_value": int(spec.maximum) + 1}
                if is_whole
                else {"float_value": spec.maximum + 1}
            )
            request = clusters.part.CheckParametersRequest(
                algorithm=algorithm.name,
                parameters=[clusters.part.Parameter(name=spec.name, **over)],
            )
            with pytest.raises(Refusal) as caught:
                ask(clusters.service.CheckParameters, request)
            assert (caught.value.code, caught.value.reason) == (
                "INVALID_ARGUMENT",
                "PARAMETER_INVALID",
            )
            assert caught.value.metadata["parameter"] == spec.name


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_end_in_some_clustering_and_some_layout(clusters, rows):
    vectors = VECTORS[:rows]
    requests = [clusters.config(*vectors.shape), clusters.rows(vectors)]
    answers = converse(clusters.service.Cluster, requests)
    answer = clusters.read(answers)
    assert len(answer.labels) == rows
    assert clusters.lay_out(answer.graph).positions.shape == (rows, 2)
