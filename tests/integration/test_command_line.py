"""The `level` command as a person types it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from level.cli import main

LEVEL = [sys.executable, "-m", "level.cli"]
PATIENCE_SECONDS = 120


def wait_for(condition, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes whose environment names a data folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if f"LEVEL_DATA_DIR={folder}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (OSError, ValueError):
            continue
    return found


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path, free_port):
    """`level serve` as a process; killed hard if a test leaves it running."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    (tmp_path / "store").mkdir()

    def start() -> subprocess.Popen:
        arguments = ["serve", "--port", str(free_port), "--data-dir", str(tmp_path / "store")]
        return subprocess.Popen(
            [*LEVEL, *arguments], env=environment, stdout=subprocess.PIPE, text=True
        )

    started: list[subprocess.Popen] = []

    def begin() -> tuple[subprocess.Popen, str]:
        started.append(start())
        url = f"http://127.0.0.1:{free_port}"
        wait_for(lambda: answers(url))
        return started[-1], url

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_run_writes_everything_and_leaves_nothing_else(tmp_path, sample_file):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [*LEVEL, "run", str(sample_file), "--out", str(tmp_path / "out"), "--weight", "0=0.5"],
        env={
            **os.environ,
            "TMPDIR": str(temporary),
            # A database that others share is none of a private run's business.
            "LEVEL_DATABASE_URL": f"sqlite:///{tmp_path}/shared.sqlite",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    names = {"terrain.html", "clusters.csv", "layers.csv", "weighted.csv", "resampled.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "shared.sqlite").exists()
    given = list(csv.reader(sample_file.open(newline="")))
    weighted = list(csv.reader((tmp_path / "out/weighted.csv").open(newline="")))
    assert [row[:-1] for row in weighted] == given
    assert len({row[-1] for row in weighted[1:]}) == 2
    for word in ("Gini", "flatness", "noise", "clusters"):
        assert word in done.stdout


def test_run_that_is_ended_from_outside_leaves_nothing(tmp_path, sample_file):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = subprocess.Popen(
        [*LEVEL, "run", str(sample_file), "--out", str(tmp_path / "out")],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: list(temporary.glob("level-run-*/datasets/*")))
    running.terminate()
    assert running.wait(30) == 128 + signal.SIGINT
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_balance_writes_an_output_and_its_recipe_and_a_replay_that_is_ended_leaves_nothing(
    tmp_path, sample_file
):
    temporary, folder = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    folder.mkdir()
    source = folder / "small.csv"
    source.write_bytes(b"".join(sample_file.read_bytes().splitlines(keepends=True)[:81]))
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(
        [*LEVEL, "balance", "small.csv", "--budget", "40", "-o", "level.csv", "--json"],
        env={**environment, "PYTHONPATH": str(Path.cwd())},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["output"], told["recipe"]) == ("level.csv", "level.recipe.json")
    assert re.search(r"40 of \d+ rows are kept", done.stderr)
    there = {"small.csv", "level.csv", "level.recipe.json"}
    assert {path.name for path in folder.iterdir()} == there
    running = subprocess.Popen(
        [*LEVEL, "replay", str(folder / "level.recipe.json"), "-o", str(folder / "again.csv")],
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: list(temporary.glob("level-run-*/datasets/*")))
    running.terminate()
    assert running.wait(30) == 128 + signal.SIGINT
    assert {path.name for path in folder.iterdir()} == there
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"text\n" + b"one row\n" * 10, "50"),
        (b"number\n" + b"17\n" * 100, "column"),
        (b"a,b\n" + b"some words here,2\n" * 60 + b"one,two,three\n", "62"),
        (b"%PDF-1.7\n" + b"x" * 1000, "PDF"),
    ],
)
def test_run_refuses_an_unusable_file_with_a_reason(tmp_path, content, word, capsys):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 1
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sample_is_written_once_and_never_over_another_file(tmp_path, sample_file, capsys):
    target = tmp_path / "messages.csv"
    assert main(["sample", str(target)]) == 0
    assert target.read_bytes() == sample_file.read_bytes()
    target.write_text("mine")
    assert main(["sample", str(target)]) == 1
    assert "already" in capsys.readouterr().err
    assert target.read_text() == "mine"


def test_run_refuses_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.csv")]) == 1
    assert "no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["run"], ["run", "x.csv", "--nonsense"], ["serve", "--port", "0"]],
)
def test_wrong_usage_is_exit_code_two(arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2


def test_serve_refuses_to_listen_for_everybody(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("LEVEL_ALLOW_REMOTE", raising=False)
    assert main(["serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path)]) == 1
    assert "LEVEL_ALLOW_REMOTE" in capsys.readouterr().err


def test_ctrl_c_stops_every_process_and_leaves_no_socket(server, tmp_path):
    process, _ = server()
    store = tmp_path / "store"
    assert len(processes_of(store)) >= 6
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert processes_of(store) == []
    left = {path.name for path in tmp_path.iterdir()} - {"store"}
    assert left == set()
    assert not (store / "stack.json").exists()


def test_killed_stack_leaves_no_process_and_starts_again_with_its_datasets(
    server, tmp_path, sample_file
):
    process, url = server()
    with sample_file.open("rb") as file:
        answer = httpx.post(f"{url}/api/upload", files={"file": file}, trust_env=False)
    dataset_id = answer.json()["dataset_id"]
    process.kill()
    wait_for(lambda: processes_of(tmp_path / "store") == [], seconds=20)
    _, url = server()

    def completed() -> bool:
        status = httpx.get(f"{url}/api/status/{dataset_id}", trust_env=False).json()
        assert status["status"] != "failed", status
        return status["status"] == "completed"

    wait_for(completed)


def test_second_stack_on_a_folder_in_use_is_refused(server, tmp_path, monkeypatch, capsys):
    server()
    monkeypatch.setattr("level.stack.LOCK_SECONDS", 0.5)
    assert main(["serve", "--port", "1", "--data-dir", str(tmp_path / "store")]) == 1
    assert "Another Level" in capsys.readouterr().err


def test_port_in_use_is_refused(stack, tmp_path, capsys):
    port = stack.url.rsplit(":", 1)[1]
    assert main(["serve", "--port", port, "--data-dir", str(tmp_path / "other")]) == 1
    assert "--port" in capsys.readouterr().err
