"""Where a command writes: refused at once, or whole."""

import os

import pytest

from level.errors import CommandFailed
from level.output_file import check_output_file, file_type_of, fresh_files


@pytest.mark.parametrize("name", ["csv", "parquet", "jsonl", "xlsx", "zip"])
def test_type_is_that_of_the_suffix(tmp_path, name):
    assert file_type_of(tmp_path / f"out.{name}") == name
    assert file_type_of(tmp_path / f"out.{name.upper()}") == name


@pytest.mark.parametrize("name", ["out", "out.txt", "out.csv.gz", ".csv"])
def test_other_suffixes_are_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(CommandFailed, match=r"\.parquet"):
        file_type_of(tmp_path / name)


def test_a_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(CommandFailed, match="no folder"):
        check_output_file(tmp_path / "none" / "out.csv")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(CommandFailed, match="is a folder"):
        check_output_file(tmp_path)


def test_the_input_is_never_written_over(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("mine")
    link = tmp_path / "link.csv"
    os.link(source, link)
    for output in (source, link):
        with pytest.raises(CommandFailed, match="another output"):
            check_output_file(output, source)


def test_files_get_their_names_together(tmp_path):
    outputs = (tmp_path / "a", tmp_path / "b")
    outputs[0].write_text("old")
    with fresh_files(*outputs) as fresh:
        for path in fresh:
            path.write_text("new")
        assert outputs[0].read_text() == "old"
    assert [path.read_text() for path in outputs] == ["new", "new"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("error", [CommandFailed("no"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, error):
    output = tmp_path / "a"
    output.write_text("old")
    with pytest.raises((CommandFailed, KeyboardInterrupt)), fresh_files(output) as (fresh,):
        fresh.write_text("half")
        raise error
    assert output.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
