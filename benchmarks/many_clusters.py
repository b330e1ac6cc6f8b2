"""A completed dataset of many clusters, put into a store as the worker would leave it there.

What a request costs depends on what is stored, not on how it came about; so nothing is embedded.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from benchmarks.input_files import write_messages
from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.dataset import PipelineParameters
from gateway.settings import GatewaySettings
from gateway.store import DatasetStore
from gateway.tables import RECORDS_FILE, ROWS_FILE, read_table, read_texts
from gateway.uploads import SOURCE_FILE, table_facts
from levelling.hills import Hills, place_hills
from terrain_svc.height_field import build_terrain

ROWS_PER_CLUSTER = 8
EXEMPLAR_COUNT = 5


def store_dataset(data_dir: Path, cluster_count: int) -> str:
    """Return the id of a completed dataset; call it before a gateway or worker uses the folder."""
    settings = GatewaySettings(_env_file=None, data_dir=data_dir, database_url="")
    database = Database(settings.resolved_database_url)
    database.create_tables()
    store, artifacts = DatasetStore(database), ArtifactStore(data_dir)
    dataset_id = _accept(store, artifacts, cluster_count * ROWS_PER_CLUSTER)
    _complete(store, artifacts, dataset_id, cluster_count)
    database.close()
    return dataset_id


def _accept(store: DatasetStore, artifacts: ArtifactStore, row_count: int) -> str:
    dataset_id = str(uuid4())
    folder = artifacts.incoming_dir(dataset_id)
    source = write_messages(folder / SOURCE_FILE, row_count)
    info = read_table(source, folder)
    artifacts.accept(dataset_id)
    names = {"source": SOURCE_FILE, "rows": ROWS_FILE, "records": RECORDS_FILE}
    files = [artifacts.describe(dataset_id, *item) for item in names.items()]
    facts = table_facts(info)
    store.create(dataset_id, "messages.csv", facts, PipelineParameters(), (), files, request_id="")
    return dataset_id


def _complete(
    store: DatasetStore, artifacts: ArtifactStore, dataset_id: str, cluster_count: int
) -> None:
    dataset = store.get(dataset_id)
    chance = np.random.default_rng(0)
    labels = _labels(chance, dataset.row_count, cluster_count)
    positions = chance.normal(size=(cluster_count + 1, 2))[labels] * 30
    positions = (positions + chance.normal(size=positions.shape)).astype(np.float32)
    grid_size = dataset.parameters.grid_size
    hills = place_hills(positions, labels, np.arange(cluster_count), grid_size)
    ground = build_terrain(hills, grid_size)
    texts = read_texts(artifacts.path(dataset_id, dataset.artifacts["rows"]), dataset.text_column)
    noise_count = int((labels == -1).sum())
    terrain = {
        "grid_size": grid_size,
        "height_scale": ground.height_scale,
        "noise": {"count": noise_count},
        "hills": _describe(hills, ground.colors, labels, texts),
    }
    arrays = {
        "labels": labels,
        "nearest": np.maximum(labels, 0),
        "strengths": chance.uniform(size=labels.size).astype(np.float32),
        "positions": positions,
        "heights": ground.heights,
    }
    files = [artifacts.save_array(dataset_id, name, array) for name, array in arrays.items()]
    files.append(artifacts.save_json(dataset_id, "terrain", terrain))
    counts = {"cluster_count": cluster_count, "noise_count": noise_count}
    store.note(dataset_id, counts=counts, timings={"embedding": 1.0})
    store.put_artifacts(dataset_id, *files)
    store.complete(dataset_id)


def _labels(chance: np.random.Generator, row_count: int, cluster_count: int) -> NDArray[np.int32]:
    """Return lopsided clusters, largest first, each with a row at least, and some noise."""
    shares = 1.0 / np.arange(1, cluster_count + 1)
    extra = chance.choice(cluster_count, row_count - cluster_count, p=shares / shares.sum())
    labels = np.concatenate([np.arange(cluster_count), extra])
    sizes = np.bincount(labels)
    rank_of = np.empty(cluster_count, np.int32)
    rank_of[np.argsort(-sizes, kind="stable")] = np.arange(cluster_count)
    labels = rank_of[labels]
    labels[-row_count // 20 :] = np.where(sizes[labels[-row_count // 20 :]] > 1, -1, 0)
    numbered: NDArray[np.int32] = labels.astype(np.int32)
    return numbered


def _describe(
    hills: Hills, colors: tuple[str, ...], labels: NDArray[np.int32], texts: list[str]
) -> list[dict[str, Any]]:
    described = []
    for index, cluster_id in enumerate(hills.cluster_ids.tolist()):
        rows = np.flatnonzero(labels == cluster_id)
        shape = {name: float(values[index]) for name, values in asdict(hills).items()}
        exemplars = [{"row_id": row, "text": texts[row]} for row in rows[:EXEMPLAR_COUNT].tolist()]
        described.append(
            {
                "cluster_id": cluster_id,
                "label": f"Topic {cluster_id}",
                "description": "Messages about one thing.",
                "label_source": "keywords",
                "keywords": ["late", "delivery", "order", "refund"],
                "parent_id": -1,
                "x": shape["x"],
                "z": shape["z"],
                "radius": shape["radius"],
                "original_height": shape["height"],
                "size": rows.size,
                "spread": 0.2,
                "stability": None,
                "color": colors[index],
                "exemplars": exemplars,
            }
        )
    return described
