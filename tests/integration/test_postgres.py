"""The store and a worker on PostgreSQL: a cluster of the test's own, in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gateway.database import Database
from gateway.dataset import Stage, Status
from gateway.errors import StoreUnavailable
from gateway.store import DatasetStore
from tests.support.job_contract import JobContract
from tests.support.store_cases import add_dataset
from tests.support.store_contract import StoreContract
from tests.support.worker_rig import wait_until, worker_rig

pytestmark = pytest.mark.postgres


def _programs():
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders.extend(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


class Cluster:
    """A PostgreSQL server that listens on a socket in its folder only."""

    def __init__(self, programs, folder):
        self._programs, self._folder = programs, folder
        self._run("initdb", "-D", str(folder / "data"), "-U", "level", "-A", "trust", "-N")
        self.start()

    def start(self):
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
        self._control("start", "-o", options, "-l", str(self._folder / "log"))

    def stop(self):
        """Stop at once, as a crash does."""
        self._control("stop", "-m", "immediate")

    def make_database(self):
        """Return the URL of an empty database."""
        name = f"level_{uuid4().hex}"
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self._url(name)

    def _url(self, name):
        return f"postgresql+psycopg://level@/{name}?host={self._folder}"

    def _control(self, *arguments):
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", *arguments)

    def _run(self, program, *arguments):
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder)


@pytest.fixture(scope="module")
def cluster():
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs initdb and pg_ctl are not installed")
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: install the extra postgres")
    folder = Path(tempfile.mkdtemp(prefix="level-pg-"))
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    cluster = Cluster(programs, folder)
    yield cluster
    with suppress(subprocess.CalledProcessError):
        cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(cluster):
    database = Database(cluster.make_database())
    database.create_tables()
    yield database
    database.close()


@pytest.fixture
def store(database):
    return DatasetStore(database)


class TestPostgresStore(StoreContract):
    pass


class TestPostgresJobs(JobContract):
    pass


def test_a_server_that_crashed_loses_nothing_and_is_found_again(cluster, store):
    dataset_id = add_dataset(store)
    store.advance(dataset_id, Stage.EMBEDDING, 30)
    cluster.stop()
    try:
        with pytest.raises(StoreUnavailable, match="try again"):
            store.get(dataset_id)
    finally:
        cluster.start()
    assert store.get(dataset_id).progress == 30


def test_workers_share_one_database_and_survive_each_other(cluster, tmp_path):
    url = cluster.make_database()
    with worker_rig(tmp_path, LEVEL_DATABASE_URL=url.replace("+psycopg", "")) as rig:
        workers = [rig.start_worker(), rig.start_worker()]
        for worker in workers:
            wait_until(lambda log=worker.log: "worker_ready" in log.read_text())
        datasets = [rig.add_dataset() for _ in range(3)]
        for dataset_id in datasets:
            assert rig.finish(dataset_id).status == Status.COMPLETED
        assert rig.calls()["Embed"] == 3
        assert rig.calls()["BuildTerrain"] == 2 * 3  # one for each layer

        rig.hold("Cluster")
        last = rig.add_dataset()
        rig.wait_for_call("Cluster", 4)
        for worker in workers:
            worker.kill()
        rig.release("Cluster")
        rig.start_worker()
        assert rig.finish(last).status == Status.COMPLETED
        assert rig.calls()["Embed"] == 4


def test_a_worker_waits_for_a_server_that_crashed(cluster, tmp_path):
    url = cluster.make_database()
    with worker_rig(tmp_path, LEVEL_DATABASE_URL=url.replace("+psycopg", "")) as rig:
        dataset_id = rig.add_dataset()
        rig.hold("Cluster")
        worker = rig.start_worker()
        rig.wait_for_call("Cluster")
        cluster.stop()
        rig.release("Cluster")
        wait_until(lambda: "call_repeated" in worker.log.read_text())
        cluster.start()
        dataset = rig.finish(dataset_id)
        assert (dataset.status, dataset.error) == (Status.COMPLETED, None)
