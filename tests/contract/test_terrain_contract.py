"""TerrainService as its protos describe it, to a client that knows nothing else."""

import math
import re

import numpy as np
import pytest

from tests.contract.stranger import Refusal, ask

GRID = 40
INVALID = "INVALID_ARGUMENT"


@pytest.fixture
def client(connect, contract, tensors):
    return TerrainClient(connect("terrain"), contract.part("terrain"), tensors)


class TerrainClient:
    def __init__(self, service, part, tensors):
        self.service, self.part, self.tensors = service, part, tensors

    def hills(self, *hills):
        return [
            self.part.Hill(cluster_id=number, x=x, z=z, radius=radius, height=height)
            for number, (x, z, radius, height) in enumerate(hills)
        ]

    def build(self, hills, grid_size=GRID, **fields):
        """Return the header and the height field."""
        request = self.part.BuildTerrainRequest(hills=hills, grid_size=grid_size, **fields)
        answers = ask(self.service.BuildTerrain, request)
        assert answers[0].WhichOneof("payload") == "header"
        heights = self.tensors.join(answer.heights for answer in answers[1:])
        assert heights.shape == (grid_size, grid_size) and heights.dtype == np.float32
        return answers[0].header, heights

    def measure(self, *groups):
        messages = [
            self.part.Group(cluster_id=cluster_id, row_count=rows, weight=weight)
            for cluster_id, rows, weight in groups
        ]
        return ask(self.service.Measure, self.part.MeasureRequest(groups=messages))

    def solve(self, sizes, target=None, limits=(), **fields):
        """Return the answer for clusters of these sizes; `limits` are fields of each cluster."""
        limits = limits or [{}] * len(sizes)
        clusters = [
            self.part.SolveCluster(cluster_id=number, row_count=size, **one)
            for number, (size, one) in enumerate(zip(sizes, limits, strict=True))
        ]
        request = self.part.SolveRequest(clusters=clusters, **fields)
        if target:
            request.target.CopyFrom(self.part.SolveTarget(**target))
        return ask(self.service.Solve, request)


TWO_HILLS = ((10.0, 12.0, 3.0, 10.0), (30.0, 25.0, 2.0, 4.0))


def test_the_ground_rises_where_the_hills_are(client):
    header, heights = client.build(client.hills(*TWO_HILLS))
    assert heights.max() == pytest.approx(10, abs=1e-3) and heights.min() >= 0
    assert np.unravel_index(heights.argmax(), heights.shape) == (12, 10)  # [z][x]
    assert heights[25, 30] > 2
    assert heights[0, GRID - 1] < 0.1
    assert header.height_scale > 0


def test_with_the_first_scale_a_lowered_hill_lowers_the_ground(client):
    header, before = client.build(client.hills(*TWO_HILLS))
    low = (TWO_HILLS[0], (*TWO_HILLS[1][:3], 1.0))
    again, after = client.build(client.hills(*low), height_scale=header.height_scale)
    assert again.height_scale == header.height_scale
    assert after[25, 30] == pytest.approx(before[25, 30] / 4, rel=0.05)
    assert after[12, 10] == pytest.approx(before[12, 10], rel=1e-3)
    high = (TWO_HILLS[0], (*TWO_HILLS[1][:3], 40.0))
    assert client.build(client.hills(*high), height_scale=header.height_scale)[1].max() > 10


def test_colours_belong_to_cluster_ids(client):
    header, _ = client.build(client.hills(*TWO_HILLS))
    assert [one.cluster_id for one in header.colors] == [0, 1]
    colors = [one.color for one in header.colors]
    assert len(set(colors)) == 2
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    alone, _ = client.build(client.hills(*TWO_HILLS)[1:])
    assert alone.colors[0].color == colors[1]


@pytest.mark.parametrize("grid_size", [2, 512])
def test_ground_of_any_size_without_hills_is_flat(client, grid_size):
    assert not client.build([], grid_size)[1].any()


def test_a_thousand_hills_on_a_large_grid(client):
    random = np.random.default_rng(0)
    hills = zip(*random.uniform(1, 500, (2, 1000)), [5.0] * 1000, [3.0] * 1000, strict=True)
    assert client.build(client.hills(*hills), 512)[1].max() == pytest.approx(10, abs=1e-2)


