import os
import signal
import subprocess
import sys

import pytest

from embedder_svc.vector_cache import VectorCache
from tests.unit.embedder_svc import cache_process
from tests.unit.embedder_svc.cache_process import DIMENSIONS, LIMIT, get, put


def start(action: str, folder, seed: int = 0, count: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", cache_process.__name__, action, str(folder)]
    return subprocess.Popen(
        [*command, str(seed), str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def disk_bytes(folder) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_several_processes_at_once(tmp_path):
    # Half of what they write does not fit, so all of them evict.
    processes = [start("work", tmp_path, seed, 60) for seed in range(3)]
    hits = [int(finish(process)) for process in processes]
    assert min(hits) > 1000
    assert disk_bytes(tmp_path) <= LIMIT
    with VectorCache(tmp_path, DIMENSIONS, LIMIT) as cache:
        assert len(get(cache, range(4000))) > 2000


def test_writers_that_are_killed_leave_what_they_said_was_written(tmp_path):
    for number in range(3):
        writers = [
            start("write_without_end", tmp_path, 10_000 * (2 * number + one)) for one in (0, 1)
        ]
        written = []
        for writer in writers:
            for _ in range(1 + 3 * number):
                written.append(int(writer.stdout.readline()))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.communicate()
        with VectorCache(tmp_path, DIMENSIONS, LIMIT) as cache:
            for last in written:
                assert get(cache, range(last - 20, last)) == list(range(last - 20, last))
            # The next one goes on where they stopped.
            put(cache, range(200_000, 200_010))
            assert len(get(cache, range(200_000, 200_010))) == 10


def test_a_full_disk_is_not_the_callers_trouble(tmp_path):
    process = start("write_to_a_full_disk", tmp_path, 0, 50_000)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    lines = output.splitlines()
    assert sum("vector_cache_trouble" in line for line in lines) == 1
    assert 0 < int(lines[-1]) < 1000
    # With room again, all goes on.
    with VectorCache(tmp_path, DIMENSIONS, LIMIT) as cache:
        put(cache, range(1000))
        assert len(get(cache, range(1000))) == 1000


@pytest.mark.parametrize("seed", [0, 1])
def test_files_cut_short_end_no_process(tmp_path, seed):
    with VectorCache(tmp_path, DIMENSIONS, LIMIT) as cache:
        put(cache, range(400))
    output = finish(start("read_what_is_cut_short", tmp_path, seed, 400))
    assert int(output.splitlines()[-1]) == 400


def test_a_fork_writes_elsewhere_than_its_parent(tmp_path):
    with VectorCache(tmp_path, DIMENSIONS, LIMIT) as cache:
        put(cache, range(100))
        child = os.fork()
        if not child:
            try:
                put(cache, range(100, 200))
            finally:
                os._exit(0)
        put(cache, range(200, 300))
        os.waitpid(child, 0)
        assert get(cache, range(300)) == list(range(300))
