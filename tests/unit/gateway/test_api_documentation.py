"""The OpenAPI document explains every field, and its examples are what Level would answer."""

import json
import re
from html import escape

import numpy as np
import pytest

from gateway import (
    level_answers,
    level_examples,
    recipe_schema,
    schema_examples,
    schemas,
    terrain_schemas,
)
from gateway.api_docs import render_docs
from gateway.app import create_app
from gateway.layers import Layers
from gateway.level_requests import to_json, to_level_request
from gateway.level_schemas import LevelBody
from gateway.plan_view import describe_curve, describe_plan, describe_rows
from gateway.proof_schemas import ProveBody
from gateway.settings import GatewaySettings
from levelling import Groups, Hills, measure
from levelling.plans.material import Material
from levelling.plans.plan import finish, plan_curve, prepare
from terrain_svc.height_field import build_terrain

MODELS = {
    "DatasetStatus": schemas.DatasetStatus,
    "DatasetList": schemas.DatasetList,
    "TerrainView": terrain_schemas.TerrainView,
    "Adjusted": terrain_schemas.Adjusted,
    "Levelled": level_answers.Levelled,
    "LevelState": level_answers.LevelState,
    "Curve": level_answers.Curve,
    "ProofState": level_answers.ProofState,
    "RecipeView": recipe_schema.RecipeView,
    "Health": schemas.Health,
    "Problem": schemas.Problem,
}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    return create_app(GatewaySettings(_env_file=None, data_dir=folder)).openapi()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def named(content):
    return content["schema"]["$ref"].rsplit("/", 1)[1]


def read_and_written(model, value):
    """Return the value as the model reads it, which fails where it does not fit."""
    return model.model_validate_json(json.dumps(value), strict=True).model_dump(mode="json")


def test_every_json_answer_has_a_schema_and_an_example_that_fits_it(document):
    seen = set()
    for _, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if content is None:
                continue
            example = content["example"]
            assert read_and_written(MODELS[named(content)], example) == example
            seen.add((named(content), status))
    assert {("DatasetStatus", "202"), ("DatasetStatus", "200"), ("Health", "503")} < seen
    assert {"DatasetList", "TerrainView", "Adjusted"} < {name for name, _ in seen}


def test_examples_of_schemas_fit_them(document):
    for name, model in MODELS.items():
        (example,) = document["components"]["schemas"][name]["examples"]
        assert read_and_written(model, example) == example


def test_upload_answers_a_dataset_that_waits_and_status_one_that_is_done(document):
    paths = document["paths"]
    accepted = paths["/api/upload"]["post"]["responses"]["202"]["content"]
    assert accepted["application/json"]["example"]["stage"] == "queued"
    status = paths["/api/status/{dataset_id}"]["get"]["responses"]["200"]["content"]
    assert status["application/json"]["example"]["status"] == "completed"


def test_body_of_an_adjustment_has_an_example(document):
    body = document["paths"]["/api/adjust/{dataset_id}"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    assert example == {"adjustments": {"0": 0.25, "-1": 0}}
    terrain_schemas.Adjustments.model_validate(example)


def test_bodies_of_levellings_and_proofs_have_examples(document):
    for path, model in (("level", LevelBody), ("prove", ProveBody)):
        body = document["paths"][f"/api/{path}/{{dataset_id}}"]["post"]["requestBody"]
        content = body["content"]["application/json"]
        assert named(content) == model.__name__
        model.model_validate(content["example"])


def test_the_example_of_a_levelling_is_what_it_comes_to():
    labels = np.repeat(np.array([0, 1, -1], dtype=np.int32), [300, 100, 20])
    material = Material(labels=(labels,), nearest=np.maximum(labels, 0))
    asked = LevelBody.model_validate(level_examples.LEVEL)
    layer = Layers.of_one([{"cluster_id": 0, "size": 300}, {"cluster_id": 1, "size": 100}]).finest
    request = to_level_request(asked, layer)
    assert to_json(asked) | {"layer": 0} == level_examples.LEVELLED["request"]
    plan = finish(prepare(material, request))
    described = describe_plan(plan)
    for name in ("weights", "sizes"):
        expected = level_examples.LEVELLED["solution"][name]
        assert described["solution"][name] == pytest.approx(expected, abs=1e-4)
    for when in ("before", "after"):
        expected = level_examples.LEVELLED["metrics"][when]
        assert described["metrics"][when] == pytest.approx(expected, abs=1e-4)
    assert describe_rows(plan)["reasons"] == level_examples.LEVEL_STATE["reasons"]
    curve = describe_curve(plan_curve(material, request, len(level_examples.CURVE["gini"])))
    assert curve["default_step"] == level_examples.CURVE["default_step"]
    for name, values in curve.items():
        assert values == pytest.approx(level_examples.CURVE[name], rel=1e-3, abs=1e-4)


def test_figures_of_the_example_follow_from_its_weights():
    ids, counts = np.array([0, 1, -1]), np.array([300, 100, 20])
    weights = np.array([schema_examples.ADJUSTED["weights"][str(one)] for one in ids])
    figures = dict(schema_examples.METRICS)
    original = figures.pop("original")
    for shown, factors in ((figures, weights), (original, np.ones(3))):
        measured = measure(Groups(ids, factors, counts))
        for name, value in shown.items():
            assert value == pytest.approx(getattr(measured, name), abs=1e-4)


def test_ground_of_the_example_follows_from_its_hills():
    terrain = schema_examples.TERRAIN

    def ground(height, scale=None):
        ids, *rest = (
            np.array([hill[key] for hill in terrain["hills"]])
            for key in ("cluster_id", "x", "z", "radius", height)
        )
        return build_terrain(Hills(ids, *rest), terrain["gridSize"], scale)

    heights = ground("height", ground("original_height").height_scale).heights
    assert terrain["heightData"] == pytest.approx(heights, abs=1e-3)


def test_every_property_is_described(document):
    described = dict(document["components"]["schemas"])
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            described[name] = content["schema"]
    for owner, schema in described.items():
        for name, value in schema.get("properties", {}).items():
            assert value.get("description"), f"{owner}.{name}"


def test_every_answer_says_what_it_means(document):
    for _, operation in operations(document):
        for answer in operation["responses"].values():
            assert answer["description"] not in ("", "Successful Response")


def test_docs_page_shows_examples_and_links_to_schemas_without_a_script(document):
    page = render_docs(document)
    assert "<script" not in page and "javascript:" not in page and "onclick" not in page
    for example in (schema_examples.ACCEPTED, schema_examples.TERRAIN, schema_examples.ADJUSTED):
        assert f"<pre>{escape(json.dumps(example, indent=2))}</pre>" in page
    targets = set(re.findall(r"href='#(\w+)'", page))
    assert {"TerrainView", "Problem"} < targets
    assert targets <= set(re.findall(r"<h3 id='(\w+)'", page))


def test_docs_page_shows_markup_in_an_example_as_text(document):
    hostile = json.loads(json.dumps(document))
    answer = hostile["paths"]["/api/datasets"]["get"]["responses"]["200"]
    answer["description"] = "<script>1</script>"
    answer["content"]["application/json"]["example"] = {"label": "</pre><script>2</script>"}
    page = render_docs(hostile)
    assert "<script" not in page
    assert "&lt;/pre&gt;&lt;script&gt;2" in page