@pytest.mark.parametrize("grid_size", [-1, 0, 1, 2049])
def test_a_grid_of_no_size_is_refused(client, grid_size):
    with pytest.raises(Refusal) as caught:
        client.build([], grid_size)
    assert (caught.value.code, caught.value.reason) == (INVALID, "GRID_SIZE_INVALID")
    assert caught.value.metadata["grid_size"] == str(grid_size)


@pytest.mark.parametrize(
    "hill",
    [
        (math.nan, 1.0, 1.0, 1.0),
        (1.0, math.inf, 1.0, 1.0),
        (1.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0, -1.0),
        (1.0, 1.0, 1.0, math.nan),
        (-1.0, 1.0, 1.0, 1.0),
        (1.0, GRID, 1.0, 1.0),
    ],
)
def test_a_hill_that_is_none_is_refused(client, hill):
    with pytest.raises(Refusal) as caught:
        client.build(client.hills(TWO_HILLS[0], hill))
    assert (caught.value.code, caught.value.reason) == (INVALID, "HILL_INVALID")
    assert caught.value.metadata["cluster_id"] == "1"
    assert client.build([])[1].shape == (GRID, GRID)


@pytest.mark.parametrize("scale", [math.nan, math.inf, -1.0])
def test_a_scale_that_is_none_is_refused(client, scale):
    with pytest.raises(Refusal) as caught:
        client.build(client.hills(*TWO_HILLS), height_scale=scale)
    assert (caught.value.code, caught.value.reason) == (INVALID, "FIELD_INVALID")
    assert caught.value.metadata["field"] == "height_scale"


def test_too_many_hills_are_refused(client):
    with pytest.raises(Refusal) as caught:
        client.build(client.hills(*[TWO_HILLS[0]] * 20_001))
    assert caught.value.reason == "HILL_INVALID"


def test_a_message_over_the_limit_is_refused(client):
    with pytest.raises(Refusal) as caught:
        client.build(client.hills(*[TWO_HILLS[0]] * 150_000))
    assert caught.value.code == "RESOURCE_EXHAUSTED"


def test_figures_of_balance(client):
    answer = client.measure((0, 60, 1.0), (1, 30, 1.0), (2, 10, 1.0), (-1, 20, 1.0))
    # Effective sizes 10, 30, 60: 2 * (1*10 + 2*30 + 3*60) / (3 * 100) - 4/3.
    assert answer.gini == pytest.approx(1 / 3)
    assert answer.flatness == pytest.approx(1 / 2)
    assert answer.cluster_count == 3
    entropy = -sum(share * math.log(share) for share in (0.6, 0.3, 0.1))
    assert answer.effective_clusters == pytest.approx(math.exp(entropy))
    assert (answer.row_count, answer.noise_count) == (120, 20)
    assert answer.effective_sample_size == pytest.approx(120)
    assert (answer.design_effect, answer.max_repeat) == (1, 1)
    assert (answer.effective_sample_share, answer.dropped_row_count) == (1, 0)


def test_weights_have_their_cost(client):
    answer = client.measure((0, 50, 1.0), (1, 50, 3.0), (-1, 10, 0.0))
    assert answer.flatness == pytest.approx(0.5)
    assert (answer.row_count, answer.noise_count) == (100, 10)
    assert answer.effective_sample_size == pytest.approx(200**2 / (50 + 50 * 9))
    assert answer.design_effect == pytest.approx(100 / answer.effective_sample_size)
    assert answer.effective_sample_share == pytest.approx(answer.effective_sample_size / 110)
    assert (answer.dropped_row_count, answer.duplicate_count) == (10, 0)


def test_the_groups_of_a_cluster_are_summed(client):
    parts = client.measure((0, 10, 1.0), (1, 30, 1.0), (0, 20, 1.0), (-1, 5, 1.0), (-1, 5, 1.0))
    assert parts == client.measure((0, 30, 1.0), (1, 30, 1.0), (-1, 10, 1.0))
    assert (parts.cluster_count, parts.flatness, parts.noise_count) == (2, 1, 10)


@pytest.mark.parametrize(
    "groups",
    [
        [(0, 10, math.nan)],
        [(0, 10, -1.0)],
        [(0, -1, 1.0)],
    ],
)
def test_a_group_that_is_none_is_refused(client, groups):
    with pytest.raises(Refusal) as caught:
        client.measure(*groups)
    assert (caught.value.code, caught.value.reason) == (INVALID, "HILL_INVALID")
    assert client.measure((0, 1, 1.0)).flatness == 1


