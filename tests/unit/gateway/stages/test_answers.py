"""What the client makes of the cluster service's messages, over real gRPC."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.pipeline_types import AssignModel, ExemplarKind
from gateway.stages import GrpcStages
from gateway.stages.answers import ClusterAnswer, LayOutAnswer
from gateway.stages.nesting import check_layers
from level_rpc.errors import Internal, Unavailable
from level_rpc.server import Service
from level_rpc.tensors import split_array
from level_rpc.testing import running_server
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelapi.cluster.v1 import cluster_service_pb2_grpc as grpc_code
from tests.support import small_services

SERVICE = Service(
    "levelapi.cluster.v1.ClusterService", grpc_code.add_ClusterServiceServicer_to_server
)
ROWS = 40


def vectors():
    """Return 40 rows of four topics."""
    texts = [f"topic{row % 3 % 2 + row % 2} message {row}" for row in range(ROWS)]
    return np.stack([small_services._vector(text) for text in texts]).astype("f4")


@pytest.fixture
async def stages(tmp_path):
    servicer = small_services.SmallCluster(small_services.Gate(tmp_path))
    address = f"unix:{tmp_path}/s"
    async with running_server(SERVICE, servicer, address=address):
        addresses = dict.fromkeys(("embedder", "cluster", "analyzer", "terrain"), address)
        async with GrpcStages(addresses) as stages:
            yield stages


def cluster(stages):
    return stages.cluster(vectors(), "", {}, 0, 15, 5, ExemplarKind.DIVERSE, lambda _: None)


async def test_every_layer_comes_with_its_clusters_and_landmarks(stages):
    clustering = await cluster(stages)
    fine, terrain = clustering.layers
    assert clustering.terrain_layer is terrain
    assert [one.cluster_id for one in terrain.clusters] == [0, 1, 2]
    assert [one.cluster_id for one in fine.clusters] == list(range(3, 3 + len(fine.clusters)))
    assert {one.stability for one in fine.clusters} == {0.75}
    assert clustering.landmarks.row_ids.tolist() == list(range(ROWS))
    assert clustering.landmarks.reaches.dtype == np.float32
    assert clustering.outcome["layer_reason"] == "topics are few"
    assert clustering.outcome["noise"] == {
        "count": 0,
        "reason": "no row is noise",
        "sparse_count": 0,
        "small_cluster_count": 0,
    }


async def test_labels_go_with_a_layout_and_quality_comes_back(stages):
    clustering = await cluster(stages)
    labels = clustering.terrain_layer.labels
    layout = await stages.lay_out(clustering.graph, labels, 0, lambda _: None)
    assert layout.positions.shape == (ROWS, 2)
    assert (layout.neighbor_preservation, layout.own_hill_fraction) == (0.5, 0.875)
    bare = await stages.lay_out(clustering.graph, None, 0, lambda _: None)
    assert bare.own_hill_fraction is None


async def test_drafts_come_only_to_those_who_want_them(stages):
    clustering = await cluster(stages)
    drafts = []
    labels = clustering.terrain_layer.labels
    layout = await stages.lay_out(clustering.graph, labels, 0, lambda _: None, drafts.append)
    assert [draft.shape for draft in drafts] == [(ROWS, 2)]
    assert not np.array_equal(drafts[0], layout.positions)


@pytest.mark.parametrize("has_positions", [True, False])
async def test_new_rows_are_assigned_with_a_stored_model(stages, has_positions):
    labels = np.arange(ROWS, dtype=np.int32)
    positions = np.stack([labels, -labels], axis=1).astype("f4") if has_positions else None
    model = AssignModel(vectors(), labels, np.full(ROWS, 0.1, "f4"), positions)
    heard = []
    rows = np.concatenate([vectors()[:7], -vectors()[:1]])
    assigned = await stages.assign(model, rows, heard.append)
    assert assigned.labels[:7].tolist() == list(range(7))
    assert assigned.labels[7] == -1 and assigned.nearest[7] >= 0
    assert assigned.strengths.shape == (8,)
    if has_positions:
        assert assigned.positions[:7].tolist() == positions[:7].tolist()
    else:
        assert assigned.positions is None
    assert heard == [0.5]


async def test_no_rows_are_assigned_to_nothing(stages):
    model = AssignModel(vectors(), np.zeros(ROWS, np.int32), np.ones(ROWS, np.float32))
    assigned = await stages.assign(model, vectors()[:0], lambda _: None)
    assert assigned.labels.shape == (0,)


def answer_of(sent):
    answer = ClusterAnswer(ROWS, small_services.DIMENSIONS, lambda _: None)
    for message in sent:
        answer.add(message)
    return answer


def test_an_answer_that_ends_early_is_none():
    sent = list(small_services._cluster_messages(vectors(), 5))
    assert len(answer_of(sent).finish().layers) == 2
    kinds = [message.WhichOneof("payload") for message in sent]
    last_layer = len(kinds) - kinds[::-1].index("layer") - 1
    for cut in (0, 1, kinds.index("layer"), last_layer, last_layer + 1):
        with pytest.raises(Unavailable, match="ended its answer early"):
            answer_of(sent[:cut]).finish()


def test_more_landmarks_than_rows_are_refused():
    blocks = list(split_array(np.arange(ROWS + 1)))
    landmarks = messages.Landmarks(row_ids=blocks[0])
    with pytest.raises(Internal, match="landmarks"):
        answer_of([messages.ClusterResponse(landmarks=landmarks)])


def test_a_layout_without_its_final_frame_is_none():
    answer = LayOutAnswer(4, lambda _: None, None)
    positions = np.zeros((4, 2), np.float32)
    answer.add(messages.LayOutResponse(frame=messages.LayoutFrame(frame_index=0)))
    for block in split_array(positions):
        answer.add(messages.LayOutResponse(positions=block))
    answer.add(messages.LayOutResponse(quality=messages.LayoutQuality()))
    with pytest.raises(Unavailable):
        answer.finish()


def swapped(layer, **changes):
    return replace(layer, clusters=tuple(replace(one, **changes) for one in layer.clusters))


def shifted(layer, by):
    return replace(
        layer,
        labels=layer.labels + by,
        clusters=tuple(replace(one, cluster_id=one.cluster_id + by) for one in layer.clusters),
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fine, terrain: (terrain, fine),
        lambda fine, terrain: (fine, replace(terrain, is_terrain_layer=False)),
        lambda fine, terrain: (replace(fine, is_terrain_layer=True), terrain),
        lambda fine, terrain: (shifted(fine, -1), terrain),
        lambda fine, terrain: (fine, shifted(terrain, 100)),
        lambda fine, terrain: (swapped(fine, parent_id=99), terrain),
        lambda fine, terrain: (swapped(fine, parent_id=0), terrain),
        lambda fine, terrain: (swapped(fine, parent_id=-1), terrain),
        lambda fine, terrain: (fine, swapped(terrain, parent_id=0)),
        lambda fine, terrain: (replace(fine, labels=np.full_like(fine.labels, -1)), terrain),
        lambda fine, terrain: (replace(fine, labels=fine.labels + 50), terrain),
        lambda fine, terrain: (fine, replace(terrain, layer_index=2)),
    ],
)
def test_layers_that_do_not_nest_are_refused(spoil):
    sent = small_services._cluster_messages(vectors(), 5)
    layers = answer_of(sent).finish().layers
    check_layers(layers)
    with pytest.raises(Internal, match="layers"):
        check_layers(spoil(*layers))
