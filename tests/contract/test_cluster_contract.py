"""ClusterService as its protos describe it, to a client that knows nothing else."""

import re
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from tests.contract.stranger import Refusal, ask, converse, crc32

ROWS, DIMENSIONS, GROUPS = 300, 16, 4
VALUES = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}


def grouped_vectors() -> np.ndarray:
    """Return four tight groups of unlike sizes, some rows twice, as unit vectors."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(GROUPS, DIMENSIONS))
    sizes = [150, 80, 50, 20]
    vectors = np.repeat(centres, sizes, axis=0) + 0.1 * random.normal(size=(ROWS, DIMENSIONS))
    vectors[10:20] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[random.permutation(ROWS)].astype("<f4")


VECTORS = grouped_vectors()


@pytest.fixture
def service(connect):
    return connect("cluster")


@pytest.fixture
def part(contract):
    return contract.part("cluster")


@pytest.fixture
def client(service, part, tensors):
    return ClusterClient(service, part, tensors)


class ClusterClient:
    """Sends and reads Cluster, LayOut and Assign by hand."""

    def __init__(self, service, part, tensors):
        self.service, self.part, self.tensors = service, part, tensors

    def parameters(self, **values):
        return [
            self.part.Parameter(name=name, **{VALUES[type(value)]: value})
            for name, value in values.items()
        ]

    def config(self, row_count=ROWS, dimension_count=DIMENSIONS, parameters=(), **fields):
        config = self.part.ClusterConfig(
            row_count=row_count,
            dimension_count=dimension_count,
            parameters=self.parameters(**dict(parameters)),
            **fields,
        )
        return self.part.ClusterRequest(config=config)

    def rows(self, vectors, first_row_index=0):
        return self.part.ClusterRequest(vectors=self.tensors.block(vectors, first_row_index))

    def graph_blocks(self, graph):
        for name in ("row_nodes", "indices", "distances"):
            for block in self.tensors.blocks(getattr(graph, name)):
                yield self.part.GraphBlock(**{name: block})

    def graph_shape(self, graph):
        node_count, neighbor_count = graph.indices.shape
        return self.part.GraphShape(
            row_count=len(graph.row_nodes), node_count=node_count, neighbor_count=neighbor_count
        )

    def cluster(self, vectors=VECTORS, graph=None, **fields):
        """Return a whole answer, taken apart."""
        if graph is not None:
            fields["graph_shape"] = self.graph_shape(graph)
        requests = [self.config(*vectors.shape, **fields)]
        requests += [self.rows(vectors[:100]), self.rows(vectors[100:], 100)]
        if graph is not None:
            requests += [self.part.ClusterRequest(graph=one) for one in self.graph_blocks(graph)]
        return self.read(converse(self.service.Cluster, requests))

    def read(self, answers):
        said = [answer.WhichOneof("payload") for answer in answers]
        by_kind = {
            kind: [getattr(answer, kind) for answer in answers if answer.HasField(kind)]
            for kind in set(said)
        }
        layers = self.read_layers(answers)
        terrain = next(one for one in layers if one.layer.is_terrain_layer)
        marks = by_kind.get("landmarks", [])
        return SimpleNamespace(
            said=said,
            progress=by_kind.get("progress", []),
            graph=self.read_graph(by_kind) if "graph" in by_kind else None,
            outcome=by_kind["outcome"][0],
            layers=layers,
            **vars(terrain),
            landmarks=self.tensors.join(one.row_ids for one in marks),
            reaches=self.tensors.join(one.reaches for one in marks),
        )

    def read_layers(self, answers):
        layers = []
        for answer in answers:
            match answer.WhichOneof("payload"):
                case "layer":
                    layers.append(SimpleNamespace(layer=answer.layer, clusters=[], rows=[]))
                case "cluster":
                    layers[-1].clusters.append(answer.cluster)
                case "rows":
                    layers[-1].rows.append(answer.rows)
        for one in layers:
            for name in ("labels", "nearest", "strengths"):
                setattr(one, name, self.tensors.join(getattr(row, name) for row in one.rows))
        return layers

    def read_graph(self, by_kind):
        arrays = {
            name: self.tensors.join(
                getattr(block, name) for block in by_kind["graph"] if block.HasField(name)
            )
            for name in ("row_nodes", "indices", "distances")
        }
        shape = by_kind["graph_shape"][0]
        assert arrays["row_nodes"].shape == (shape.row_count,)
        assert arrays["indices"].shape == (shape.node_count, shape.neighbor_count)
        return SimpleNamespace(**arrays)

    def lay_out(self, graph, seed=0, wants_drafts=False, **arrays):
        """Return every frame, progress and quality; arrays are start_positions and so on."""
        has = {
            "start_positions": "has_start_positions",
            "labels": "has_labels",
            "fixed_rows": "has_fixed_rows",
        }
        config = self.part.LayOutConfig(
            graph_shape=self.graph_shape(graph),
            random_seed=seed,
            wants_drafts=wants_drafts,
            **{has[name]: True for name in arrays},
        )
        requests = [self.part.LayOutRequest(config=config)]
        requests += [self.part.LayOutRequest(graph=one) for one in self.graph_blocks(graph)]
        for name in has.keys() & arrays.keys():
            block = self.tensors.block(arrays[name])
            requests.append(self.part.LayOutRequest(**{name: block}))
        return self.read_layout(converse(self.service.LayOut, requests))

    def read_layout(self, answers):
        frames, blocks = [], []
        for answer in answers:
            if answer.HasField("frame"):
                frames.append(answer.frame)
                blocks.append([])
            elif answer.HasField("positions"):
                blocks[-1].append(answer.positions)
        assert [one.frame_index for one in frames] == list(range(len(frames)))
        assert [one.is_final for one in frames] == [False] * (len(frames) - 1) + [True]
        assert answers[-1].HasField("quality")
        return SimpleNamespace(
            frames=[self.tensors.join(one) for one in blocks],
            positions=self.tensors.join(blocks[-1]),
            progress=[answer.progress for answer in answers if answer.HasField("progress")],
            quality=answers[-1].quality,
        )

    def assign(self, model, vectors):
        """Return what new rows get; the model is arrays by the names of ModelBlock."""
        config = self.part.AssignConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            landmark_count=len(model["labels"]),
            has_positions="positions" in model,
        )
        requests = [self.part.AssignRequest(config=config)]
        for name in ("vectors", "labels", "reaches", "positions"):
            for block in self.tensors.blocks(model[name]) if name in model else ():
                part = self.part.ModelBlock(**{name: block})
                requests.append(self.part.AssignRequest(model=part))
        for block in self.tensors.blocks(vectors):
            requests.append(self.part.AssignRequest(vectors=block))
        answers = converse(self.service.Assign, requests)
        rows = [answer.rows for answer in answers if answer.HasField("rows")]
        names = ["labels", "nearest", "strengths", *(["positions"] if "positions" in model else [])]
        assert all(row.HasField("positions") == ("positions" in model) for row in rows)
        joined = {name: self.tensors.join(getattr(row, name) for row in rows) for name in names}
        return SimpleNamespace(said=[one.WhichOneof("payload") for one in answers], **joined)


def test_the_answer_comes_in_its_order(client):
    answer = client.cluster()
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


def test_clusters_and_rows_agree_in_every_layer(client, tensors):
    answer = client.cluster(algorithm="hdbscan")
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


def test_layers_are_nested_and_their_ids_unique(client):
    layers = client.cluster().layers
    assert [one.layer.is_terrain_layer for one in layers].count(True) == 1
    ids = sorted(one.cluster_id for layer in layers for one in layer.clusters)
    assert ids == list(range(len(ids)))
    for layer in layers:
        assert (layer.layer.first_cluster_id == 0) == layer.layer.is_terrain_layer
    for fine, coarse in pairwise(layers):
        parents = {one.cluster_id: one.parent_id for one in fine.clusters} | {-1: -1}
        assert [parents[label] for label in fine.labels] == coarse.labels.tolist()
    assert {one.parent_id for one in layers[-1].clusters} == {-1}


def test_exemplars_are_the_different_rows_nearest_to_the_centroid(client, tensors):
    answer = client.cluster(exemplar_count=3)
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


def test_diverse_exemplars_begin_with_the_most_central_row(client, part):
    kinds = (part.EXEMPLAR_KIND_CENTRAL, part.EXEMPLAR_KIND_DIVERSE)
    central, diverse = (client.cluster(exemplar_count=4, exemplar_kind=kind) for kind in kinds)
    assert np.array_equal(central.labels, diverse.labels)
    for one, other in zip(central.clusters, diverse.clusters, strict=True):
        assert other.exemplar_row_ids[0] == one.exemplar_row_ids[0]
        shown = VECTORS[list(other.exemplar_row_ids)]
        assert len(np.unique(shown, axis=0)) == 4


def test_the_graph_has_the_true_neighbours_of_each_distinct_vector(client):
    graph = client.cluster(neighbor_count=7).graph
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


def test_the_same_request_gives_the_same_answer(client):
    first, again = client.cluster(random_seed=3), client.cluster(random_seed=3)
    assert first.outcome == again.outcome
    assert first.clusters == again.clusters
    assert np.array_equal(first.labels, again.labels)


def test_a_stored_graph_gives_the_same_clusters(client):
    first = client.cluster()
    again = client.cluster(graph=first.graph)
    assert np.array_equal(first.labels, again.labels)
    assert first.clusters == again.clusters
    assert again.graph is None  # the caller has it


def test_rows_are_laid_out_near_their_neighbours(client):
    answer = client.cluster(algorithm="hdbscan")
    laid_out = client.lay_out(answer.graph, labels=answer.labels)
    positions = laid_out.positions
    assert positions.shape == (ROWS, 2) and positions.dtype == np.float32
    assert np.abs(positions).max() <= 1
    assert np.array_equal(positions, client.lay_out(answer.graph, labels=answer.labels).positions)
    _, first, of_row = np.unique(answer.graph.row_nodes, return_index=True, return_inverse=True)
    assert np.array_equal(positions[first][of_row], positions)
    assert laid_out.progress and len(laid_out.frames) == 1
    centres = [positions[answer.labels == one.cluster_id].mean(axis=0) for one in answer.clusters]
    gaps = np.linalg.norm(positions[:, None] - np.array(centres), axis=2)
    own = float((gaps.argmin(axis=1) == answer.labels)[answer.labels >= 0].mean())
    assert own > 0.95
    assert laid_out.quality.own_hill_fraction == pytest.approx(own, abs=1e-3)
    assert 0 < laid_out.quality.neighbor_preservation <= 1


def test_a_layout_without_labels_has_no_hills(client):
    laid_out = client.lay_out(client.cluster().graph)
    assert not laid_out.quality.HasField("own_hill_fraction")


def test_rough_layouts_come_first_when_they_are_wanted(client):
    graph = client.cluster().graph
    frames = client.lay_out(graph, wants_drafts=True).frames
    assert len(frames) > 1
    assert all(one.shape == (ROWS, 2) and np.isfinite(one).all() for one in frames)
    assert np.array_equal(frames[-1], client.lay_out(graph).positions)


def test_layout_may_begin_from_given_positions(client):
    graph = client.cluster().graph
    start = np.ascontiguousarray(client.lay_out(graph, seed=1).positions)
    moved = client.lay_out(graph, start_positions=start, seed=1).positions
    assert moved.shape == start.shape and np.isfinite(moved).all()


def test_fixed_rows_stay_where_they_start(client):
    graph = client.cluster().graph
    start = np.ascontiguousarray(client.lay_out(graph).positions * 30)
    fixed = (graph.row_nodes % 3 > 0).astype("u1")
    moved = client.lay_out(graph, start_positions=start, fixed_rows=fixed).positions
    assert moved[fixed == 1] == pytest.approx(start[fixed == 1], abs=1e-3)
    assert np.isfinite(moved).all()


def test_fixed_rows_without_a_start_are_refused(client):
    with pytest.raises(Refusal) as caught:
        client.lay_out(client.cluster().graph, fixed_rows=np.ones(ROWS, "u1"))
    assert (caught.value.code, caught.value.reason) == (INVALID, "FIELD_INVALID")


def stored_model(client, **arrays):
    """Return what Assign needs, and the clustering it is of."""
    answer = client.cluster(algorithm="hdbscan")
    rows = answer.landmarks
    assert rows.dtype == np.int64 and (np.diff(rows) > 0).all()
    assert answer.reaches.min() >= 0 and answer.reaches.max() <= 2
    model = {"vectors": VECTORS[rows], "labels": answer.labels[rows], "reaches": answer.reaches}
    return model | {name: array[rows] for name, array in arrays.items()}, answer


def test_new_rows_find_their_cluster_their_place_or_that_they_have_none(client):
    positions = client.lay_out(client.cluster().graph).positions
    model, answer = stored_model(client, positions=positions)
    near = VECTORS + np.float32(0.001)
    far = -VECTORS[:20]
    found = client.assign(model, np.concatenate([near, far]))
    assert found.said[-1] == "rows" and "progress" in found.said
    clustered = answer.labels >= 0
    assert (found.labels[:ROWS] == answer.labels)[clustered].mean() > 0.98
    assert (found.labels[ROWS:] == -1).all()
    assert (found.nearest >= 0).all()
    inside = found.labels >= 0
    assert np.array_equal(found.nearest[inside], found.labels[inside])
    assert found.strengths.min() >= 0 and found.strengths.max() <= 1
    assert found.positions.shape == (ROWS + 20, 2) and np.isfinite(found.positions).all()


def test_what_a_new_row_gets_does_not_depend_on_the_rows_beside_it(client):
    model, _ = stored_model(client)
    together = client.assign(model, VECTORS)
    for row in (0, 17, ROWS - 1):
        alone = client.assign(model, VECTORS[row : row + 1])
        assert alone.labels[0] == together.labels[row]
        assert alone.strengths[0] == together.strengths[row]


def test_a_model_of_other_dimensions_is_refused(client):
    model, _ = stored_model(client)
    with pytest.raises(Refusal) as caught:
        client.assign(model, VECTORS[:, 1:].copy())
    assert (caught.value.code, caught.value.reason) == (INVALID, "TENSOR_TYPE_MISMATCH")


def test_every_algorithm_says_what_it_takes_and_takes_it(client, service, part):
    algorithms = ask(service.ListAlgorithms, part.ListAlgorithmsRequest()).algorithms
    names = [one.name for one in algorithms]
    assert names[0] == "auto" and "dbscan" in names and len(names) == len(set(names))
    for algorithm in algorithms:
        assert algorithm.description
        for spec in algorithm.parameters:
            assert spec.description and spec.type
            assert spec.default_value.name == spec.name
        presets = [preset.parameters for preset in algorithm.presets]
        for parameters in [[], *presets]:
            request = part.CheckParametersRequest(algorithm=algorithm.name, parameters=parameters)
            checked = ask(service.CheckParameters, request).parameters
            assert {one.name for one in checked} <= {spec.name for spec in algorithm.parameters}
        answer = client.cluster(algorithm=algorithm.name)
        assert answer.outcome.reason
        assert algorithm.name in ("auto", answer.outcome.algorithm)


def test_numbers_out_of_range_are_refused_as_the_registry_says(service, part):
    for algorithm in ask(service.ListAlgorithms, part.ListAlgorithmsRequest()).algorithms:
        for spec in algorithm.parameters:
            if not spec.HasField("maximum"):
                continue
            is_whole = spec.type == part.PARAMETER_TYPE_INT
            over = (
                {"int_value": int(spec.maximum) + 1}
                if is_whole
                else {"float_value": spec.maximum + 1}
            )
            request = part.CheckParametersRequest(
                algorithm=algorithm.name, parameters=[part.Parameter(name=spec.name, **over)]
            )
            with pytest.raises(Refusal) as caught:
                ask(service.CheckParameters, request)
            assert (caught.value.code, caught.value.reason) == (
                "INVALID_ARGUMENT",
                "PARAMETER_INVALID",
            )
            assert caught.value.metadata["parameter"] == spec.name


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_end_in_some_clustering_and_some_layout(client, rows):
    vectors = VECTORS[:rows]
    requests = [client.config(*vectors.shape), client.rows(vectors)]
    answers = converse(client.service.Cluster, requests)
    answer = client.read(answers)
    assert len(answer.labels) == rows
    assert client.lay_out(answer.graph).positions.shape == (rows, 2)


def damaged(client):
    block = client.rows(VECTORS)
    block.vectors.crc32 ^= 1
    return [client.config(), block]


def with_nan(client):
    vectors = VECTORS.copy()
    vectors[17, 3] = np.nan
    return [client.config(), client.rows(vectors)]


def cut_short(client):
    block = client.rows(VECTORS)
    block.vectors.tensor.data = block.vectors.tensor.data[:-4]
    block.vectors.crc32 = crc32(block.vectors)
    return [client.config(), block]


def graph_not_announced(client):
    block = client.tensors.block(np.zeros(ROWS, "<i4"))
    graph = client.part.ClusterRequest(graph=client.part.GraphBlock(row_nodes=block))
    return [client.config(), graph]


INVALID = "INVALID_ARGUMENT"
ABUSES = {
    "no config first": (
        lambda c: [c.rows(VECTORS)],
        (INVALID, "CONFIG_NOT_FIRST", {"received": "vectors"}),
    ),
    "nothing at all": (lambda c: [], (INVALID, "CONFIG_NOT_FIRST", {"received": "nothing"})),
    "config twice": (
        lambda c: [c.config(), c.config()],
        (INVALID, "CONFIG_NOT_FIRST", {"received": "config"}),
    ),
    "a wrong checksum": (
        damaged,
        ("DATA_LOSS", "TENSOR_CHECKSUM_MISMATCH", {"array": "vectors", "first_row_index": "0"}),
    ),
    "too many rows": (
        lambda c: [c.config(ROWS - 1), c.rows(VECTORS)],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"array": "vectors", "expected_rows": "299"}),
    ),
    "an early end": (
        lambda c: [c.config(), c.rows(VECTORS[:100])],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"expected_rows": "300", "received_rows": "100"}),
    ),
    "a gap": (
        lambda c: [c.config(), c.rows(VECTORS[:100]), c.rows(VECTORS[200:], 200)],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"received_rows": "100"}),
    ),
    "not a number": (
        with_nan,
        (INVALID, "TENSOR_NOT_FINITE", {"array": "vectors", "row_index": "17"}),
    ),
    "data cut short": (
        cut_short,
        (INVALID, "TENSOR_SIZE_MISMATCH", {"expected_bytes": str(VECTORS.nbytes)}),
    ),
    "other dimensions": (
        lambda c: [c.config(dimension_count=DIMENSIONS + 1), c.rows(VECTORS)],
        (INVALID, "TENSOR_TYPE_MISMATCH", {}),
    ),
    "another element type": (
        lambda c: [c.config(), c.rows(VECTORS.astype("<f8"))],
        (INVALID, "TENSOR_TYPE_MISMATCH", {"expected": "float32", "received": "float64"}),
    ),
    "more than the service takes": (
        lambda c: [c.config(2_000_000_000, 1024)],
        ("RESOURCE_EXHAUSTED", "ARRAY_TOO_LARGE", {"array": "vectors"}),
    ),
    "a message of 5 MiB": (
        lambda c: [c.config(100_000), c.rows(np.ones((5 << 14, DIMENSIONS), "<f4"))],
        ("RESOURCE_EXHAUSTED", "", {}),
    ),
    "a block of 2 MiB": (
        lambda c: [c.config(100_000), c.rows(np.ones((2 << 14, DIMENSIONS), "<f4"))],
        (INVALID, "TENSOR_SIZE_MISMATCH", {}),
    ),
    "an unknown algorithm": (
        lambda c: [c.config(algorithm="magic"), c.rows(VECTORS)],
        (INVALID, "ALGORITHM_UNKNOWN", {"algorithm": "magic"}),
    ),
    "an unknown parameter": (
        lambda c: [c.config(algorithm="dbscan", parameters={"epsilon": 1.0}), c.rows(VECTORS)],
        (INVALID, "PARAMETER_INVALID", {"algorithm": "dbscan", "parameter": "epsilon"}),
    ),
    "a text for a number": (
        lambda c: [c.config(algorithm="dbscan", parameters={"eps": "wide"}), c.rows(VECTORS)],
        (INVALID, "PARAMETER_INVALID", {"parameter": "eps"}),
    ),
    "no rows": (
        lambda c: [c.config(0)],
        ("FAILED_PRECONDITION", "TOO_FEW_ROWS", {"row_count": "0"}),
    ),
    "a negative row count": (
        lambda c: [c.config(-5)],
        (INVALID, "FIELD_INVALID", {}),
    ),
    "eleven exemplars": (
        lambda c: [c.config(exemplar_count=11)],
        (INVALID, "FIELD_INVALID", {}),
    ),
    "a graph that was not announced": (graph_not_announced, (INVALID, "FIELD_INVALID", {})),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused_and_leaves_the_service_serving(abuse, client):
    requests, (code, reason, metadata) = ABUSES[abuse]
    with pytest.raises(Refusal) as caught:
        converse(client.service.Cluster, requests(client))
    refusal = caught.value
    assert (refusal.code, refusal.reason) == (code, reason), refusal
    assert metadata.items() <= refusal.metadata.items()
    assert len(client.cluster().labels) == ROWS


def test_a_graph_that_points_nowhere_is_refused(client):
    graph = client.cluster().graph
    graph.indices = np.full_like(graph.indices, 2**31 - 1)
    with pytest.raises(Refusal) as caught:
        client.lay_out(graph)
    assert caught.value.code == INVALID
    assert caught.value.reason


def test_gigabytes_that_are_claimed_and_never_sent_hold_nobody_up(client):
    def requests():
        yield client.config(500_000, 1024)  # two gigabytes
        yield client.part.ClusterRequest(vectors=client.tensors.block(np.ones((1, 1024), "<f4")))

    for _ in range(3):
        with pytest.raises(Refusal) as caught:
            converse(client.service.Cluster, requests())
        assert caught.value.reason == "TENSOR_ROWS_MISMATCH"
    assert len(client.cluster().labels) == ROWS


def test_cancelling_frees_the_service(client):
    """Minutes of work are cancelled; another call then computes at once."""
    vectors = np.random.default_rng(0).normal(size=(30_000, 256)).astype("<f4")
    config = client.config(*vectors.shape, algorithm="dbscan", parameters={"eps": 0.3})

    def requests():
        yield config
        for block in client.tensors.blocks(vectors):
            yield client.part.ClusterRequest(vectors=block)

    call = client.service.Cluster(requests())
    neighbors = client.part.Progress.STAGE_NEIGHBORS
    assert any(answer.progress.stage == neighbors for answer in call)
    call.cancel()
    with pytest.raises(grpc.RpcError):
        list(call)
    assert len(client.cluster().labels) == ROWS


def test_calls_beyond_the_queue_are_told_to_come_again(client):
    go_on = threading.Event()

    def held():
        yield client.config()
        go_on.wait(60)

    calls = [client.service.Cluster(held()) for _ in range(20)]
    admitted, refusals = [], []
    for call in calls:
        try:
            admitted.append(next(call))  # progress comes although nothing was sent
        except grpc.RpcError as error:
            refusals.append(Refusal(error))
    assert admitted and refusals
    assert {(one.code, one.reason) for one in refusals} == {("RESOURCE_EXHAUSTED", "QUEUE_FULL")}
    assert all(one.retry.retry_delay.seconds > 0 for one in refusals)
    assert {one.metadata["waiting"] for one in refusals} == {str(len(admitted) - 1)}
    go_on.set()
    for call in calls:
        call.cancel()
    assert len(when_there_is_room(client).labels) == ROWS


def when_there_is_room(client):
    """Return an answer as soon as the service has seen that the others are gone."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return client.cluster()
        except Refusal as refusal:
            if refusal.reason != "QUEUE_FULL" or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
