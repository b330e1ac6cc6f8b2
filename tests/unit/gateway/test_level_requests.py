import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.layers import Layers
from gateway.level_requests import read_body, to_json, to_level_request
from gateway.level_schemas import LevelBody, LevelQuestion
from gateway.problems import status_of
from level_rpc.errors import LevelError
from levelling.request import LevelRequest

LAYER = Layers.of_one([{"cluster_id": one, "size": 9} for one in range(3)]).finest
NAMES = [*LevelBody.model_fields, "kind", "value", "share", "shares", "max_distance", "keep"]
VALUES = [
    "auto",
    "custom",
    "cap",
    "drop",
    "rows",
    "tokens",
    "central",
    0,
    1,
    0.5,
    7,
    -1,
    True,
    None,
]

nested = st.recursive(
    st.sampled_from(VALUES) | st.floats() | st.integers() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=2)
        | st.dictionaries(st.sampled_from([*NAMES, "0", "1", "9", "-1"]), values, max_size=4)
    ),
    max_leaves=8,
)


def read(body):
    question = read_body(body, LevelBody)
    return question, to_level_request(question, LAYER)


@given(st.dictionaries(st.sampled_from(NAMES), nested, max_size=5))
def test_whatever_is_asked_is_a_request_or_refused_with_its_field(asked):
    try:
        _, request = read(json.dumps(asked).encode())
    except LevelError as error:
        assert status_of(error) == 422
        assert error.metadata["field"]
        assert len(error.message) < 400
    else:
        assert isinstance(request, LevelRequest)


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(body):
    try:
        read(body)
    except LevelError as error:
        assert status_of(error) in (400, 422)


def test_nothing_asks_for_the_defaults_of_levelling():
    _, request = read(b"")
    assert request == LevelRequest(layer=0)
    assert read(b"{}")[1] == request


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"target": {"kind": "custom", "shares": {"0": 1, "2": 3}}, "seed": 5},
        {"target": {"kind": "gini", "value": 0.2}, "budget": 7, "budget_unit": "tokens"},
        {"pinned": {"0": 0.5, "-1": 0}, "floors": {"1": 2}, "ceilings": {"2": 4}, "floor": 1},
        {"noise": {"kind": "assign", "max_distance": 0.5}, "duplicates": {"kind": "drop"}},
        {"mode": "rows", "max_repeat": 4, "sampling": "central"},
    ],
)
def test_what_is_stored_asks_for_the_same_again(asked):
    question, request = read(json.dumps({**asked, "apply": True}).encode())
    stored = to_json(question)
    assert "apply" not in stored
    again = LevelQuestion.model_validate(json.loads(json.dumps(stored)))
    assert to_level_request(again, LAYER) == request
    assert to_json(again) == stored
