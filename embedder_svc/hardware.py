"""What this machine computes with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

# Best first; the ones that matrix kernels choose between.
_INSTRUCTION_SETS = (
    ("amx_tile", "amx"),
    ("avx512_vnni", "avx512_vnni"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("asimddp", "asimd_dotprod"),
    ("asimd", "asimd"),
)


def instruction_set(cpu_info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the best instruction set that matrix kernels pick from, empty where unknown."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        # No such file outside Linux; macOS on ARM is the one other place with a fixed answer.
        return "asimd_dotprod" if platform.machine() == "arm64" else ""
    flags_line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    flags = set(flags_line.partition(":")[2].split())
    return next((name for flag, name in _INSTRUCTION_SETS if flag in flags), "")


def thread_count(requested: int) -> int:
    """Return ``requested``, or for 0 the number of cores that this process may use."""
    if requested > 0:
        return requested
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
