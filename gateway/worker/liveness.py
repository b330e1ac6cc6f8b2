"""Which worker processes are alive."""

import os
import socket
from uuid import uuid4

SILENT_SECONDS = 10.0
BEAT_SECONDS = 2.0


def new_executor_id() -> str:
    """Return "host/pid/random": names this process, and no other ever."""
    return f"{socket.gethostname()[:24]}/{os.getpid()}/{uuid4().hex[:12]}"


def surely_dead(executor_id: str, own_id: str) -> bool:
    """Return whether a process of this host is gone, without waiting for its silence.

    A process of another host, or one whose number was given to a new process, is not surely dead;
    its silence will tell.
    """
    host, pid, _ = executor_id.split("/")
    own_host, own_pid, _ = own_id.split("/")
    if host != own_host:
        return False
    if pid == own_pid:
        return executor_id != own_id
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
