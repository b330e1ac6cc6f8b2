"""`level balance`, `level replay`, `level prove` and `LevelBalancer` on one running stack."""

import asyncio
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from gateway.embedded_texts import block_size
from gateway.recipe import parse_recipe
from level import LevelBalancer
from level.balance import BalanceOptions, balance_dataset, level_body, recipe_path
from level.client import GatewayClient
from level.errors import CommandFailed
from level.following import apply_level, build_dataset
from level.local_dataset import ClusterOptions, plan_dataset
from level.local_dataset import build_dataset as build_locally
from level.local_stages import LocalStages
from level.proof_report import print_proof
from level.prove import ProveOptions, prove_dataset
from level.replay import export_again, rebuild
from levelling import spread_copies
from levelling.request import (
    BudgetUnit,
    DuplicateKind,
    DuplicatePolicy,
    LevelRequest,
    NoiseKind,
    NoisePolicy,
)
from levelling.targets import Target, TargetKind

ROWS = 160
REQUEST = LevelRequest(target=Target(TargetKind.FLATNESS, 0.8), budget=80, max_repeat=2)
FILE_TYPES = ("csv", "parquet", "jsonl", "xlsx", "zip")


@pytest.fixture(scope="module")
def client(stack):
    with stack.client(timeout=60.0) as http:
        yield GatewayClient(http)


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120, highlight=False)


@pytest.fixture(scope="module")
def rows(sample_file):
    with sample_file.open(newline="") as file:
        return list(csv.reader(file))[: ROWS + 1]


@pytest.fixture(scope="module")
def source(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def texts(rows):
    column = rows[0].index("message")
    return [row[column] for row in rows[1:]]


@pytest.fixture(scope="module")
def dataset_id(client, source):
    quiet = Console(file=io.StringIO())
    return build_dataset(client, source, {"keywords_only": "true"}, quiet).dataset_id


@pytest.fixture
def options(source, tmp_path):
    return BalanceOptions(source, tmp_path / "out.csv", REQUEST)


def test_the_output_is_rows_of_the_input_with_their_numbers(
    client, dataset_id, console, options, rows
):
    balanced = balance_dataset(client, dataset_id, options, console)
    with options.out.open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == [*rows[0], "row_id", "copies", "sample_weight"]
    row_id = len(rows[0])
    assert all(row[:row_id] == rows[1 + int(row[row_id])] for row in found[1:])
    assert len(found) - 1 == REQUEST.budget
    assert balanced.plan["metrics"]["after"]["flatness"] >= 0.75
    text = console.file.getvalue()
    for words in (*balanced.plan["notes"], "before", "after", "near-duplicates dropped"):
        assert words in text
    told = balanced.to_json()
    assert json.loads(json.dumps(told)) == told
    assert told["output"] == str(options.out)


def test_a_replay_makes_the_same_bytes_of_every_type(
    client, dataset_id, console, options, tmp_path, source
):
    outs = [tmp_path / f"as_{file_type}.{file_type}" for file_type in FILE_TYPES]
    for out in outs:
        balance_dataset(client, dataset_id, replace(options, out=out), console)
    recipes = [parse_recipe(recipe_path(out).read_bytes()) for out in outs]
    built = rebuild(client, recipes[0], source, console)
    for out, recipe in zip(outs, recipes, strict=True):
        again = tmp_path / f"again{out.suffix}"
        replayed = export_again(client, built, recipe, again)
        assert again.read_bytes() == out.read_bytes(), out.suffix
        assert (replayed.is_same, replayed.exit_code, replayed.differences) == (True, 0, ())
    changed = replace(recipes[0], output_sha256="0" * 64, level_version="0.0")
    differs = export_again(client, built, changed, tmp_path / "differs.csv")
    assert (differs.is_same, differs.exit_code) == (False, 3)
    assert "0.0" in differs.differences[0]
    unknown = export_again(client, built, replace(changed, output_sha256=None), tmp_path / "x.csv")
    assert (unknown.is_same, unknown.exit_code) == (None, 0)


REQUESTS = (
    REQUEST,
    LevelRequest(budget=60),
    LevelRequest(noise=NoisePolicy(NoiseKind.ASSIGN, max_distance=0.6)),
    LevelRequest(
        target=Target(TargetKind.TEMPERED, 0.3),
        budget=1_500,
        budget_unit=BudgetUnit.TOKENS,
        duplicates=DuplicatePolicy(DuplicateKind.DROP, max_distance=0.2),
    ),
)


def test_a_process_without_a_server_gives_the_same_rows(
    client, dataset_id, console, options, texts, tmp_path
):
    assert block_size(ROWS) >= ROWS

    async def plan_locally():
        async with LocalStages() as stages:
            for request in REQUESTS:
                distance = request.duplicates.max_distance
                options = ClusterOptions()
                local = await build_locally(stages, texts, None, options, distance)
                yield await plan_dataset(stages, local, request)

    async def all_plans():
        return [plan async for plan in plan_locally()]

    for number, (request, plan) in enumerate(zip(REQUESTS, asyncio.run(all_plans()), strict=True)):
        out = tmp_path / f"{number}.parquet"
        balance_dataset(client, dataset_id, replace(options, request=request, out=out), console)
        table = pq.read_table(out)
        lines = spread_copies(plan.copies)
        assert table["row_id"].to_pylist() == lines.tolist(), number
        weights = (plan.sample_weight / np.maximum(plan.copies, 1))[lines]
        found = table["sample_weight"].to_numpy()
        assert np.allclose(found, weights / weights.mean(), atol=1e-9)


def test_the_class_takes_the_rows_that_the_gateway_takes(
    client, dataset_id, console, options, texts
):
    balancer = LevelBalancer(target_flatness=0.8, budget=80, max_repeat=2)
    chosen = balancer.fit_resample(texts)
    balance_dataset(client, dataset_id, options, console)
    with options.out.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["message"] for row in found] == chosen
    assert [int(row["row_id"]) for row in found] == balancer.sample_indices_.tolist()
    assert balancer.predict(texts[:5]).shape == (5,)


