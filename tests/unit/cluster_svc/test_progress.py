import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_svc.progress import Progress, Stage, StageProgress, part_of
from cluster_svc.registry import ALGORITHMS
from cluster_svc.servicer.clock import ProgressClock
from cluster_svc.workload import Workload, expected_seconds, receiving_share

SECONDS = {Stage.NEIGHBORS: 6.0, Stage.CLUSTERS: 3.0, Stage.STATISTICS: 1.0}


def test_stages_share_the_whole_by_their_time():
    told = []
    stages = StageProgress(SECONDS, told.append)
    for stage in SECONDS:
        report = stages.begin(stage)
        report(1.0)
    assert [round(progress.fraction, 6) for progress in told] == [0, 0.6, 0.6, 0.9, 0.9, 1]
    assert [round(progress.stage_end, 6) for progress in told] == [0.6, 0.6, 0.9, 0.9, 1, 1]


def test_frequent_reports_are_thinned_out():
    told = []
    report = StageProgress(SECONDS, told.append).begin(Stage.NEIGHBORS)
    for step in range(1, 1000):
        report(step / 1000)
    assert len(told) < 100


def test_a_part_of_a_stage_reports_within_it():
    told = []
    report = part_of(told.append, 0.4, 1.0)
    report(0.0)
    report(0.5)
    report(1.0)
    assert told == pytest.approx([0.4, 0.7, 1.0])


@given(
    st.integers(1, 10**7),
    st.integers(1, 4096),
    st.integers(2, 200),
    st.sampled_from(["", *ALGORITHMS]),
    st.booleans(),
)
def test_every_stage_of_every_workload_takes_some_time(rows, dimensions, k, algorithm, has_graph):
    work = Workload(rows, dimensions, k, algorithm, has_graph)
    assert all(seconds > 0 for seconds in expected_seconds(work).values())
    assert 0 < receiving_share(work) < 1


class Time:
    """A clock that a test moves."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_progress_goes_on_at_the_speed_so_far_up_to_the_end_of_the_stage():
    time = Time()
    clock = ProgressClock(time)
    clock.message(Progress(Stage.NEIGHBORS, 0.0, 0.5))
    time.seconds = 10
    assert clock.message(Progress(Stage.CLUSTERS, 0.5, 0.7)).fraction_done == pytest.approx(0.5)
    time.seconds = 12
    assert clock.message(None).fraction_done == pytest.approx(0.6)
    time.seconds = 100
    later = clock.message(None)
    assert later.fraction_done == pytest.approx(0.7)
    assert later.elapsed.seconds == 100


def test_progress_stands_while_a_call_waits():
    time = Time()
    clock = ProgressClock(time)
    clock.message(Progress(Stage.RECEIVING, 0.02, 0.05))
    clock.message(Progress(Stage.QUEUED, 0.05, 0.05))
    time.seconds = 60
    assert clock.message(None).fraction_done == pytest.approx(0.05)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 5), st.booleans()), max_size=20
    )
)
def test_progress_never_falls_nor_leaves_its_range(news):
    time = Time()
    clock = ProgressClock(time)
    told = []
    for fraction, end, seconds, is_silent in news:
        time.seconds += seconds
        event = None if is_silent else Progress(Stage.LAYOUT, fraction, max(fraction, end))
        told.append(clock.message(event).fraction_done)
    assert told == sorted(told)
    assert all(0 <= fraction <= 1 for fraction in told)
