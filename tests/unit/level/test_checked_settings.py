import pytest

from level.checked_settings import check_settings
from level.cli import main
from level.errors import CommandFailed


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_settings_as_they_come_are_fine():
    check_settings()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("LEVEL_EMBEDDER_PRECISION", "foo", "'int8'"),
        ("LEVEL_EMBEDDER_CACHE_MIB", "abc", "integer"),
        ("LEVEL_CLUSTER_IDLE_SECONDS", "-1", "greater than 0"),
        ("GRID_SIZE", "1", "greater than or equal to 2"),
        ("LEVEL_UPLOAD_RATE", "often", ""),
    ],
)
def test_one_that_cannot_be_read_is_named_by_its_variable(monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    with pytest.raises(CommandFailed, match=f"{variable}: .*{words}"):
        check_settings()


def test_all_of_them_are_named_at_once_and_from_a_file_too(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("LEVEL_EMBEDDER_THREADS=many\n")
    monkeypatch.setenv("GRID_SIZE", "huge")
    with pytest.raises(CommandFailed) as raised:
        check_settings()
    assert "LEVEL_EMBEDDER_THREADS" in str(raised.value) and "GRID_SIZE" in str(raised.value)


@pytest.mark.parametrize("command", [["serve", "--no-open"], ["run", "rows.csv"]])
def test_a_command_ends_with_it_before_it_starts_anything(monkeypatch, capsys, command):
    monkeypatch.setenv("LEVEL_EMBEDDER_PRECISION", "foo")
    assert main(command) == 1
    assert "LEVEL_EMBEDDER_PRECISION" in capsys.readouterr().err
