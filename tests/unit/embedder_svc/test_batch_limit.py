import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.device.batch_limit import BatchLimit
from embedder_svc.errors import DeviceOutOfMemory


def test_nothing_is_limited_before_memory_runs_out():
    limit = BatchLimit(32)
    assert limit.safe_batch_size == 32
    assert limit.apply(500) == 500


def test_the_limit_is_halved_down_to_eight_and_remembered():
    limit = BatchLimit(64)
    seen = []
    for failed in (64, 32, 16):
        limit.lower(failed)
        seen.append(limit.safe_batch_size)
    assert seen == [32, 16, 8]
    assert limit.apply(1024) == 8


def test_a_small_last_batch_that_fails_lowers_the_limit_below_its_own_size():
    limit = BatchLimit(64)
    limit.lower(12)
    assert limit.apply(64) == 8


def test_a_batch_cut_before_the_limit_was_lowered_lowers_it_no_further():
    limit = BatchLimit(64)
    limit.lower(64)
    limit.lower(64)
    assert limit.safe_batch_size == 32


def test_short_texts_are_batched_by_the_tokens_that_fit_whatever_long_ones_needed():
    limit = BatchLimit(1024)
    limit.lower(32, 512)
    assert limit.apply(1024, 512) == 16
    assert limit.apply(1024, 16) == 512
    assert limit.safe_batch_size == 16
    limit.lower(512, 16)
    assert limit.apply(1024, 16) == 256
    assert limit.apply(1024, 512) == 16


@given(st.lists(st.tuples(st.integers(9, 2000), st.integers(1, 600)), max_size=12))
def test_what_has_failed_is_never_tried_again(failures):
    limit = BatchLimit(64)
    for texts, tokens in failures:
        limit.lower(texts, tokens)
    for texts, tokens in failures:
        assert limit.apply(texts, tokens) < texts


def test_a_failure_of_the_smallest_batch_is_an_error_that_names_its_size():
    with pytest.raises(DeviceOutOfMemory, match="8 texts") as raised:
        BatchLimit(32).lower(8)
    assert raised.value.metadata == {"batch_size": "8"}
