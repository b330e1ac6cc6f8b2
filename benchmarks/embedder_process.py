"""The embedder as it is run, ``python -m embedder_svc`` on a Unix socket, and calls of it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray

from benchmarks.processes import ProcessSample, sample_processes
from embedder_svc.weights import MINILM_MODEL_ID
from gateway.embedded_texts import ModelInfo
from gateway.stages.client import GrpcStages

SERVICE = "levelapi.embedder.v1.EmbedderService"
READY_SECONDS = 300.0
BLOCK_ROWS = 4096
"""What the worker sends in one call at most."""

CALLS_PER_EMBEDDER = 2
"""How many calls the worker has under way for each embedder."""

# A client that tries again at once: what it waits for is measured.
_EAGER = (("grpc.initial_reconnect_backoff_ms", 10), ("grpc.max_reconnect_backoff_ms", 10))


class ServiceProcess:
    """A module of a service, from its start until the end of the block; then it is killed.

    Parameters
    ----------
    folder
        For its socket and its log.
    command
        The module, which serves the embedder's contract, and its arguments.
    environment
        What it is told beside the machine's own variables, in which nothing of Level's is left.

    Attributes
    ----------
    address : str
        Of its socket.
    start_seconds : float
        From its start until it said that it serves.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        socket = folder / "embedder.sock"
        socket.unlink(missing_ok=True)
        self.address = f"unix:{socket}"
        self._log = folder / "embedder.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEVEL_")}
        start = time.perf_counter()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                # A person's .env must not reach what is measured.
                cwd=folder,
                env={**kept, "LEVEL_EMBEDDER_BIND": self.address, **environment},
                stdout=log,
                stderr=log,
            )
        self._wait_until_serving()
        self.start_seconds = time.perf_counter() - start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def sample(self) -> ProcessSample:
        """Return its memory and processor time so far."""
        return sample_processes()[self._process.pid]

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with grpc.insecure_channel(self.address, options=_EAGER) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    for answer in watch(health_pb2.HealthCheckRequest(service=SERVICE), timeout=60):
                        if answer.status == health_pb2.HealthCheckResponse.SERVING:
                            return
                except grpc.RpcError:
                    time.sleep(0.005)
        self._process.kill()
        raise SystemExit(f"The embedder does not serve:\n{self._log.read_text()[-2000:]}")


class EmbedderProcess(ServiceProcess):
    """An embedder with all-MiniLM-L6-v2 on the CPU.

    Parameters
    ----------
    folder
        For its socket, its log and, where no other is named, its caches.
    cache_dir
        Where it keeps the model that it makes, and vectors.
    cache_mib
        How many vectors are kept, in MiB.
    threads
        0: all cores.
    precision
        A value of its setting.
    """

    def __init__(
        self,
        folder: Path,
        cache_dir: Path,
        *,
        cache_mib: int = 0,
        threads: int = 0,
        precision: str = "auto",
    ) -> None:
        environment = {
            "LEVEL_EMBEDDER_MODEL": MINILM_MODEL_ID,
            "LEVEL_EMBEDDER_BACKEND": "onnxruntime",
            "LEVEL_EMBEDDER_PRECISION": precision,
            "LEVEL_EMBEDDER_THREADS": str(threads),
            "LEVEL_EMBEDDER_CACHE_MIB": str(cache_mib),
            "LEVEL_CACHE_DIR": str(cache_dir),
            "LEVEL_MINILM_DIR": os.environ.get("LEVEL_MINILM_DIR", ""),
        }
        super().__init__(folder, ["embedder_svc"], environment)


@dataclass(frozen=True)
class Embedded:
    """What calls gave and took.

    Attributes
    ----------
    seconds : float
        Wall time, from the first request to the last vector; the connection was open before.
    client_seconds : float
        Processor time of this process meanwhile.
    vectors : float32 array of shape (texts, dimensions)
    cached_count : int
        Vectors that came from the cache.
    model : ModelInfo
        What it says of itself.
    """

    seconds: float
    client_seconds: float
    vectors: NDArray[np.float32] = field(repr=False)
    cached_count: int
    model: ModelInfo

    @property
    def model_summary(self) -> str:
        """The model in words."""
        model = self.model
        return f"{model.model_id}, {model.precision}, {model.runtime}, {model.instruction_set}"


def core_count() -> int:
    """Return how many cores this process, and so the embedder, may use."""
    return len(os.sched_getaffinity(0))


def embed(
    processes: Sequence[ServiceProcess], texts: Sequence[str], block_rows: int = BLOCK_ROWS
) -> Embedded:
    """Return the vectors of texts, asked for as the gateway's worker does: through its client."""
    return asyncio.run(_embed([process.address for process in processes], texts, block_rows))


async def _embed(addresses: list[str], texts: Sequence[str], block_rows: int) -> Embedded:
    blocks = [texts[start : start + block_rows] for start in range(0, len(texts), block_rows)]
    names = ("embedder", "cluster", "analyzer", "terrain")
    under_way = asyncio.Semaphore(CALLS_PER_EMBEDDER * len(addresses))
    async with GrpcStages(dict.fromkeys(names, ",".join(addresses))) as stages:
        # Each call goes to the next of the addresses, so all are connected to.
        models = [await stages.get_model() for _ in range(2 * len(addresses))]

        async def embed_block(block: Sequence[str]) -> tuple[NDArray[np.float32], int]:
            async with under_way:
                answer = await stages.embed(block)
            return answer.vectors, answer.counts.cached_count

        wall, processor = time.perf_counter(), time.process_time()
        answers = await asyncio.gather(*map(embed_block, blocks))
        seconds, client = time.perf_counter() - wall, time.process_time() - processor
    return Embedded(
        seconds,
        client,
        np.concatenate([vectors for vectors, _ in answers]),
        sum(count for _, count in answers),
        models[0],
    )
