"""A real gateway for tests: uvicorn on a free port, a store in a folder, real services.

Datasets are put into the store as the worker would put them there.
"""

import asyncio
import socket
import threading
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import uvicorn

from gateway.app import create_app
from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.dataset import MINIMUM_ROW_COUNT, PipelineParameters
from gateway.job_store import JobStore
from gateway.layer_files import artifact_name
from gateway.settings import GatewaySettings
from gateway.store import DatasetStore
from gateway.tables import RECORDS_FILE, ROWS_FILE, read_table
from gateway.uploads import SOURCE_FILE, table_facts
from level_rpc.testing import running_server
from levelling import place_hills
from terrain_svc.height_field import build_terrain
from terrain_svc.servicer import SERVICE as TERRAIN_SERVICE
from terrain_svc.servicer import TerrainServicer

GRID_SIZE = 16
COLORS = ("#4477aa", "#ee6677", "#228833")


@dataclass
class RestGateway:
    """A running gateway and the store under it."""

    url: str
    settings: GatewaySettings
    store: DatasetStore
    artifacts: ArtifactStore
    jobs: JobStore

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def client(self, **options):
        return httpx.Client(base_url=self.url, timeout=30, **options)

    def incoming(self):
        return list((self.settings.data_dir / "incoming").iterdir())


@contextmanager
def running_gateway(data_dir: Path, socket_dir: Path, *, services=("terrain",), **settings):
    """Give a gateway that runs in a thread of its own, with some real services."""
    values = {"upload_rate": "", "grid_size": GRID_SIZE, **settings}
    for name in ("embedder", "cluster", "analyzer", "terrain"):
        values.setdefault(f"{name}_address", f"unix:{socket_dir / name}")
    settings = GatewaySettings(_env_file=None, data_dir=data_dir, **values)
    # Named as TCP, a listener's connections answer at once; asyncio leaves others to Nagle.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings),
        h11_max_incomplete_event_size=65_536,
        timeout_graceful_shutdown=2,
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    addresses = {name: settings.addresses[name] for name in services}
    serving = _serve(server, listener, addresses)
    thread = threading.Thread(target=asyncio.run, args=(serving,))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        _wait_until_it_answers(url, thread)
        database = Database(settings.resolved_database_url)
        store, artifacts = DatasetStore(database), ArtifactStore(data_dir)
        yield RestGateway(url, settings, store, artifacts, JobStore(database))
        database.close()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


async def _serve(server, listener, addresses):
    async with AsyncExitStack() as stack:
        for name, address in addresses.items():
            service, servicer = _SERVICES[name]()
            await stack.enter_async_context(running_server(service, servicer, address=address))
        await server.serve(sockets=[listener])


def _cluster_service():
    from cluster_svc.compute_options import ComputeOptions
    from cluster_svc.engine import ComputeEngine
    from cluster_svc.servicer import SERVICE, ClusterServicer

    return SERVICE, ClusterServicer(ComputeEngine(ComputeOptions(), queue_limit=1))


_SERVICES = {
    "terrain": lambda: (TERRAIN_SERVICE, TerrainServicer()),
    "cluster": _cluster_service,
}


def _wait_until_it_answers(url, thread):
    while thread.is_alive():
        with suppress(httpx.TransportError):
            httpx.get(f"{url}/openapi.json", timeout=5)
            return
    raise RuntimeError("the gateway did not start")


def add_dataset(gateway, labels=None, *, source=None, file_name="messages.csv"):
    """Return the id of a dataset that has just been accepted; its rows are those of `source`."""
    count = MINIMUM_ROW_COUNT if labels is None else len(labels)
    source = csv_of(count) if source is None else source
    dataset_id = str(uuid4())
    folder = gateway.artifacts.incoming_dir(dataset_id)
    (folder / SOURCE_FILE).write_bytes(source)
    info = read_table(folder / SOURCE_FILE, folder)
    gateway.artifacts.accept(dataset_id)
    names = {"source": SOURCE_FILE, "rows": ROWS_FILE, "records": RECORDS_FILE}
    files = [gateway.artifacts.describe(dataset_id, *item) for item in names.items()]
    facts = table_facts(info)
    parameters = PipelineParameters(grid_size=GRID_SIZE)
    gateway.store.create(dataset_id, file_name, facts, parameters, (), files, request_id="upload-1")
    return dataset_id


