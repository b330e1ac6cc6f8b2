"""The store on SQLite."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import database as database_module
from gateway.database import Database, job_records, schema_table
from gateway.dataset import Stage
from gateway.errors import StoreDamaged, StoreUnavailable
from gateway.job_store import JobStore
from gateway.jobs import JobKind, NewJob
from gateway.store import DatasetStore
from level_rpc.errors import FailedPrecondition
from tests.support.job_contract import JobContract
from tests.support.store_cases import add_dataset
from tests.support.store_contract import StoreContract

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    yield database
    database.close()


@pytest.fixture
def store(database):
    return DatasetStore(database)


class TestSqliteStore(StoreContract):
    pass


class TestSqliteJobs(JobContract):
    pass


def test_a_database_of_an_earlier_version_gets_what_it_lacks(database, store):
    dataset_id = add_dataset(store)
    with database.writing() as connection:
        connection.execute(sa.schema.DropTable(job_records))
    database.create_tables()
    job = NewJob(JobKind.LEVEL, {}, "ask-1")
    JobStore(database).add(dataset_id, job)
    assert {one.kind for one in JobStore(database).unfinished()} == {"build", "level"}


def test_every_commit_is_synced_to_a_log(database):
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_locked_database_refuses_writes_and_serves_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.2)
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    store = DatasetStore(database)
    dataset_id = add_dataset(store)
    with closing(sqlite3.connect(tmp_path / "level.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="try again"):
            store.advance(dataset_id, Stage.EMBEDDING, 5)
        assert store.get(dataset_id).progress == 0
        other.execute("ROLLBACK")
    store.advance(dataset_id, Stage.EMBEDDING, 5)
    assert store.get(dataset_id).progress == 5
    database.close()


def test_a_full_disk_is_a_store_that_cannot_answer(database, store):
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    @sa.event.listens_for(database.engine, "begin")
    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 1}")

    with pytest.raises(StoreUnavailable):
        for _ in range(100):
            add_dataset(store)


def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "level.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE level_schema (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO level_schema VALUES (99)")
    database = Database(f"sqlite:///{path}")
    with pytest.raises(FailedPrecondition, match="newer Level"):
        database.create_tables()
    assert sa.inspect(database.engine).get_table_names() == [schema_table.name]
    database.close()


def test_a_file_that_is_no_database_is_called_damaged(tmp_path):
    (tmp_path / "level.sqlite").write_bytes(b"not a database " * 100)
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    with pytest.raises(StoreDamaged, match="restore"):
        database.create_tables()
    database.close()


def test_what_a_killed_process_acknowledged_is_kept(tmp_path):
    acknowledged = set()
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            for _, line in zip(range(25), writer.stdout, strict=False):
                acknowledged.add(line.strip())
            writer.send_signal(signal.SIGKILL)
            # What it said after that was acknowledged too; a cut last line was not.
            rest = writer.stdout.read()
            acknowledged.update(rest[: rest.rfind("\n") + 1].split())
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    store = DatasetStore(database)
    kept = {dataset_id: store.weights(dataset_id) for dataset_id in store.ids()}
    assert acknowledged <= kept.keys()
    assert len(acknowledged) >= 150
    for dataset_id in acknowledged:
        assert kept[dataset_id].weights == {0: 2.0}
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    database.close()


_WRITER = """
import sys
from gateway.database import Database
from gateway.store import DatasetStore
from tests.support.job_contract import JobContract
from tests.support.store_cases import add_dataset
database = Database(f"sqlite:///{sys.argv[1]}/level.sqlite")
database.create_tables()
store = DatasetStore(database)
while True:
    dataset_id = add_dataset(store)
    store.adjust(dataset_id, lambda _: {0: 2.0})
    print(dataset_id, flush=True)
"""
