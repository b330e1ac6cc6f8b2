import errno
import fcntl
import os
import shutil
import stat
import threading

import numpy as np
import pytest
from structlog.testing import capture_logs

from embedder_svc.vector_cache import VectorCache
from tests.unit.embedder_svc.cache_process import (
    DIMENSIONS,
    LIMIT,
    disk_bytes,
    get,
    key_of,
    put,
    vectors_of,
)

# 24 floats, 32 bytes about them, and a key of 16.
ROW_BYTES = 144
ROWS_AT_LIMIT = LIMIT // ROW_BYTES


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "vectors"


@pytest.fixture
def cache(folder):
    with VectorCache(folder, DIMENSIONS, LIMIT) as cache:
        yield cache


def test_what_was_put_is_found_bit_for_bit(cache):
    assert cache.reason is None
    put(cache, range(0, 100))
    assert get(cache, [5, 200, 7, 5, 99, 201]) == [5, 7, 5, 99]
    stats = cache.stats
    assert (stats.lookups, stats.hits, stats.entries) == (6, 4, 100)
    assert stats.bytes == 100 * ROW_BYTES


def test_nothing_is_found_of_no_keys(cache):
    assert get(cache, []) == []
    put(cache, [1])
    assert get(cache, []) == []


def test_another_process_and_a_later_one_find_it(cache, folder):
    with VectorCache(folder, DIMENSIONS, LIMIT) as other:
        put(cache, range(10))
        assert get(other, range(10)) == list(range(10))
        put(other, range(10, 20))
        assert get(cache, range(20)) == list(range(20))
    cache.close()
    assert get(VectorCache(folder, DIMENSIONS, LIMIT), range(20)) == list(range(20))


def test_the_last_vector_of_a_key_counts(cache, folder):
    keys, no = [b"k" * 16], np.zeros(1, bool)
    for number in range(3):
        cache.put_many(keys, vectors_of([number]), no, no)
        for reader in (cache, VectorCache(folder, DIMENSIONS, LIMIT)):
            assert np.array_equal(reader.get_many(keys).vectors, vectors_of([number]))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 384, 1023])
def test_every_length_of_vector(folder, dimensions):
    with VectorCache(folder, dimensions, LIMIT) as cache:
        put(cache, range(20), dimensions)
        assert get(cache, range(20), dimensions) == list(range(20))


def test_models_share_a_folder_and_its_limit(cache, folder):
    with VectorCache(folder, 8, LIMIT) as other:
        put(cache, range(100))
        put(other, range(50), 8)
        assert get(cache, range(100)) == list(range(100))
        assert get(other, range(100), 8) == list(range(50))
        assert cache.stats.entries == other.stats.entries == 150
        put(other, range(20_000), 8)
    assert get(cache, range(100)) == []
    assert disk_bytes(folder) <= LIMIT


# --- the limit


def test_the_limit_holds_after_every_write(cache, folder):
    for start in range(0, 3 * ROWS_AT_LIMIT, 500):
        put(cache, range(start, start + 500))
        assert disk_bytes(folder) <= LIMIT
        assert get(cache, range(start, start + 500)) == list(range(start, start + 500))
    assert disk_bytes(folder) > 0.8 * LIMIT


