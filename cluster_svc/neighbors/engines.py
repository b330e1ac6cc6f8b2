"""Where the search for neighbours runs: on this machine's cores, its GPU, or a Ray cluster."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

from cluster_svc.errors import EngineMissing
from cluster_svc.neighbors.search import NeighborSearch


class Engine(StrEnum):
    """What an operator can choose."""

    LOCAL = "local"
    RAY = "ray"


class Device(StrEnum):
    """Where the local engine multiplies matrices."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def choose_search(
    *,
    engine: str = Engine.LOCAL,
    ray_address: str = "",
    device: str = Device.AUTO,
    thread_count: int = 1,
    seed: int = 0,
) -> NeighborSearch | None:
    """Return the search that these settings mean; None for this machine's cores.

    Nothing is connected or loaded onto a device before the first search.

    Parameters
    ----------
    engine : str
        A value of `Engine`. With ``ray``, and on a GPU, every search is exact.
    ray_address : str
        See `RaySearch`.
    device : str
        A value of `Device`, for the local engine; ``auto`` takes a GPU where torch finds one, and
        then a CPU that multiplies bfloat16 matrices, where torch is installed.
    thread_count : int
        Threads of this machine, at least 1.
    seed : int
        Of what is approximate: the search in bfloat16 leaves many rows to the local one.

    Raises
    ------
    EngineMissing
        The extra that it needs is not installed, or there is no GPU where one is asked for.
    """
    if Engine(engine) is Engine.RAY:
        _require("ray", "the engine ray", extra="ray")
        from cluster_svc.neighbors.ray_search import RaySearch

        return RaySearch(ray_address)
    wanted = Device(device)
    if wanted is Device.CPU or (wanted is Device.AUTO and find_spec("torch") is None):
        return None
    _require("torch", "a GPU", extra="torch")
    from cluster_svc.neighbors.torch_search import choose_torch_search

    return choose_torch_search(
        must_be_cuda=wanted is Device.CUDA, thread_count=thread_count, seed=seed
    )


def _require(module: str, purpose: str, *, extra: str) -> None:
    if find_spec(module) is None:
        raise EngineMissing(
            f"{purpose} needs the extra {extra}; install it beside the cluster service: "
            f"pip install 'level[cluster,{extra}]'",
            extra=extra,
        )
