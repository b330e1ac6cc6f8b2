"""Which worker processes are alive."""

import hashlib
import os
import socket
from pathlib import Path
from uuid import uuid4

SILENT_SECONDS = 10.0
BEAT_SECONDS = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_NUMBERS = Path("/proc/self/ns/pid")


def new_executor_id() -> str:
    """Return "host/pid/random": names this process, and no other ever."""
    return f"{_host()}/{os.getpid()}/{uuid4().hex[:12]}"


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


class DeathWatch:
    """Tells which workers have died, by how long this process has heard nothing of them.

    Clocks of different hosts are never compared. While this process slept, or could not reach the
    database, it could hear nothing: of a long pause between two looks only a short one counts.

    Parameters
    ----------
    own_id : str
        The executor id of this process.
    """

    def __init__(self, own_id: str) -> None:
        self._own_id = own_id
        self._beats: dict[str, float] = {}
        self._silence: dict[str, float] = {}
        self._looked_at: float | None = None

    def dead(self, beats: dict[str, float], now: float) -> list[str]:
        """Return the dead among the workers of `beats`.

        Parameters
        ----------
        beats : dict of str to float
            The last beat of every worker.
        now : float
            Seconds of a clock that never goes back.
        """
        pause = 0.0 if self._looked_at is None else min(now - self._looked_at, 2 * BEAT_SECONDS)
        self._looked_at = now
        self._silence = {
            executor_id: self._silence.get(executor_id, 0.0) + pause
            if self._beats.get(executor_id) == beat
            else 0.0
            for executor_id, beat in beats.items()
        }
        self._beats = dict(beats)
        return [executor_id for executor_id in beats if self._is_dead(executor_id)]

    def _is_dead(self, executor_id: str) -> bool:
        if executor_id == self._own_id:
            return False
        silent = self._silence[executor_id] >= SILENT_SECONDS
        return silent or surely_dead(executor_id, self._own_id)


def _host() -> str:
    """Return a name for the set of processes whose numbers mean the same.

    The host's name alone would not do: two containers may share it, and each has a process 1.
    """
    name = socket.gethostname()
    boot = _BOOT_ID.read_text() if _BOOT_ID.exists() else ""
    numbers = os.readlink(_PROCESS_NUMBERS) if _PROCESS_NUMBERS.exists() else ""
    digest = hashlib.blake2b(f"{name}\n{boot}\n{numbers}".encode(), digest_size=6).hexdigest()
    return f"{name[:20].replace('/', '_')}.{digest}"
