"""A folder of files for each cluster: what is in it, and that trainers load it."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from gateway.exports.card import escape
from levelling.plans.reasons import Reason

from .conftest import cells_of, planned

ROWS = 120
LABELS = [0] * 60 + [1] * 30 + [2] * 20 + [-1] * 10
WEIGHTS = {0: 0.5, 1: 1.0, 2: 3.0, -1: 0.0}
EVIL = "a|b `x`\n# <script>alert(1)</script> ![](http://x) ../../etc\x07"


@pytest.fixture
def dataset(datasets):
    words = "red green blue black white".split()
    rows = [
        [f"{index:03}", f"{words[index % 5]} words about topic {label}", "2024-01-31"]
        for index, label in enumerate(LABELS)
    ]
    data = cells_of([["id", "text", "day"], *rows])
    return datasets(data, LABELS, weights=WEIGHTS, names={1: EVIL}, plan=planned([2, 0, 1] * 40))


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        return {name: archive.read(name) for name in archive.namelist()}


def rows_in(content: bytes) -> list[dict]:
    return pq.read_table(pa.BufferReader(content)).to_pylist()


@pytest.mark.parametrize("shard_type", ["parquet", "jsonl"])
def test_a_folder_has_a_file_for_each_cluster_and_how_to_mix_them(dataset, shard_type):
    folder = unpacked(dataset.export(file_type="zip", shard_type=shard_type))
    data = sorted(name for name in folder if name.startswith("data/"))
    assert data == [
        *(f"data/cluster-{one:06}-00000.{shard_type}" for one in range(3)),
        f"data/noise-00000.{shard_type}",
    ]
    assert set(folder) - set(data) == {
        "README.md",
        "mixture.json",
        "recipe.json",
        "load_datasets.py",
        "load_torch.py",
        "load_sklearn.py",
    }
    mixture = json.loads(folder["mixture.json"])
    sources = mixture["sources"]
    assert [one["cluster_id"] for one in sources] == [0, 1, 2, -1]
    assert [one["line_count"] for one in sources] == [60, 30, 20, 10]
    sizes = np.array([30, 30, 60, 0])
    assert [one["probability"] for one in sources] == pytest.approx(list(sizes / 120))
    assert mixture["epoch_rows"] == 110
    assert mixture["stopping_strategy"] == "all_exhausted"
    assert mixture["columns"]["text"] == "text"
    assert json.loads(folder["recipe.json"]) == dataset.source.recipe


def test_rows_stand_in_the_file_of_their_cluster(dataset):
    folder = unpacked(dataset.export(file_type="zip"))
    for cluster_id, name in ((0, "cluster-000000"), (2, "cluster-000002"), (-1, "noise")):
        rows = rows_in(folder[f"data/{name}-00000.parquet"])
        assert {row["cluster_id"] for row in rows} == {cluster_id}
        wanted = [index for index, label in enumerate(LABELS) if label == cluster_id]
        assert [row["row_id"] for row in rows] == wanted
        assert [row["id"] for row in rows] == [f"{index:03}" for index in wanted]


def test_a_balanced_folder_repeats_rows_as_planned(dataset):
    folder = unpacked(dataset.export(format="balanced", file_type="zip"))
    rows = [
        row for name in folder if name.startswith("data/") for row in rows_in(folder[name])
    ]  # fmt: skip
    copies = Counter(row["row_id"] for row in rows)
    assert copies == {row: count for row, count in enumerate([2, 0, 1] * 40) if count}
    assert {row["sample_weight"] for row in rows} == {1.0}
    assert all(row["copies"] == copies[row["row_id"]] for row in rows)


def test_the_card_has_a_header_for_hubs_and_shows_nobody_s_text_as_markup(dataset):
    card = unpacked(dataset.export(file_type="zip"))["README.md"].decode()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert header["size_categories"] == ["n<1K"]
    assert header["tags"] == ["level"]
    assert "<script" not in card and "<b>" not in card
    assert not re.search(r"(?<!\\)!\[", card)
    assert len(re.findall(r"^# ", card, re.MULTILINE)) == 1
    line = next(line for line in card.splitlines() if line.startswith("| 1 |"))
    assert len(re.findall(r"(?<!\\)\|", line)) == 5
    assert "| Gini | 0.242 | 0.167 |" in card


def test_the_card_tells_of_the_levelling_and_of_the_lines_at_hand(datasets):
    request = {
        "target": {"kind": "uniform", "value": None},
        "budget": 3,
        "max_repeat": 2.0,
        "noise": {"kind": "keep"},
        "floor": None,
    }
    made = datasets(
        cells_of([["text"], *[[f"some words {row}"] for row in range(4)]]),
        [0, 0, 1, -1],
        plan=planned([2, 0, 1, 1]),
    )
    source = replace(made.source, recipe={**made.source.recipe, "level_request": request})
    data = replace(made, source=source).export(format="balanced", file_type="zip")
    card = unpacked(data)["README.md"].decode()
    assert "4 lines of 3 rows, in files for each of 2 clusters of like texts and for noise" in card
    for line in (
        "| target | uniform |",
        "| budget | 3 |",
        "| most repeats | 2\\.0 |",
        "| noise | keep |",
        "| largest repeat | 1.00 | 2.00 |",
        "| rows dropped | 0 | 1 |",
        "| of these as near-duplicates | 0 | 0 |",
    ):
        assert line in card.splitlines()
    assert "budget's unit" not in card and "| floor |" not in card


def test_the_card_has_all_that_a_reader_needs_to_judge_and_to_repeat(datasets):
    request = {
        "target": {"kind": "flatness", "value": 0.8, "shares": {}},
        "budget": 40,
        "budget_unit": "tokens",
        "pinned": {"1": 2.0, "-1": 0.0},
        "floor": 1.0,
        "ceilings": {"0": 9.0},
        "layer": 1,
        "noise": {"kind": "keep", "share": None},
        "duplicates": {"kind": "drop", "max_distance": 0.1, "keep": EVIL},
        "seed": 0,
    }
    made = datasets(
        cells_of([["text"], *[[f"some words {row}"] for row in range(4)]]),
        [0, 0, 1, -1],
        plan=planned([1, 0, 1, 0], reasons=[Reason.KEPT, Reason.NEAR_DUPLICATE, 0, Reason.NOISE]),
    )
    recipe = {
        **made.source.recipe,
        "level_request": request,
        "model": {"model_id": "a|b", "revision": "1110a2", "fingerprint": "5f0e"},
        "versions": {"python": "3.11.9", "scikit-learn": "1.7.2"},
        "export": {"format": "balanced"},
    }
    source = replace(made.source, recipe=recipe)
    data = replace(made, source=source).export(format="balanced", file_type="zip")
    card = unpacked(data)["README.md"].decode()
    for line in (
        "| effective sample share | 100.0% | 50.0% |",
        "| rows dropped | 0 | 2 |",
        "| of these as near-duplicates | 0 | 1 |",
        "| layer | 1 |",
        "| target | flatness, value: 0\\.8 |",
        "| budget's unit | tokens |",
        "| pinned weights | 1: 2\\.0, \\-1: 0\\.0 |",
        "| floor | 1\\.0 |",
        "| ceilings of clusters | 0: 9\\.0 |",
        "| seed | 0 |",
        "| seed of the clustering | 0 |",
        "| embedding model | a\\|b |",
        "| its revision | 1110a2 |",
        "| its fingerprint | 5f0e |",
        "| scikit\\-learn | 1\\.7\\.2 |",
    ):
        assert line in card.splitlines(), line
    assert "<script" not in card
    assert "seed of the draw" not in card


def test_the_card_names_the_seed_of_a_draw(dataset):
    recipe = {**dataset.source.recipe, "export": {"format": "resampled", "seed": "7"}}
    made = replace(dataset, source=replace(dataset.source, recipe=recipe))
    card = unpacked(made.export(format="resampled", seed=7, file_type="zip"))["README.md"].decode()
    assert "| seed of the draw | 7 |" in card
    assert "| weights of the finest clusters | 0: 0\\.5 |" in card


def test_markdown_is_escaped():
    assert escape("a\n# b|c`<i>&\x00") == "a \\# b\\|c\\`&lt;i&gt;&amp;\ufffd"


# --- each loader, with the real library


@pytest.fixture(params=["parquet", "jsonl"])
def folder(dataset, request, tmp_path):
    data = dataset.export(file_type="zip", shard_type=request.param)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "folder")
    return tmp_path / "folder"


def in_folder(folder, code: str) -> object:
    """Return what code prints as JSON, run where the loaders are."""
    environment = {"HF_DATASETS_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", f"import json\n{code}"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def as_script(folder, name: str) -> str:
    answer = subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_scikit_learn_takes_the_weights(folder):
    texts, weights, days = in_folder(
        folder,
        "from load_sklearn import load\n"
        "texts, weights, table = load()\n"
        "import runpy\n"
        "runpy.run_path('load_sklearn.py', run_name='__main__')\n"
        "print(json.dumps([texts, weights.tolist(), table.column('day').to_pylist()]))",
    )
    assert len(texts) == 110
    assert weights[:60] == pytest.approx([0.5] * 60)
    assert weights[-20:] == pytest.approx([3.0] * 20)
    assert set(days) == {"2024-01-31"}


@pytest.mark.torch
def test_torch_draws_rows_as_often_as_they_weigh(folder):
    pytest.importorskip("torch")
    counts = in_folder(
        folder,
        "from collections import Counter\n"
        "from load_torch import load\n"
        "batches = [ids.tolist() for seed in range(40) for _, ids in load(seed=seed)]\n"
        "drawn = sum(batches, [])\n"
        "print(json.dumps(Counter(drawn)))",
    )
    total = sum(counts.values())
    assert total == 40 * 110
    assert {key: count / total for key, count in counts.items()} == pytest.approx(
        {"0": 0.25, "1": 0.25, "2": 0.5}, abs=0.05
    )
    assert "words about topic" in as_script(folder, "load_torch.py")


@pytest.mark.torch
def test_datasets_interleaves_the_clusters_in_their_shares(folder):
    pytest.importorskip("datasets")
    rows = in_folder(
        folder,
        "from load_datasets import load\n"
        "rows = [[r['cluster_id'], r['day']] for s in range(4) for r in load(seed=s)]\n"
        "print(json.dumps(rows))",
    )
    assert len(rows) == 4 * 110
    shares = {one: count / len(rows) for one, count in Counter(row[0] for row in rows).items()}
    assert shares == pytest.approx({0: 0.25, 1: 0.25, 2: 0.5}, abs=0.1)
    assert {row[1] for row in rows} == {"2024-01-31"}
    assert "words about topic" in as_script(folder, "load_datasets.py")
