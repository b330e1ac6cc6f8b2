"""Files of datasets: named when whole, and noticed when not."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.errors import ArtifactDamaged, StoreUnavailable
from gateway.store import DatasetStore
from gateway.worker.janitor import STRAY_SECONDS, Janitor
from tests.support.store_cases import add_dataset

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def artifacts(tmp_path):
    return ArtifactStore(tmp_path)


@pytest.fixture
def dataset_id(artifacts):
    dataset_id = str(uuid4())
    artifacts.incoming_dir(dataset_id)
    artifacts.accept(dataset_id)
    return dataset_id


def names(artifacts, dataset_id):
    return sorted(path.name for path in artifacts.dataset_dir(dataset_id).iterdir())


def test_an_array_comes_back_as_a_map_of_its_file(artifacts, dataset_id):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    artifact = artifacts.save_array(dataset_id, "vectors", array, ("rows",))
    loaded = artifacts.open_array(dataset_id, artifact)
    assert isinstance(loaded, np.memmap)
    assert not loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)
    assert artifact.parents == ("rows",)


def test_json_comes_back_and_holds_no_nan(artifacts, dataset_id):
    value = {"hills": [{"label": "\ud800 <b>", "x": 1.5}]}
    artifact = artifacts.save_json(dataset_id, "terrain", value)
    assert artifacts.load_json(dataset_id, artifact) == value
    with pytest.raises(ValueError, match="JSON"):
        artifacts.save_json(dataset_id, "terrain", {"x": float("nan")})


def test_objects_that_would_need_pickle_are_refused(artifacts, dataset_id):
    with pytest.raises(ValueError, match=r"(?i)object arrays"):
        artifacts.save_array(dataset_id, "labels", np.array([{}], dtype=object))
    assert names(artifacts, dataset_id) == []


def test_an_interrupted_write_leaves_the_file_as_it_was(artifacts, dataset_id):
    artifact = artifacts.save_json(dataset_id, "names", ["first"])

    def interrupted():
        with artifacts.writing(dataset_id, "names.json") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert artifacts.load_json(dataset_id, artifact) == ["first"]
    assert names(artifacts, dataset_id) == ["names.json"]


@pytest.mark.parametrize("moment", ["fsync", "rename"])
def test_a_process_killed_before_the_rename_leaves_nothing_named(artifacts, dataset_id, moment):
    root = artifacts.dataset_dir(dataset_id).parents[1]
    command = [sys.executable, "-c", _KILLED, str(root), dataset_id, moment]
    killed = subprocess.run(command, cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = names(artifacts, dataset_id)
    assert left.startswith(".vectors.npy.") and left.endswith(".part")
    assert [path.name for path in artifacts.unfinished_files()] == [left]


_KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from gateway.artifacts import ArtifactStore
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "fsync":
    os.fsync = die
else:
    Path.rename = die
ArtifactStore(Path(sys.argv[1])).save_array(sys.argv[2], "vectors", np.zeros(9))
"""


def test_a_full_disk_is_a_store_that_cannot_answer(artifacts, dataset_id, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="full"):
        artifacts.save_json(dataset_id, "names", [])
    assert names(artifacts, dataset_id) == []


@pytest.mark.parametrize("damage", ["removed", "cut", "changed"])
@pytest.mark.parametrize("opener", ["open_array", "path"])
def test_a_damaged_file_is_noticed_and_a_restored_one_is_good_again(
    artifacts, dataset_id, opener, damage
):
    artifact = artifacts.save_array(dataset_id, "labels", np.arange(100))
    path = artifacts.dataset_dir(dataset_id) / artifact.path
    whole = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "cut":
        os.truncate(path, artifact.byte_count - 1)
    else:
        flip_last_bit(path)
    for _ in range(2):
        with pytest.raises(ArtifactDamaged, match="labels"):
            getattr(artifacts, opener)(dataset_id, artifact)
    path.write_bytes(whole)
    getattr(artifacts, opener)(dataset_id, artifact)


