import pytest

from gateway.errors import UploadRefused
from gateway.upload_parameters import read_fields, to_pipeline_parameters
from level_rpc.errors import FieldInvalid


def parameters_of(**fields):
    return to_pipeline_parameters(read_fields(fields), grid_size=100, default_eps=0.5)


def test_defaults_are_those_of_the_pipeline():
    parameters = parameters_of()
    assert (parameters.algorithm, parameters.algorithm_parameters) == ("auto", {})
    assert (parameters.random_seed, parameters.exemplar_count, parameters.grid_size) == (0, 5, 100)


def test_empty_fields_count_as_not_sent():
    assert parameters_of(seed="", eps=" ", algorithm="") == parameters_of()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"algorithm": "dbscan"}, {}),
        ({"algorithm": "dbscan", "auto_eps": "false"}, {"eps": 0.5}),
        ({"algorithm": "dbscan", "auto_eps": "false", "eps": "0.3"}, {"eps": 0.3}),
        ({"auto_eps": "false"}, {}),
        ({"min_samples": "4", "resolution": "1.5"}, {"min_samples": 4, "resolution": 1.5}),
        ({"parameters": '{"k": 3, "fast": true}'}, {"k": 3, "fast": True}),
    ],
)
def test_parameters_keep_their_types(fields, expected):
    given = parameters_of(**fields).algorithm_parameters
    assert given == expected
    assert {name: type(value) for name, value in given.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_an_unknown_field_is_refused_without_its_name():
    with pytest.raises(UploadRefused) as caught:
        read_fields({"<b>": "1"})
    assert "<b>" not in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": str(2**32)},
        {"eps": "inf"},
        {"keywords_only": "perhaps"},
        {"parameters": "null, "},
        {"parameters": '{"k": null}'},
        {"parameters": '{"\\u0000": 1}'},
        {"parameters": '{"k": 1e400}'},
        {"parameters": '{"eps": 1}', "eps": "1"},
    ],
)
def test_values_that_cannot_be_used_are_refused_by_field(fields):
    with pytest.raises(FieldInvalid) as caught:
        parameters_of(**fields)
    assert caught.value.metadata["field"] in {*fields, "eps"}
