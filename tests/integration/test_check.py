"""`level check`, in this process."""

import csv
import json

import pytest

from level.cli import main


@pytest.fixture(scope="module")
def rows(sample_file):
    with sample_file.open(newline="") as file:
        return list(csv.reader(file))[:121]


@pytest.fixture(scope="module")
def source(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "train.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def held_out(rows, tmp_path_factory):
    """Two rows, of which one is in the file, written otherwise."""
    column = rows[0].index("message")
    held_out = [["id", "message"], ["a", "Nothing like it: quarks and leptons in a collider."]]
    held_out.append(["b", rows[8][column].upper() + " !"])
    path = tmp_path_factory.mktemp("check") / "test.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(held_out)
    return path


def test_leaks_and_limits_are_told_as_json(source, held_out, capsys):
    arguments = ["check", str(source), "--json", "--no-leak", str(held_out)]
    limits = ["--max-gini", "0.99", "--min-flatness", "0.999", "--max-noise", "1"]
    assert main([*arguments, *limits]) == 3
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["passed"] is False
    assert {limit["name"]: limit["is_kept"] for limit in told["limits"]} == {
        "max_gini": True,
        "min_flatness": False,
        "max_noise": True,
    }
    assert [(leak["test_row"], leak["row"]) for leak in told["leaks"]] == [(1, 7)]
    assert told["leaks"][0]["is_same_text"] is True
    assert "leaked" in captured.err and "NOT KEPT" in captured.err


def test_limits_that_are_kept_are_exit_code_zero(source, capsys):
    assert main(["check", str(source), "--max-gini", "0.99"]) == 0
    out = capsys.readouterr().out
    assert "--max-gini 0.99: kept" in out and "Near-duplicates" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv"], "no file"),
        (["{sample}", "--no-leak", "none.csv"], "no file"),
        (["{sample}", "--text", "nonsense"], "nonsense"),
        (["{sample}", "--algorithm", "nonsense"], "nonsense"),
        (["{sample}", "--layer", "99"], "99"),
    ],
)
def test_what_cannot_be_done_is_exit_code_one(source, arguments, words, capsys):
    given = [argument.replace("{sample}", str(source)) for argument in arguments]
    assert main(["check", *given]) == 1
    assert words in capsys.readouterr().err


def test_a_share_is_from_zero_to_one(source):
    with pytest.raises(SystemExit) as exit_info:
        main(["check", str(source), "--max-gini", "1.5"])
    assert exit_info.value.code == 2
