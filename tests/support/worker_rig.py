"""A store, the small services and real worker processes, each of which can be killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.dataset import PipelineParameters, Status
from gateway.job_store import JobStore
from gateway.store import DatasetStore
from gateway.tables import RECORDS_FILE, ROWS_FILE, read_table
from gateway.uploads import SOURCE_FILE, table_facts
from tests.support.small_services import SERVICES

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


def wait_until(true, seconds=PATIENCE_SECONDS):
    """Return what `true` returns once that is true; fail when it does not become so."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return value


def csv_of(row_count):
    """Return a table of texts about four topics, the first of them in half of the rows."""
    topics = [0, 1, 0, 2, 0, 3, 0, 1]
    lines = [f'{row},"topic{topics[row % 8]} message {row % 200}"' for row in range(row_count)]
    return "\n".join(["id,text", *lines, ""]).encode()


def accept(store, artifacts, source, **parameters):
    """Return the id of an upload that was just accepted."""
    dataset_id = str(uuid4())
    folder = artifacts.incoming_dir(dataset_id)
    (folder / SOURCE_FILE).write_bytes(source)
    info = read_table(folder / SOURCE_FILE, folder, "text")
    artifacts.accept(dataset_id)
    names = {"source": SOURCE_FILE, "rows": ROWS_FILE, "records": RECORDS_FILE}
    files = [artifacts.describe(dataset_id, *item) for item in names.items()]
    parameters = PipelineParameters(grid_size=16, **parameters)
    store.create(
        dataset_id,
        "messages.csv",
        table_facts(info),
        parameters,
        (),
        files,
        request_id="upload-1",
    )
    return dataset_id


class Process:
    """A Python module as a process of its own."""

    def __init__(self, module, arguments=(), environment=None, log=None):
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._log = log
        self.start()

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=REPOSITORY, env=self._environment, stdout=log, stderr=log
            )
        self.pid = self._process.pid

    def kill(self):
        """Kill at once, as `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def terminate(self, seconds=10):
        """Ask to stop, and return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def is_running(self):
        return self._process.poll() is None


class WorkerRig:
    """Everything around workers."""

    def __init__(self, folder, sockets, environment, separate, embedders):
        self.folder, self.sockets = folder, sockets
        self.calls_folder = folder / "calls-of-services"
        self.calls_folder.mkdir()
        self.data_dir = folder / "data"
        self.environment = {
            "LEVEL_DATA_DIR": str(self.data_dir),
            **{f"LEVEL_{name.upper()}_ADDRESS": self.address(name) for name in SERVICES},
            "LEVEL_EMBEDDER_ADDRESS": self._embedder_addresses(embedders),
            **environment,
        }
        url = environment.get("LEVEL_DATABASE_URL", f"sqlite:///{self.data_dir}/level.sqlite")
        self.database = Database(url.replace("postgresql:", "postgresql+psycopg:"))
        self.database.create_tables()
        self.store, self.artifacts = DatasetStore(self.database), ArtifactStore(self.data_dir)
        self.jobs = JobStore(self.database)
        self._workers = []
        others = [name for name in SERVICES if name != separate]
        self._services = [self._start_services(others)]
        if separate:
            self.separate = self._start_services([separate])
            self._services.append(self.separate)
        self.more_embedders = [
            self._start_services(["embedder"], f"-{number}") for number in range(embedders - 1)
        ]
        self._services.extend(self.more_embedders)

    def address(self, name):
        return f"unix:{self.sockets / name}"

    def start_worker(self):
        log = self.folder / f"worker-{len(self._workers)}.log"
        worker = Process("gateway.worker", (), self.environment, log)
        worker.log = log
        self._workers.append(worker)
        return worker

    def add_dataset(self, row_count=300, source=None, **parameters):
        """Return the id of an upload that was just accepted."""
        source = csv_of(row_count) if source is None else source
        return accept(self.store, self.artifacts, source, **parameters)

    def finish(self, dataset_id):
        """Wait until a dataset ended, and return it."""

        def ended():
            dataset = self.store.get(dataset_id)
            return dataset if dataset.status != Status.PROCESSING else None

        return wait_until(ended)

    def hold(self, rpc, after=0):
        """Make calls of an rpc wait; the first `after` ones pass."""
        order = self.calls_folder / "order"
        order.write_text(str(after))
        order.rename(self.calls_folder / f"hold-{rpc}")  # whole from its first moment

    def release(self, rpc):
        (self.calls_folder / f"hold-{rpc}").unlink()

    def refuse(self, rpc, message):
        """Make calls of an rpc fail for good."""
        (self.calls_folder / f"fail-{rpc}").write_text(message)

    def calls(self):
        """Return how often each rpc was called."""
        return Counter(line.split()[0] for line in self._call_lines())

    def callees(self, rpc):
        """Return how many calls of an rpc each process has taken, by its id."""
        calls = (line.split() for line in self._call_lines())
        return Counter(int(pid) for name, pid in calls if name == rpc)

    def wait_for_call(self, rpc, count=1):
        wait_until(lambda: self.calls()[rpc] >= count)

    def results(self, dataset_id):
        """Return the checksum of everything that is stored of a dataset."""
        return {
            name: artifact.checksum
            for name, artifact in self.store.get(dataset_id).artifacts.items()
        }

    def close(self):
        for process in [*self._workers, *self._services]:
            process.kill()
        self.database.close()

    def _call_lines(self):
        calls = self.calls_folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def _embedder_addresses(self, count):
        own = self.address("embedder")
        return ",".join([own, *(f"{own}-{number}" for number in range(count - 1))])

    def _start_services(self, names, suffix=""):
        addresses = [f"{name}={self.address(name)}{suffix}" for name in names]
        log = self.folder / f"{names[0]}{suffix}.log"
        arguments = (str(self.calls_folder), *addresses)
        return Process("tests.support.small_services", arguments, None, log)


@contextmanager
def worker_rig(folder, *, separate=None, embedders=1, **environment):
    """Give a store and running small services, `separate` in its own process; no worker yet."""
    sockets = Path(tempfile.mkdtemp(prefix="level-"))  # a socket's path has room for 100 characters
    rig = None
    try:
        rig = WorkerRig(folder, sockets, environment, separate, embedders)
        yield rig
    finally:
        if rig:
            rig.close()
        rmtree(sockets, ignore_errors=True)
