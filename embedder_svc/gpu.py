"""Whether this machine has a GPU, found out without torch: importing that costs seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

# Of NVIDIA's driver, of it under Windows' Linux, on NVIDIA's ARM boards, and of AMD's.
_DEVICE_FILES = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl-gpu", "/dev/kfd")))


def gpu_may_be_used(device_files: Sequence[Path] = _DEVICE_FILES) -> bool:
    """Return False where no GPU's driver has made a device; torch alone knows if it can use one.

    The files are looked for rather than the driver asked: a process that has asked it can no
    longer use the GPU in its forks.

    Parameters
    ----------
    device_files
        What the drivers make on Linux; Windows has no such files, and torch is asked.
    """
    return os.name == "nt" or any(path.exists() for path in device_files)
