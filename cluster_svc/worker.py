"""The compute process: takes one job after the other, reports, answers.

Started by ``cluster_svc.compute``. It ends as soon as its parent does: a thread waits on the socket
that joins them, and the end of that socket ends the process in the middle of any job.
"""

from __future__ import annotations

import importlib
import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster_svc.jobs import ClusterJob, Event, Job, LayOutJob
    from cluster_svc.vectors import FloatArray

    Task = tuple[Job, FloatArray | None]
    Send = Callable[[Event], None]

# Below the processes that answer people.
_NICENESS = 10

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def main() -> None:
    """Serve jobs until the parent is gone; arguments: the socket's descriptor, the thread count."""
    descriptor, thread_count = sys.argv[1:]
    _limit_process(thread_count)
    # Before there are two threads: they would wait for each other's half-imported modules.
    importlib.import_module("cluster_svc.jobs")
    connection = Connection(int(descriptor))
    tasks: queue.Queue[Task] = queue.Queue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    for warm_up in _WARM_UPS:
        if tasks.empty():
            warm_up()
    while True:
        _work(*tasks.get(), connection.send)


def _limit_process(thread_count: str) -> None:
    """Set what must be set before NumPy is loaded; leave stopping to the parent."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = thread_count
    # Idle OpenMP threads would spin on the cores that the other services need.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.nice(_NICENESS)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _receive(connection: Connection, tasks: queue.Queue[Task]) -> None:
    """Queue jobs with their vectors; end the process when the parent is gone."""
    from cluster_svc.jobs import ClusterJob
    from cluster_svc.shared_array import map_array

    try:
        while True:
            job = connection.recv()
            vectors = None
            if isinstance(job, ClusterJob):
                handle = recv_handle(connection)
                vectors = map_array(handle, job.shape)
                os.close(handle)
            tasks.put((job, vectors))
    except (EOFError, OSError):
        os._exit(0)


def _work(job: Job, vectors: FloatArray | None, send: Send) -> None:
    from cluster_svc.jobs import ClusterJob, Failed
    from level_rpc.errors import LevelError

    try:
        if isinstance(job, ClusterJob):
            assert vectors is not None
            _cluster(job, vectors, send)
        else:
            _lay_out(job, send)
    except LevelError as error:
        send(Failed(error))
    except Exception:
        send(Failed(None, traceback.format_exc()))


def _cluster(job: ClusterJob, vectors: FloatArray, send: Send) -> None:
    from cluster_svc.clusters import run_clustering
    from cluster_svc.jobs import Clustered, GraphBuilt, Progressed

    clustering = run_clustering(
        vectors,
        job.algorithm,
        job.parameters,
        job.seed,
        graph=job.graph,
        neighbor_count=job.neighbor_count,
        exemplar_count=job.exemplar_count,
        default_eps=job.default_eps,
        report=lambda stage, fraction: send(Progressed(stage, fraction)),
        on_graph=lambda graph: send(GraphBuilt(graph)),
    )
    send(Clustered(clustering))


def _lay_out(job: LayOutJob, send: Send) -> None:
    from cluster_svc.clusters import Stage
    from cluster_svc.jobs import LaidOut, Progressed
    from cluster_svc.layout import lay_out

    positions = lay_out(
        job.graph,
        seed=job.seed,
        start=job.start,
        report=lambda fraction: send(Progressed(Stage.LAYOUT, fraction)),
    )
    send(LaidOut(positions))


def _compile_layout() -> None:
    import numpy as np

    from cluster_svc.graph import build_graph
    from cluster_svc.layout import lay_out

    lay_out(build_graph(np.eye(4, dtype=np.float32)))


# What jobs will need, in the order in which they will; skipped when a job is there already.
_WARM_UPS: tuple[Callable[[], object], ...] = (
    lambda: importlib.import_module("sknetwork.clustering"),
    lambda: importlib.import_module("umap.layouts"),
    _compile_layout,
)


if __name__ == "__main__":
    main()