def test_changed_json_is_noticed(artifacts, dataset_id):
    artifact = artifacts.save_json(dataset_id, "names", [1])
    (artifacts.dataset_dir(dataset_id) / "names.json").write_bytes(b"[2]")
    with pytest.raises(ArtifactDamaged, match="names"):
        artifacts.load_json(dataset_id, artifact)


def test_a_file_is_checked_when_it_is_first_opened_and_no_more(artifacts, dataset_id):
    artifact = artifacts.save_array(dataset_id, "labels", np.arange(100))
    artifacts.open_array(dataset_id, artifact)
    flip_last_bit(artifacts.dataset_dir(dataset_id) / artifact.path)
    artifacts.open_array(dataset_id, artifact)
    replaced = artifacts.save_array(dataset_id, "labels", np.arange(100, 200))
    assert artifacts.open_array(dataset_id, replaced)[0] == 100


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_an_accepted_upload_appears_with_all_of_its_files(artifacts):
    dataset_id = str(uuid4())
    folder = artifacts.incoming_dir(dataset_id)
    for name in ("source", "rows.parquet"):
        (folder / name).write_bytes(name.encode())
    assert not artifacts.dataset_dir(dataset_id).exists()
    artifacts.accept(dataset_id)
    assert names(artifacts, dataset_id) == ["rows.parquet", "source"]
    assert not folder.exists()


@pytest.mark.parametrize("evil", ["../x", "/etc", "", "a" * 36])
def test_an_id_that_is_none_names_no_folder(artifacts, evil):
    with pytest.raises(ValueError, match="UUID"):
        artifacts.dataset_dir(evil)


class TestJanitor:
    @pytest.fixture
    def store(self, tmp_path):
        database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
        database.create_tables()
        yield DatasetStore(database)
        database.close()

    def add(self, store, artifacts):
        dataset_id = str(uuid4())
        (artifacts.incoming_dir(dataset_id) / "source").write_bytes(b"x")
        artifacts.accept(dataset_id)
        return add_dataset(store, dataset_id)

    def test_old_strays_go_and_fresh_ones_stay(self, store, artifacts):
        known = self.add(store, artifacts)
        old_upload, fresh_upload = str(uuid4()), str(uuid4())
        old = artifacts.incoming_dir(old_upload)
        fresh = artifacts.incoming_dir(fresh_upload)
        for folder in (old, artifacts.dataset_dir(known)):
            make_old(folder)
        Janitor(store, artifacts, 0).sweep()
        assert not old.exists()
        assert fresh.exists()
        assert artifacts.dataset_dir(known).exists()

    def test_a_stray_that_is_still_written_to_stays(self, store, artifacts):
        folder = artifacts.incoming_dir(str(uuid4()))
        make_old(folder)
        (folder / "source").write_bytes(b"still coming")
        os.utime(folder, (0, 0))
        Janitor(store, artifacts, 0).sweep()
        assert folder.exists()

    def test_unfinished_files_of_a_dataset_go_when_they_are_old(self, store, artifacts):
        folder = artifacts.dataset_dir(self.add(store, artifacts))
        old, fresh = folder / ".vectors.npy.aa.part", folder / ".vectors.npy.bb.part"
        for path in (old, fresh):
            path.write_bytes(b"half")
        make_old(old)
        Janitor(store, artifacts, 0).sweep()
        assert not old.exists()
        assert fresh.exists()
        assert (folder / "source").exists()

    def test_only_unused_datasets_at_rest_expire(self, store, artifacts):
        processing, unused = self.add(store, artifacts), self.add(store, artifacts)
        store.fail(unused, "x")
        Janitor(store, artifacts, 3_600).sweep()
        assert store.ids() == {processing, unused}
        Janitor(store, artifacts, 1e-9).sweep()
        assert store.ids() == {processing}
        assert not artifacts.dataset_dir(unused).exists()
        assert artifacts.dataset_dir(processing).exists()


def make_old(path):
    moment = time.time() - STRAY_SECONDS - 60
    for entry in [path, *(path.iterdir() if path.is_dir() else ())]:
        os.utime(entry, (moment, moment))
    os.utime(path, (moment, moment))