def test_what_was_not_used_for_longest_goes_first(cache):
    step = ROWS_AT_LIMIT // 10
    for start in range(0, 8 * step, step):
        put(cache, range(start, start + step))
    used = range(0, 2 * step)
    assert get(cache, used) == list(used)
    put(cache, range(100_000, 100_000 + 4 * step))
    assert get(cache, used) == list(used)
    # The rows beside them in the same file stay with them.
    assert get(cache, range(2 * step + ROWS_AT_LIMIT // 32, 3 * step)) == []
    assert len(get(cache, range(7 * step, 8 * step))) == step


def test_a_smaller_limit_is_kept_from_the_next_start(cache, folder):
    put(cache, range(ROWS_AT_LIMIT))
    cache.close()
    with VectorCache(folder, DIMENSIONS, LIMIT // 4) as smaller:
        assert 0 < disk_bytes(folder) <= LIMIT // 4
        put(smaller, range(ROWS_AT_LIMIT, ROWS_AT_LIMIT + 100))
        assert disk_bytes(folder) <= LIMIT // 4
        assert len(get(smaller, range(ROWS_AT_LIMIT, ROWS_AT_LIMIT + 100))) == 100


@pytest.mark.parametrize("byte_limit", [1, ROW_BYTES - 1, ROW_BYTES, 10 * ROW_BYTES])
def test_a_limit_of_hardly_a_row(folder, byte_limit):
    with VectorCache(folder, DIMENSIONS, byte_limit) as cache:
        for number in range(30):
            put(cache, [number])
            assert disk_bytes(folder) <= byte_limit
            assert get(cache, [number]) == ([number] if byte_limit >= ROW_BYTES else [])


def test_short_lives_leave_few_files(folder):
    for number in range(50):
        with VectorCache(folder, DIMENSIONS, LIMIT) as cache:
            put(cache, [number])
    assert len(list(folder.iterdir())) == 2
    assert get(cache, range(50)) == list(range(50))


# --- trouble


@pytest.mark.parametrize("byte_limit", [0, -1])
def test_no_limit_at_all_is_a_cache_that_is_off(folder, byte_limit):
    with VectorCache(folder, DIMENSIONS, byte_limit) as cache:
        put(cache, range(10))
        assert get(cache, range(10)) == []
        assert cache.reason == "its size limit is 0"
        assert cache.stats.bytes == 0
    assert not folder.exists()


def test_a_folder_that_cannot_be_one_switches_the_cache_off(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "vectors"):
        with capture_logs() as logs:
            cache = VectorCache(folder, DIMENSIONS, LIMIT)
            put(cache, range(10))
            assert get(cache, range(10)) == []
            assert cache.stats.entries == 0
        assert cache.reason is not None
        assert "folder cannot be used" in cache.reason
        assert [log["event"] for log in logs if log["event"] == "vector_cache_off"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_cannot_be_written_is_still_read(cache, folder):
    put(cache, range(10))
    cache.close()
    folder.chmod(0o500)
    for path in folder.iterdir():
        path.chmod(0o400)
    check_that_it_is_only_read(folder)
    folder.chmod(0o700)


def test_a_segment_that_cannot_be_opened_is_logged_once(cache, folder):
    put(cache, range(10))
    cache.close()
    for path in folder.glob("*.records"):
        # Not to be followed by a writer, as what is read-only is not to be opened.
        path.symlink_to(path.rename(folder.parent / "elsewhere"))
    check_that_it_is_only_read(folder)


def check_that_it_is_only_read(folder):
    with capture_logs() as logs:
        reader = VectorCache(folder, DIMENSIONS, LIMIT)
        for _ in range(3):
            put(reader, range(10, 20))
            get(reader, range(20))
    assert [log["event"] for log in logs] == ["vector_cache_trouble"]
    assert logs[0]["doing"] == "write"


def test_a_disk_without_locks_is_not_written(cache, folder, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with capture_logs() as logs:
        for _ in range(3):
            put(cache, range(10))
            assert get(cache, range(10)) == []
    assert [log["problem"] for log in logs] == ["No locks available"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("is_let_go", [True, False])
def test_a_new_segment_that_another_fills_first_is_left_to_it(
    cache, folder, monkeypatch, is_let_go
):
    lock, others = fcntl.flock, []

    def lock_late(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", lock)
        others.append(VectorCache(folder, DIMENSIONS, LIMIT))
        put(others[0], range(1000, 1000 + ROWS_AT_LIMIT // 32))
        if is_let_go:
            others[0].close()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    put(cache, range(10))
    assert get(cache, range(10)) == list(range(10))
    assert len(get(cache, range(1000, 2000))) == ROWS_AT_LIMIT // 32


def test_only_its_owner_may_read_it(cache, folder):
    put(cache, range(10))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_folder_may_be_deleted_at_any_time(cache, folder):
    put(cache, range(100))
    assert len(get(cache, range(100))) == 100
    shutil.rmtree(folder)
    assert get(cache, range(100)) == []
    assert cache.stats.bytes == 0
    put(cache, range(50))
    shutil.rmtree(folder)
    put(cache, range(50))
    assert get(cache, range(100)) == list(range(50))


@pytest.mark.parametrize("kind", ["keys", "records"])
def test_a_file_may_be_deleted_at_any_time(cache, folder, kind):
    put(cache, range(100))
    assert len(get(cache, range(100))) == 100
    next(folder.glob(f"*.{kind}")).unlink()
    assert get(cache, range(100)) == []
    put(cache, range(100))
    assert get(cache, range(100)) == list(range(100))


def test_a_damaged_record_is_not_found_and_can_be_put_anew(cache, folder):
    put(cache, range(100))
    path = next(folder.glob("*.records"))
    content = bytearray(path.read_bytes())
    for row in range(0, 100, 10):
        content[row * (ROW_BYTES - 16) + row] ^= 1
    path.write_bytes(content)
    whole = [number for number in range(100) if number % 10]
    assert get(cache, range(100)) == whole
    put(cache, range(0, 100, 10))
    for reader in (cache, VectorCache(folder, DIMENSIONS, LIMIT)):
        assert get(reader, range(100)) == list(range(100))


def test_a_vector_without_unit_length_is_not_kept(cache):
    vectors = vectors_of(range(6))
    vectors[1] = np.nan
    vectors[2] = 0
    vectors[3] *= 1.01
    vectors[4] = np.inf
    no = np.zeros(6, bool)
    cache.put_many([key_of(number) for number in range(6)], vectors, no, no)
    cached = cache.get_many([key_of(number) for number in range(6)])
    assert cached.found.tolist() == [True, False, False, False, False, True]
    assert np.array_equal(cached.vectors, vectors[[0, 5]])


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 17])
def test_a_key_of_another_length_is_a_mistake(cache, key):
    no = np.zeros(1, bool)
    with pytest.raises(ValueError, match="16 bytes"):
        cache.get_many([key])
    with pytest.raises(ValueError, match="16 bytes"):
        cache.put_many([key], vectors_of([1]), no, no)


def test_vectors_of_another_length_are_a_mistake(cache):
    no = np.zeros(1, bool)
    with pytest.raises(ValueError, match="shape"):
        cache.put_many([b"k" * 16], vectors_of([1], 8), no, no)


def test_other_formats_are_evicted_in_their_turn_and_never_read(cache, folder):
    put(cache, range(100))
    cache.close()
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace(".v1.", ".v2.")))
    assert get(cache, range(100)) == []
    assert cache.stats.bytes == 100 * ROW_BYTES
    put(cache, range(ROWS_AT_LIMIT))
    assert not list(folder.glob("*.v2.*"))


def test_foreign_files_are_left_alone(cache, folder):
    (folder / "README").write_bytes(b"x" * 2 * LIMIT)
    (folder / "0123456789abcdef-24-01234567.v1.keys.bak").mkdir()
    put(cache, range(2 * ROWS_AT_LIMIT))
    assert cache.stats.bytes <= LIMIT
    assert len(list(folder.iterdir())) > 2
    assert (folder / "README").exists()


def test_threads(cache):
    failures = []

    def use(first: int) -> None:
        try:
            for start in range(first, first + 1000, 100):
                put(cache, range(start, start + 100))
                assert get(cache, range(start, start + 100)) == list(range(start, start + 100))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(get(cache, range(4000))) == 4000