def test_a_dry_run_shows_what_noise_would_do_and_writes_nothing(
    client, dataset_id, console, options, tmp_path
):
    balanced = balance_dataset(client, dataset_id, replace(options, out=None), console)
    assert list(tmp_path.iterdir()) == []
    assert balanced.to_json()["output"] is None
    assert len(balanced.plan["noise_effects"]) == 4


def test_what_cannot_be_met_is_said_and_strict_writes_nothing(
    client, dataset_id, console, options, tmp_path
):
    asked = replace(options, request=LevelRequest(target=Target(TargetKind.UNIFORM), budget=155))
    balanced = balance_dataset(client, dataset_id, asked, console)
    unmet = balanced.plan["solution"]["unmet"]
    assert unmet and balanced.exit_code == 0 and asked.out.exists()
    assert f"Note: {unmet[0]}" in console.file.getvalue()
    asked.out.unlink()
    recipe_path(asked.out).unlink()
    strict = balance_dataset(client, dataset_id, replace(asked, is_strict=True), console)
    assert strict.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_cluster_is_refused_and_an_output_stays(client, dataset_id, console, options):
    options.out.write_text("mine")
    asked = replace(options, request=replace(REQUEST, pinned={999: 1.0}))
    with pytest.raises(CommandFailed, match="999"):
        balance_dataset(client, dataset_id, asked, console)
    assert options.out.read_text() == "mine"


def test_a_reference_is_the_target(client, dataset_id, console, options, tmp_path, rows):
    reference = tmp_path / "reference.csv"
    with reference.open("w", newline="") as file:
        csv.writer(file).writerows(rows[:61])
    asked = replace(options, request=LevelRequest(budget=50), reference=reference, out=None)
    plan = balance_dataset(client, dataset_id, asked, console).plan
    assert plan["request"]["target"]["kind"] == "custom"
    assert sum(plan["request"]["target"]["shares"].values()) == pytest.approx(1)


def test_a_plan_can_be_asked_for_in_the_gateways_words(client, dataset_id, console):
    plan = apply_level(client, dataset_id, level_body(REQUEST), console)
    assert apply_level(client, dataset_id, plan["request"], console)["metrics"] == plan["metrics"]


@pytest.mark.parametrize(("label", "words"), [("channel", "macro accuracy"), (None, "Proxies")])
def test_a_proof_is_printed_whatever_it_says(client, dataset_id, console, source, label, words):
    proof = {"seeds": 2, "alphas": [0.0, 1.0]}
    asked = ProveOptions(source, label, LevelRequest(), proof=proof)
    result = prove_dataset(client, dataset_id, asked, console)
    assert json.loads(json.dumps(result)) == result
    print_proof(result, console)
    text = console.file.getvalue()
    assert result["verdict"]["text"] in text
    assert words in text and "95 % interval" in text
