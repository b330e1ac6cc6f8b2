"""How far an embedding is: it never falls, whatever calls do, and its rate is that of late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedded_texts import TextCounts
from gateway.embedding_progress import RATE_SECONDS, EmbeddingMeter, EmbeddingProgress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def rows(count):
    return TextCounts(row_count=count, token_count=5 * count)


@given(steps=st.lists(st.tuples(st.sampled_from("bae"), st.integers(0, 3)), max_size=60))
def test_rows_done_never_fall_and_never_pass_what_came(steps):
    clock = Clock()
    meter = EmbeddingMeter(1_000, rows(10), clock=clock)
    running, shown, best = {}, [], 10
    ended = 10
    for step, call in steps:
        clock.now += 0.3
        if step == "b":
            meter.begin(call)
            running[call] = 0
        elif call in running and step == "a":
            meter.add(call, rows(5))
            running[call] += 5
        elif call in running:
            meter.end(call)
            ended += running.pop(call)
        best = max(best, ended + sum(running.values()))
        shown.append(round(meter.fraction * 1_000))
    assert shown == sorted(shown)
    assert not shown or shown[-1] == best


def test_a_call_that_is_repeated_counts_once(clock):
    meter = EmbeddingMeter(100, TextCounts(), clock=clock)
    meter.begin(0)
    meter.add(0, rows(40))
    meter.begin(0)
    meter.add(0, rows(20))
    assert (meter.fraction, meter.progress().done) == (0.4, rows(20))
    meter.add(0, rows(80))
    meter.end(0)
    assert (meter.fraction, meter.final().done) == (1.0, rows(100))


def test_rate_and_time_left_are_unknown_at_first_and_then_those_of_late(clock):
    meter = EmbeddingMeter(10_000, TextCounts(), clock=clock)
    meter.begin(0)
    assert (meter.progress().rows_per_second, meter.progress().seconds_left) == (None, None)
    for _ in range(40):
        clock.now += 1
        meter.add(0, rows(10))
    for _ in range(40):
        clock.now += 1
        meter.add(0, rows(100))
    progress = meter.progress()
    assert progress.rows_per_second == pytest.approx(100, rel=0.05)
    assert progress.seconds_left == pytest.approx(5_600 / progress.rows_per_second)
    clock.now += 4
    assert meter.progress().rows_per_second == progress.rows_per_second
    clock.now += 2 * RATE_SECONDS
    assert meter.progress().rows_per_second is None


def test_what_came_before_the_first_answer_is_no_part_of_the_rate(clock):
    meter = EmbeddingMeter(10_000, TextCounts(), clock=clock)
    meter.begin(0)
    clock.now += 60
    for _ in range(4):
        meter.add(0, rows(100))
        clock.now += 2
    assert meter.progress().rows_per_second == 50


def test_at_its_end_the_rate_is_that_of_the_whole_without_what_was_there_before(clock):
    meter = EmbeddingMeter(500, rows(100), seconds=7.0, clock=clock)
    meter.begin(1)
    clock.now += 4
    meter.add(1, rows(400))
    meter.end(1)
    final = meter.final()
    assert (final.rows_per_second, final.seconds_left, final.seconds) == (100.0, 0.0, 11.0)


def test_hit_rate_is_the_share_of_rows_from_the_cache():
    done = TextCounts(row_count=200, cached_count=50)
    assert EmbeddingProgress(400, done, 1.0, None, None).cache_hit_rate == 0.25
    assert EmbeddingProgress(400, TextCounts(), 1.0, None, None).cache_hit_rate is None


def test_it_comes_back_from_json_and_no_count_falls_below_an_earlier_one():
    earlier = EmbeddingProgress(9, TextCounts(6, 60, 1, 0, 2), 5.0, 2.0, 1.5)
    later = EmbeddingProgress(9, TextCounts(5, 70, 0, 3, 1), 4.0, None, None)
    after = later.after(earlier)
    assert after == EmbeddingProgress(9, TextCounts(6, 70, 1, 3, 2), 5.0, None, None)
    assert EmbeddingProgress.from_json(after.to_json()) == after