@pytest.mark.parametrize("groups", [[], [(-1, 10, 1.0)]])
def test_no_cluster_is_level(client, groups):
    answer = client.measure(*groups)
    assert (answer.gini, answer.flatness, answer.cluster_count) == (0, 1, 0)


def test_a_flatness_is_met_at_the_least_cost(client):
    answer = client.solve([300, 100], {"flatness": 0.8})
    assert not answer.unmet and answer.flatness == pytest.approx(0.8)
    assert [one.cluster_id for one in answer.clusters] == [0, 1]
    assert [one.size for one in answer.clusters] == pytest.approx([240, 160])
    assert [one.weight for one in answer.clusters] == pytest.approx([0.8, 1.6])
    assert answer.effective_sample_size == pytest.approx(400**2 / (300 * 0.64 + 100 * 2.56))
    assert answer.total == pytest.approx(400)
    assert not answer.clusters[0].HasField("row_count") and not answer.HasField("cost")


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ({"gini": 0.1}, [240, 160]),
        ({"alpha": 0.0}, [200, 200]),
        ({"alpha": 1.0}, [300, 100]),
    ],
)
def test_other_targets(client, target, sizes):
    answer = client.solve([300, 100], target)
    assert [one.size for one in answer.clusters] == pytest.approx(sizes)


def test_shares_by_cluster(client):
    shares = [client.part.ClusterShare(cluster_id=1, share=2.0)]
    answer = client.solve([300, 100], {"shares": client.part.ClusterShares(shares=shares)})
    assert [one.size for one in answer.clusters] == [0, 400]


def test_without_a_target_it_is_as_flat_as_pays_and_a_step_of_the_curve(client):
    answer = client.solve([500, 100, 20], curve_step_count=11)
    assert len(answer.curve) == 11
    assert answer.curve[answer.default_step].flatness == pytest.approx(answer.flatness)
    flatness = [step.flatness for step in answer.curve]
    sample = [step.effective_sample_size for step in answer.curve]
    assert flatness == sorted(flatness) and sample == sorted(sample, reverse=True)
    assert answer.curve[0].effective_sample_share == pytest.approx(1)


def test_whole_rows_of_a_budget_and_limits(client):
    limits = [{"upper": 30.0}, {"lower": 5.0, "upper": 5.0}, {}]
    answer = client.solve([500, 100, 20], limits=limits, total=50.0, whole_numbers=True)
    assert [one.row_count for one in answer.clusters] == [25, 5, 20]
    assert any("pinned" in sentence for sentence in answer.binding)


def test_costs_of_rows_are_not_more_than_wanted(client):
    limits = [{"row_cost": 40.0}, {"row_cost": 10.0}]
    answer = client.solve([500, 500], limits=limits, total=1_000.0, whole_numbers=True)
    assert 950 <= answer.cost <= 1_000


def test_what_cannot_be_met_is_said_and_the_nearest_is_given(client):
    answer = client.solve([300, 10], {"flatness": 1.0}, max_repeat=2.0)
    assert len(answer.unmet) == 1 and "max_repeat" in answer.unmet[0]
    assert [one.size for one in answer.clusters] == pytest.approx([290, 20])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"total": math.nan}, "total"),
        ({"total": 0.0}, "total"),
        ({"max_repeat": 0.5}, "max_repeat"),
        ({"target": {"flatness": 2.0}}, "target.value"),
        ({"limits": [{"lower": math.nan}, {}]}, "lower"),
        ({"limits": [{"lower": 2.0, "upper": 1.0}, {}]}, "lower"),
        ({"limits": [{"row_cost": 1.0}, {}]}, "row_costs"),
        ({"curve_step_count": 1}, "curve_step_count"),
        ({"curve_step_count": 201}, "curve_step_count"),
    ],
)
def test_a_problem_that_is_none_is_refused(client, fields, field):
    with pytest.raises(Refusal) as caught:
        client.solve([300, 100], **fields)
    assert (caught.value.code, caught.value.reason) == (INVALID, "FIELD_INVALID")
    assert caught.value.metadata["field"] == field


def test_too_many_clusters_are_refused(client):
    with pytest.raises(Refusal) as caught:
        client.solve([1] * 20_001)
    assert (caught.value.reason, caught.value.metadata["field"]) == ("FIELD_INVALID", "clusters")
