"""The database: its tables and how a transaction is made; the only file that knows which one it is.

SQLite runs in WAL mode with every commit synced, so an acknowledged write survives `kill -9` and
power loss; PostgreSQL needs nothing. Writers take SQLite's lock when they begin, because a reader
that becomes a writer in mid-transaction cannot wait for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from gateway.errors import StoreDamaged, StoreUnavailable
from level_rpc.errors import FailedPrecondition

SCHEMA_VERSION = 1
BUSY_SECONDS = 5
# PostgreSQL's name for the lock under which tables are made: any number that no one else uses.
_SCHEMA_LOCK = 7_305_481

metadata = sa.MetaData()
schema_table = sa.Table("level_schema", metadata, sa.Column("version", sa.Integer, nullable=False))
datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("dataset_id", sa.String(36), primary_key=True),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("stage", sa.String(24)),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("last_used_at", sa.Double, nullable=False),
    sa.Column("completed_at", sa.Double),
    sa.Column("table_info", sa.JSON, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("warnings", sa.JSON, nullable=False),
    sa.Column("timings", sa.JSON, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("model", sa.JSON, nullable=False),
    sa.Column("clustering", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("weights", sa.JSON, nullable=False),
)
artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("dataset_id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("byte_count", sa.BigInteger, nullable=False),
    sa.Column("parents", sa.JSON, nullable=False),
    sa.Column("format_version", sa.Integer, nullable=False),
)
cluster_names = sa.Table(
    "cluster_names",
    metadata,
    sa.Column("dataset_id", sa.String(36), primary_key=True),
    sa.Column("cluster_id", sa.Integer, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("keywords", sa.JSON, nullable=False),
    sa.Column("label_source", sa.String(16), nullable=False),
    sa.Column("llm_asked", sa.Boolean, nullable=False),
)
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("dataset_id", sa.String(36), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False, index=True),
    sa.Column("created_at", sa.Double, nullable=False),
)
# What a job other than a build was asked and what came of it. Beside `jobs`, which a database of
# an earlier version has without it; a dataset has at most one of each kind.
job_records = sa.Table(
    "job_records",
    metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("dataset_id", sa.String(36), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.JSON),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("completed_at", sa.Double),
    sa.UniqueConstraint("dataset_id", "kind"),
)
# Beside `datasets`, which a database of an earlier version has without it.
embeddings = sa.Table(
    "embeddings",
    metadata,
    sa.Column("dataset_id", sa.String(36), primary_key=True),
    sa.Column("progress", sa.JSON, nullable=False),
)
totals = sa.Table(
    "totals",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
)
executors = sa.Table(
    "executors",
    metadata,
    sa.Column("executor_id", sa.String(64), primary_key=True),
    sa.Column("seen_at", sa.Double, nullable=False),
)


class Database:
    """Transactions on SQLite or PostgreSQL.

    Parameters
    ----------
    url : str
        An SQLAlchemy URL: `sqlite:///...` or `postgresql+psycopg://...`.
    """

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)

    def create_tables(self) -> None:
        """Make what is missing; several processes may do so at once.

        Raises
        ------
        FailedPrecondition
            When a newer Level made the database, which is left as it is.
        """
        with self.writing() as connection:
            if not self._is_sqlite:
                lock = sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)
                connection.execute(sa.select(lock))
            version = _schema_version(connection)
            if version is not None and version > SCHEMA_VERSION:
                message = (
                    f"The database was made by a newer Level (schema {version}, this one knows"
                    f" {SCHEMA_VERSION}). Update Level, or choose another LEVEL_DATA_DIR."
                )
                raise FailedPrecondition(message)
            metadata.create_all(connection)
            if version is None:
                connection.execute(sa.insert(schema_table).values(version=SCHEMA_VERSION))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection for reads."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that commits when the block ends without an error."""
        with self._translated(), self.engine.connect() as connection:
            if self._is_sqlite:
                connection = connection.execution_options(level_write=True)
            with connection.begin():
                yield connection

    def upsert(self, table: sa.Table, row: dict[str, Any], keys: list[str]) -> Any:
        """Return a statement that inserts a row or replaces the one with the same keys."""
        statement = self._insert(table, row)
        changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    def add_to_total(self, name: str, amount: float) -> Any:
        """Return a statement that raises a total, which begins at 0."""
        statement = self._insert(totals, {"name": name, "value": amount})
        raised = totals.c.value + statement.excluded.value
        return statement.on_conflict_do_update(index_elements=["name"], set_={"value": raised})

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _insert(self, table: sa.Table, row: dict[str, Any]) -> Any:
        if self._is_sqlite:
            from sqlalchemy.dialects.sqlite import insert
        else:
            from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
        return insert(table).values(row)

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            message = "The database cannot answer now; try again in a few seconds."
            raise StoreUnavailable(message) from error
        except exc.DatabaseError as error:
            if type(error) is not exc.DatabaseError:
                raise  # a fault of a statement, not of the file
            message = "The database is damaged; restore it from a copy, or choose another folder."
            raise StoreDamaged(message) from error


def make_engine(url: str) -> sa.Engine:
    """Return an engine for `url` with the settings under which it is safe to use."""
    if not is_sqlite(url):
        return sa.create_engine(url, pool_pre_ping=True, pool_timeout=BUSY_SECONDS)
    engine = _make_sqlite_engine(url)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_workflow_engine(url: str) -> sa.Engine:
    """Return an engine for the SQLite file of a library that begins its transactions itself."""
    engine = _make_sqlite_engine(url)
    sa.event.listen(engine, "connect", _begin_implicitly)
    return engine


def is_sqlite(url: str) -> bool:
    """Return whether a database URL names an SQLite file."""
    return url.startswith("sqlite")


def _schema_version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_table.name):
        return None
    return connection.execute(sa.select(schema_table.c.version)).scalar()


def _make_sqlite_engine(url: str) -> sa.Engine:
    path = sa.engine.make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's "begin" event says how to begin
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_implicitly(connection: Any, _record: object) -> None:
    connection.isolation_level = "IMMEDIATE"


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("level_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
