"""What is asked of a levelling on the command line, as a request."""

import argparse
import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.level_schemas import LevelQuestion
from level.balance import level_body
from level.commands import levelling
from level.commands.levelling import add_levelling_options, level_request, numbers, size_limit
from level.errors import CommandFailed
from levelling.request import (
    NEAR_DUPLICATE_DISTANCE,
    BudgetUnit,
    DuplicateKind,
    KeepStrategy,
    LevelRequest,
    Mode,
    NoiseKind,
    NoisePolicy,
    SamplingStrategy,
)
from levelling.targets import Target, TargetKind


def read(*arguments):
    parser = argparse.ArgumentParser()
    add_levelling_options(parser)
    parser.add_argument("--seed", type=int)
    return level_request(parser.parse_args(arguments))


def test_without_options_it_is_the_default_request():
    assert read() == LevelRequest()


def test_words_are_those_of_the_request():
    assert levelling.BUDGET_UNITS == tuple(map(str, BudgetUnit))
    assert levelling.MODES == tuple(map(str, Mode))
    assert levelling.DUPLICATE_KINDS == tuple(map(str, DuplicateKind))
    assert levelling.KEEP_STRATEGIES == tuple(map(str, KeepStrategy))
    assert levelling.SAMPLING_STRATEGIES == tuple(map(str, SamplingStrategy))
    help_text = argparse.ArgumentParser()
    add_levelling_options(help_text)
    assert f"(default: {NEAR_DUPLICATE_DISTANCE})" in " ".join(help_text.format_help().split())


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["--target-flatness", "0.8"], Target(TargetKind.FLATNESS, 0.8)),
        (["--target-gini", "0.2"], Target(TargetKind.GINI, 0.2)),
        (["--alpha", "0.5"], Target(TargetKind.TEMPERED, 0.5)),
        (["--alpha", "0"], Target(TargetKind.TEMPERED, 0.0)),
        (["--uniform"], Target(TargetKind.UNIFORM)),
    ],
)
def test_targets(arguments, target):
    assert read(*arguments).target == target


def test_shares_come_from_a_file(tmp_path):
    shares = tmp_path / "shares.json"
    shares.write_text('{"0": 0.5, "3": 1}')
    expected = Target(TargetKind.CUSTOM, shares={0: 0.5, 3: 1.0})
    assert read("--target", str(shares)).target == expected


@pytest.mark.parametrize("content", ["", "[]", "3", '{"a": 1}', '{"0": "x"}', '{"0": true}', "{}"])
def test_a_file_without_shares_is_refused(tmp_path, content):
    shares = tmp_path / "shares.json"
    shares.write_text(content)
    with pytest.raises(CommandFailed):
        read("--target", str(shares))


def test_a_file_of_shares_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandFailed, match=r"none\.json"):
        read("--target", str(tmp_path / "none.json"))


def test_limits():
    request = read(
        *("--budget", "50", "--max-repeat", "4", "--pin", "3=0.5", "--pin", "noise=0"),
        *("--floor", "2", "--floor", "7=9", "--ceiling", "7=30", "--layer", "1", "--seed", "5"),
    )
    assert (request.budget, request.max_repeat, request.layer, request.seed) == (50, 4.0, 1, 5)
    assert request.pinned == {3: 0.5, -1: 0.0}
    assert (request.floor, request.floors) == (2.0, {7: 9.0})
    assert (request.ceiling, request.ceilings) == (None, {7: 30.0})


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("keep", NoisePolicy()),
        ("drop", NoisePolicy(NoiseKind.DROP)),
        ("cap=0.1", NoisePolicy(NoiseKind.CAP, share=0.1)),
        ("assign", NoisePolicy(NoiseKind.ASSIGN)),
        ("assign=0.4", NoisePolicy(NoiseKind.ASSIGN, max_distance=0.4)),
    ],
)
def test_noise_policies(text, policy):
    assert read("--noise", text).noise == policy


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target-flatness", "1.2"],
        ["--target-flatness", "nan"],
        ["--budget", "0"],
        ["--budget", "10", "--mode", "weights"],
        ["--max-repeat", "0.5"],
        ["--noise", "cap"],
        ["--noise", "cap=x"],
        ["--noise", "cap=1.5"],
        ["--noise", "drop=0.4"],
        ["--noise", "nonsense"],
        ["--duplicate-distance", "3"],
        ["--seed", "-1"],
        ["--floor", "inf"],
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(arguments):
    with pytest.raises(CommandFailed, match=r"\w+ .*\.$"):
        read(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--uniform", "--alpha", "0.5"],
        ["--target-gini", "0.1", "--target-flatness", "0.5"],
        ["--pin", "3"],
        ["--floor", "x=3"],
        ["--mode", "nonsense"],
    ],
)
def test_wrong_usage_is_exit_code_two(arguments):
    with pytest.raises(SystemExit) as exit_info:
        read(*arguments)
    assert exit_info.value.code == 2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_numbers_are_read_back(values):
    assert numbers(",".join(map(repr, values))) == values


@given(st.one_of(st.none(), st.integers(0, 10**6)), st.floats(0, 1e9))
def test_size_limits_are_read_back(cluster, size):
    text = repr(size) if cluster is None else f"{cluster}={size!r}"
    assert size_limit(text) == (cluster, size)


def test_the_body_is_one_that_the_gateway_reads():
    request = read("--budget", "50", "--pin", "3=0.5", "--floor", "7=9", "--noise", "assign=0.4")
    body = json.loads(json.dumps(level_body(request)))
    assert set(body) == {field.name for field in fields(LevelRequest)}
    question = LevelQuestion.model_validate_json(json.dumps(body))
    assert question.pinned == {"3": 0.5}
    assert question.floors == {"7": 9.0}
    assert question.noise.max_distance == 0.4
    assert question.budget == 50
