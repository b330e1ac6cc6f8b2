"""The compute process: takes one job after the other, reports, answers.

Started by ``cluster_svc.compute``. It ends as soon as its parent does: a thread waits on the socket
that joins them, and the end of that socket ends the process in the middle of any job.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster_svc.compute_options import ComputeOptions
from cluster_svc.jobs import Job

# Below the processes that answer people.
_NICENESS = 10

# Blocks of rows are spread over threads of our own; a library's would make the same sums differ.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Serve jobs until the parent is gone; arguments: the socket's descriptor, the options."""
    descriptor, options = sys.argv[1:]
    _limit_process()
    # Before there are two threads: they would wait for each other's half-imported modules.
    for name in ("cluster_svc.work", "cluster_svc.warm_up"):
        importlib.import_module(name)
    from cluster_svc.compute_options import ComputeOptions

    _serve(Connection(int(descriptor)), ComputeOptions(**json.loads(options)))


def _limit_process() -> None:
    """Set what must be set before NumPy is loaded; leave stopping to the parent."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    os.nice(_NICENESS)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _serve(connection: Connection, options: ComputeOptions) -> None:
    from cluster_svc.warm_up import warm_up
    from cluster_svc.work import find_search
    from level_rpc.errors import LevelError

    # Loads what the engine needs, if anything; each job that cannot have it says so.
    with suppress(LevelError):
        find_search(options)
    jobs: queue.Queue[Job] = queue.Queue()
    threading.Thread(target=_receive, args=(connection, jobs), daemon=True).start()
    # A job that comes meanwhile waits for what it needs, and for nothing else.
    threading.Thread(target=warm_up, daemon=True).start()
    while True:
        _answer(jobs.get(), options, connection)


def _receive(connection: Connection, jobs: queue.Queue[Job]) -> None:
    """Queue jobs; end the process when the parent is gone."""
    from cluster_svc import channel

    try:
        while True:
            jobs.put(channel.receive(connection))
    except (EOFError, OSError):
        os._exit(0)
    except BaseException:
        # Without this thread the parent would wait for ever.
        traceback.print_exc()
        os._exit(1)


def _answer(job: Job, options: ComputeOptions, connection: Connection) -> None:
    """Send the events of a job, its end last."""
    from cluster_svc import channel
    from cluster_svc.jobs import Event, Failed
    from cluster_svc.work import do_job
    from level_rpc.errors import LevelError

    def send(event: Event) -> None:
        channel.send(connection, event, os.getppid())

    try:
        send(do_job(job, options, send))
    except LevelError as error:
        send(Failed(error))
    except Exception:
        send(Failed(None, traceback.format_exc()))


if __name__ == "__main__":
    main()
