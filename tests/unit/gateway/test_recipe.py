"""A recipe says how a file was made, and is read back or refused with a reason."""

import hashlib
import json

import pytest

from gateway.dataset import PipelineParameters
from gateway.errors import RecipeInputDiffers, RecipeInvalid
from gateway.recipe import make_recipe, parse_recipe, with_output
from gateway.schemas import UploadFields
from gateway.tables import TableLimits, read_table
from gateway.upload_parameters import to_pipeline_parameters

SOURCE = b"text,text\n1,some words\n"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "rows.csv").write_bytes(SOURCE)
    info = read_table(tmp_path / "rows.csv", tmp_path, "#2", TableLimits(min_rows=1))
    return make_recipe(
        level_version="0.1.0",
        file_name="rows.csv",
        source=tmp_path / "rows.csv",
        table=info.to_dict(),
        parameters=PipelineParameters(
            algorithm="dbscan", algorithm_parameters={"eps": 0.4}, random_seed=7
        ),
        level_request={"budget": 10},
        weights={2: 0.5, -1: 0.0},
        export_query={"format": "balanced"},
        model={"fingerprint": "abc", "instruction_set": "avx2"},
        clustering={"algorithm": "dbscan"},
    )


def test_a_recipe_comes_back(recipe, tmp_path):
    made = with_output(recipe, "rows-balanced.csv", "ab" * 32)
    read = parse_recipe(json.dumps(made).encode())
    assert read.input_sha256 == hashlib.sha256(SOURCE).hexdigest()
    assert read.level_request == {"budget": 10}
    assert read.weights == {"-1": 0.0, "2": 0.5}
    assert read.export_query == {"format": "balanced"}
    assert read.output_sha256 == "ab" * 32
    read.check_input(tmp_path / "rows.csv")


def test_its_fields_make_the_same_parameters(recipe):
    fields = parse_recipe(json.dumps(recipe).encode()).upload_fields
    assert fields["text_column"] == "#2"
    parameters = to_pipeline_parameters(UploadFields.model_validate(fields), 100, 0.5)
    assert parameters == PipelineParameters(
        algorithm="dbscan", algorithm_parameters={"eps": 0.4}, random_seed=7
    )


def test_another_input_is_refused_with_both_hashes(recipe, tmp_path):
    (tmp_path / "other.csv").write_bytes(b"other")
    with pytest.raises(RecipeInputDiffers) as caught:
        parse_recipe(json.dumps(recipe).encode()).check_input(tmp_path / "other.csv")
    for content in (SOURCE, b"other"):
        assert hashlib.sha256(content).hexdigest() in caught.value.message


def test_what_differs_is_said(recipe):
    read = parse_recipe(json.dumps(recipe).encode())
    assert read.differences("0.1.0", "abc", "avx2") == ()
    said = read.differences("0.2.0", "def", "avx2")
    assert len(said) == 2
    assert "0.2.0" in said[0] and "may differ" in said[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe_version": 2}, "newer"),
        ({"input": None}, "input is missing"),
        ({"input": {"file_name": "a", "sha256": "xyz", "text_column": {}}}, "not a SHA-256"),
        ({"upload": {"seed": 1}}, "other than texts"),
        ({"weights": {"clusters": {"1": "2"}}}, "other than numbers"),
        ({"weights": {}}, "weights.clusters"),
        ({"level_request": []}, "neither an object nor null"),
        ({"output": {"sha256": None}}, "not a SHA-256"),
        ({"export": []}, "export is missing"),
    ],
)
def test_what_is_no_recipe_is_refused_with_a_reason(recipe, change, words):
    with pytest.raises(RecipeInvalid, match=words):
        parse_recipe(json.dumps({**recipe, **change}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_not_even_json_is_refused(data):
    with pytest.raises(RecipeInvalid):
        parse_recipe(data)