def add_completed(gateway, labels, *, around=(), arrays=None, **options):
    """Return the id of a completed dataset whose rows are in the clusters of `labels`.

    `around` has the labels of its other layers, those finer than the terrain's first, with ids that
    are unique over all; without them it is as an earlier version stored it. `arrays` has more of
    what the worker stores, by name.
    """
    labels = np.asarray(labels, dtype=np.int32)
    dataset_id = add_dataset(gateway, labels, **options)
    for name, array in (arrays or {}).items():
        file = gateway.artifacts.save_array(dataset_id, name, np.asarray(array))
        gateway.store.put_artifacts(dataset_id, file)
    complete(gateway, dataset_id, labels, [np.asarray(one, dtype=np.int32) for one in around])
    return dataset_id


def complete(gateway, dataset_id, labels, around=()):
    """Store what the worker stores of a dataset, and mark it completed."""
    save, save_json = gateway.artifacts.save_array, gateway.artifacts.save_json
    layers = sorted([labels, *around], key=lambda one: -len(np.unique(one)))
    files, described = [], []
    for index, (own, above) in enumerate(pairwise([*layers, np.full_like(labels, -1)])):
        is_terrain_layer = own is labels
        terrain, heights = make_terrain(own, above, labels)
        terrain |= {"layout": {"own_hill_fraction": 0.9, "neighbor_preservation": 0.4}}
        place = {"layer_index": index, "is_terrain_layer": is_terrain_layer}
        described.append({**place, "clusters": terrain["hills"]})
        arrays = {
            "labels": own,
            "nearest": np.maximum(own, own[own >= 0].min(initial=0)),
            "strengths": np.linspace(0, 1, len(own), dtype=np.float32),
            "heights": heights,
        }
        for name, array in arrays.items():
            files.append(save(dataset_id, artifact_name(name, **place), array))
        files.append(save_json(dataset_id, artifact_name("terrain", **place), terrain))
    if around:
        files.append(save_json(dataset_id, "layers", described))
    files.append(save(dataset_id, "positions", positions_of(labels)))
    cluster_count = len(np.unique(labels[labels >= 0]))
    counts = {"cluster_count": cluster_count, "noise_count": int((labels == -1).sum())}
    gateway.store.note(dataset_id, counts=counts, timings={"embedding": 1.5})
    gateway.store.put_artifacts(dataset_id, *files)
    gateway.store.complete(dataset_id)


def positions_of(labels):
    """Return a place for each row: clusters apart, rows of one close together."""
    angles = labels * 2.0 + np.linspace(0, 0.3, len(labels))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def make_terrain(labels, parents, terrain_labels):
    """Return terrain.json and heights.npy of one layer."""
    ids, first_rows, sizes = np.unique(labels, return_index=True, return_counts=True)
    ids, first_rows, sizes = (one[ids >= 0] for one in (ids, first_rows, sizes))
    hills = place_hills(positions_of(terrain_labels), labels, ids, GRID_SIZE)
    ground = build_terrain(hills, GRID_SIZE)
    described = [
        {
            "cluster_id": int(cluster_id),
            "label": f"Topic {cluster_id}",
            "description": "",
            "label_source": "keywords",
            "keywords": ["word", "other"],
            "parent_id": int(parents[first_rows[index]]),
            "x": float(hills.x[index]),
            "z": float(hills.z[index]),
            "radius": float(hills.radius[index]),
            "original_height": float(hills.height[index]),
            "size": int(sizes[index]),
            "spread": 0.25,
            "stability": None,
            "color": COLORS[index % len(COLORS)],
            "exemplars": [{"row_id": 0, "text": "<b>row</b>"}],
        }
        for index, cluster_id in enumerate(ids)
    ]
    terrain = {
        "grid_size": GRID_SIZE,
        "height_scale": ground.height_scale,
        "noise": {"count": int((labels == -1).sum())},
        "hills": described,
    }
    return terrain, ground.heights


def csv_of(row_count, header="id,text"):
    """Return a CSV file of that many rows."""
    rows = (f'{index:03},"message number {index}, with words"' for index in range(row_count))
    return "\r\n".join([header, *rows, ""]).encode()
