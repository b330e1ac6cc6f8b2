"""What `level balance`, `prove` and `replay` refuse before anything is started."""

import json

import pytest

from level import private_stack
from level.cli import main
from level.sample import write_sample


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch, tmp_path):
    def start(*_, **__):
        raise AssertionError("a stack was started")

    monkeypatch.setattr(private_stack, "LocalStack", start)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sample(tmp_path):
    return write_sample(tmp_path / "sample.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv", "-o", "out.csv"], "no file"),
        (["sample.csv", "-o", "none/out.csv"], "no folder"),
        (["sample.csv", "-o", "sample.csv"], "another output"),
        (["sample.csv", "-o", "out.csv", "--reference", "none.csv"], "no file none.csv"),
        (["sample.csv", "-o", "out.csv", "--text", "nonsense"], "nonsense"),
    ],
)
def test_balance_refuses(sample, arguments, words, capsys, tmp_path):
    assert main(["balance", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["balance", "sample.csv"], "-o OUT"),
        (["balance", "sample.csv", "-o", "out.txt"], ".parquet"),
        (["balance", "sample.csv", "-o", "out"], ".parquet"),
        (["balance", "sample.csv", "-o", "out.parquet", "--excel"], ".csv alone"),
        (["balance", "sample.csv", "-o", "out.csv", "--target-flatness", "7"], "flatness"),
        (
            ["balance", "sample.csv", "-o", "out.csv", "--budget", "9", "--mode", "weights"],
            "budget",
        ),
        (["prove", "sample.csv", "--noise", "nonsense"], "noise"),
    ],
)
def test_what_no_file_could_make_right_is_wrong_usage(sample, arguments, words, capsys, tmp_path):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv"], "no file"),
        (["sample.csv", "--label", "nonsense"], "channel"),
    ],
)
def test_prove_refuses(sample, arguments, words, capsys):
    assert main(["prove", *arguments]) == 1
    assert words in capsys.readouterr().err


RECIPE = {
    "recipe_version": 1,
    "level_version": "0.1.0",
    "input": {"file_name": "sample.csv", "sha256": "0" * 64, "text_column": {}},
    "upload": {},
    "weights": {"revision": 0, "clusters": {}},
    "export": {"format": "balanced", "file_type": "csv"},
    "model": {},
}


@pytest.mark.parametrize(
    ("recipe", "arguments", "words"),
    [
        ("", [], "not JSON"),
        ("{}", [], "recipe_version"),
        (RECIPE, [], "not the file"),
        (RECIPE, ["--input", "none.csv"], "no file none.csv"),
        (RECIPE, ["-o", "none/out.csv"], "no folder"),
        (RECIPE, ["-o", "sample.csv"], "another output"),
        ({**RECIPE, "export": {"file_type": "../x"}}, [], "not known"),
    ],
)
def test_replay_refuses(sample, recipe, arguments, words, capsys, tmp_path):
    text = recipe if isinstance(recipe, str) else json.dumps(recipe)
    (tmp_path / "out.recipe.json").write_text(text)
    assert main(["replay", "out.recipe.json", *arguments]) == 1
    assert words in capsys.readouterr().err


def test_replay_never_writes_over_a_file_unasked(sample, capsys, tmp_path):
    (tmp_path / "out.recipe.json").write_text(json.dumps(RECIPE))
    (tmp_path / "out.csv").write_text("mine")
    assert main(["replay", "out.recipe.json"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "mine"
