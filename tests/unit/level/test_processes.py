"""Children that are watched, started again, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from level.processes import Child, Supervisor

ROOT = Path(__file__).resolve().parents[3]


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def module(tmp_path) -> dict[str, str]:
    """Two runnable modules, and the environment in which they are found."""
    (tmp_path / "sleeper.py").write_text(
        "import time\nprint('began', flush=True)\ntime.sleep(60)\n"
    )
    (tmp_path / "stubborn.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('began', flush=True)\ntime.sleep(60)\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}


@pytest.fixture
def supervised(tmp_path, module):
    deaths: list[str] = []
    child = Child("sleeper", "sleeper", tmp_path / "sleeper.log", (), module)
    supervisor = Supervisor([child], lambda dead: deaths.append(dead.name))
    supervisor.start()
    wait_for(lambda: "began" in child.last_lines())
    yield child, deaths
    supervisor.stop()


def test_dead_child_is_told_of_and_started_again(supervised):
    child, deaths = supervised
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: child.process.pid != first and alive(child.process.pid))
    assert deaths == ["sleeper"]


def test_stopped_supervisor_leaves_no_child(tmp_path, module):
    child = Child("sleeper", "sleeper", tmp_path / "sleeper.log", (), module)
    supervisor = Supervisor([child], lambda _: None)
    supervisor.start()
    wait_for(lambda: "began" in child.last_lines())
    supervisor.stop()
    assert child.exit_code is not None


def test_child_that_ignores_sigterm_is_killed(tmp_path, module, monkeypatch):
    monkeypatch.setattr("level.processes.STOP_SECONDS", 0.5)
    child = Child("stubborn", "stubborn", tmp_path / "stubborn.log", (), module)
    supervisor = Supervisor([child], lambda _: None)
    supervisor.start()
    wait_for(lambda: "began" in child.last_lines())
    supervisor.stop()
    assert child.exit_code == -signal.SIGKILL


@pytest.mark.parametrize("name", ["sleeper", "stubborn"])
def test_child_leaves_when_its_parent_is_killed(tmp_path, module, name):
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'level.child', '{name}'],"
        " stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **module},
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline().strip() == "began"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not alive(pid))
