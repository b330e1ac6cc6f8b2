import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adjustments import (
    MAX_WEIGHT,
    check_adjustments,
    expected_revisions,
    parse_adjustments,
)
from gateway.problems import RequestRefused, status_of
from level_rpc.errors import LevelError

IDS = {str(cluster): cluster for cluster in (0, 1, 2, -1)}


def read(body):
    return check_adjustments(parse_adjustments(body), IDS)


def test_weights_are_read_by_cluster():
    assert read(b'{"adjustments": {"0": 0.5, "-1": 3}}') == {0: 0.5, -1: 3.0}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_sent_is_read_or_refused_for_a_reason(body):
    try:
        weights = read(body)
    except LevelError as error:
        assert status_of(error) in (400, 422)
    else:
        assert weights.keys() <= set(IDS.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(IDS)) | st.text(max_size=4), json_values))
def test_accepted_weights_are_finite_and_in_range(adjustments):
    try:
        weights = read(json.dumps({"adjustments": adjustments}).encode())
    except LevelError as error:
        assert status_of(error) in (400, 422)
    else:
        assert all(0 <= weight <= MAX_WEIGHT for weight in weights.values())
        assert all(math.copysign(1, weight) == 1 for weight in weights.values())


@pytest.mark.parametrize(
    "body",
    [
        b'{"adjustments": {"1": 1, "1": 1}}',
        b'{"adjustments": {"1": 1}, "adjustments": {"1": 1}}',
        b'{"adjustments": {"1": {"a": 1, "a": 2}}}',
    ],
)
def test_a_key_that_stands_twice_is_refused_as_malformed(body):
    with pytest.raises(RequestRefused, match="stands twice") as caught:
        read(body)
    assert status_of(caught.value) == 400


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, None),
        ("*", None),
        ('"3"', {3}),
        ('W/"3"', {3}),
        ('"3", "4"', {3, 4}),
        ("3", set()),
        ("", set()),
        ('"x"', set()),
        ('"3-7d4c0b1e-52a3-4f8e-9b57-1f2f6a0c9d43"', {3}),
        ('"3-plan"', set()),
    ],
)
def test_if_match_names_revisions(header, accepted):
    assert expected_revisions(header) == accepted
