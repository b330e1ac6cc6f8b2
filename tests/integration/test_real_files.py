"""Real files through the whole running system: whole or refused, never damaged, never a crash.

The marker `slow` has every dataset and every messy file whole; the default run has a hundred-odd
rows of each dataset, cut out as bytes, and a messy file of each kind.
"""

import csv
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from level.stack import LocalStack

ROWS = 120
# The encoding of each file and the column that a person would choose.
DATASETS = {
    "afrisenti_5k.csv": ("utf-8", "text"),
    "arxiv_abstracts_500.csv": ("utf-8", "abstract"),
    "arxiv_titles_15k.csv": ("utf-8", "title"),
    "banking77.csv": ("utf-8", "text"),
    "chinese_poetry_3k.csv": ("utf-8", "text"),
    "clinc150_imbalanced.csv": ("utf-8", "text"),
    "headlines_24k.csv": ("utf-8", "text"),
    "sms_spam_latin1.csv": ("latin-1", "v2"),
}
# What a person would say of the file: taken, no usable table, another type of file.
MESSY = {
    "messy/csv_spectrum/csvs/newlines_crlf.csv": 400,
    "messy/csv_spectrum/json/utf8.json": 415,
    "messy/csvkit/MANIFEST.csv": 202,
    "messy/csvkit/bad.csv": 400,
    "messy/csvkit/dummy.csv.gz": 415,
    "messy/csvkit/empty.csv": 400,
    "messy/csvkit/iris.csv": 202,
    "messy/csvkit/null_byte.csv": 400,
    "messy/csvkit/realdata/Datagov_FY10_EDU_recp_by_State.csv": 400,
    "messy/duckdb_encodings/all_latin1.csv": 202,
    "messy/duckdb_encodings/shift_jis.csv": 400,
    "messy/openrefine/example-utf16le-bom.tsv": 400,
    "messy/openrefine/films.ods": 415,
    "messy/openrefine/movies.tsv": 202,
    "messy/rust_csv/strange.csv": 400,
    "sheets/clippy.xlsx": 415,
    "sheets/deaths.xls": 415,
    "sheets/userdata1.parquet": 415,
}
TAKEN, REFUSED, OTHER_TYPE = 202, 400, 415

Finish = Callable[[httpx.Client, str], dict]


def records(data: bytes, encoding: str) -> Iterator[bytes]:
    """Yield the bytes of each record, header first, line breaks in cells included."""
    lines = data.splitlines(keepends=True)
    reader = csv.reader(line.decode(encoding) for line in lines)
    start = 0
    for _ in reader:
        yield b"".join(lines[start : reader.line_num])
        start = reader.line_num


def spread_rows(path: Path, encoding: str, count: int) -> bytes:
    """Return a file's header and some of its records from all over it, as they came."""
    header, *rows = records(path.read_bytes(), encoding)
    return header + b"".join(rows[:: max(len(rows) // count, 1)][:count])


def cells(data: bytes, encoding: str) -> list[list[str]]:
    text = data.decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def upload(client: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return client.post("/api/upload", files={"file": (name, data)})


def check_dataset(client: httpx.Client, name: str, data: bytes, status: dict) -> None:
    """Assert that a completed dataset is useful, and gives back what came."""
    encoding, column = DATASETS[name]
    assert status["status"] == "completed", status["error"]
    assert status["text_column"]["name"] == column
    address = status["dataset_id"]
    terrain = client.get(f"/api/terrain/{address}").raise_for_status().json()
    noise_share = terrain["noise"]["count"] / status["row_count"]
    assert len(terrain["hills"]) > 1
    assert noise_share < 0.5
    # Where nearly all rows are clearly one hill, as those of languages that the model cannot tell
    # apart, the finest layer still shows what is in it.
    finest = client.get(f"/api/terrain/{address}?layer=0").raise_for_status().json()["hills"]
    assert max(hill["size"] for hill in finest) < 0.8 * status["row_count"]
    labels = [hill["label"] for hill in terrain["hills"]]
    assert len(set(labels)) == len(labels) and all(labels)
    client.post(f"/api/adjust/{address}", json={"adjustments": {"0": 0.5}}).raise_for_status()
    exported = client.get(f"/api/export/{address}").raise_for_status()
    assert exported.headers["content-type"].startswith("text/csv")
    check_export(data, exported.content, encoding)


def check_export(given: bytes, exported: bytes, encoding: str) -> None:
    """Assert that an export is the file, cell for cell and byte for byte, plus one column."""
    header, *rows = cells(exported, encoding)
    assert [row[:-1] for row in (header, *rows)] == cells(given, encoding)
    assert header[-1] == "weight"
    weights = [float(row[-1]) for row in rows]
    assert sum(weights) / len(weights) == pytest.approx(1)
    assert len(set(weights)) == 2
    endings = (b"\r\n", b"\n", b"\r", b"")
    for before, after in zip(records(given, encoding), records(exported, encoding), strict=True):
        ending = next(ending for ending in endings if before.endswith(ending))
        assert after.startswith(before[: len(before) - len(ending)]) and after.endswith(ending)


@pytest.fixture(scope="module")
def samples(stack: LocalStack, real_data: Path) -> dict[str, tuple[bytes, str]]:
    """Rows of each dataset and the id they were uploaded under; they are worked on together."""
    started = {}
    with stack.client(timeout=60.0) as client:
        for name, (encoding, _) in DATASETS.items():
            data = spread_rows(real_data / name, encoding, ROWS)
            answer = upload(client, name, data)
            assert answer.status_code == TAKEN, answer.text
            started[name] = (data, answer.json()["dataset_id"])
    return started


@pytest.mark.parametrize("name", DATASETS)
def test_rows_of_a_real_dataset_come_back_with_a_weight(
    name: str, http: httpx.Client, samples: dict[str, tuple[bytes, str]], finish: Finish
):
    data, dataset_id = samples[name]
    try:
        check_dataset(http, name, data, finish(http, dataset_id))
    finally:
        http.delete(f"/api/datasets/{dataset_id}")


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
def test_a_whole_real_dataset_comes_back_with_a_weight(
    name: str, http: httpx.Client, real_data: Path, patient_finish: Finish
):
    data = (real_data / name).read_bytes()
    dataset_id = upload(http, name, data).raise_for_status().json()["dataset_id"]
    try:
        check_dataset(http, name, data, patient_finish(http, dataset_id))
    finally:
        http.delete(f"/api/datasets/{dataset_id}")


@pytest.fixture(scope="session")
def patient_finish(finish: Finish) -> Finish:
    """Wait as `finish` does, but for minutes on end."""

    def wait(client: httpx.Client, dataset_id: str) -> dict:
        for _ in range(10):
            try:
                return finish(client, dataset_id)
            except AssertionError as error:
                last = error
        raise last

    return wait


def try_file(stack: LocalStack, path: Path) -> httpx.Response:
    with stack.client(timeout=120.0) as client:
        return upload(client, path.name, path.read_bytes())


def check_refusal(path: Path, answer: httpx.Response) -> None:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", path
    assert problem["status"] == answer.status_code
    assert len(problem["detail"]) > 20 and problem["detail"].endswith(".")
    assert problem["reason"]


def check_messy(stack: LocalStack, paths: list[Path], finish: Finish) -> dict[Path, int]:
    """Upload files; return what became of each, after asserting that nothing is left behind."""
    with ThreadPoolExecutor(4) as threads:
        answers = dict(
            zip(paths, threads.map(lambda path: try_file(stack, path), paths), strict=True)
        )
    assert list((stack.data_dir / "incoming").iterdir()) == []
    kept = {folder.name for folder in (stack.data_dir / "datasets").iterdir()}
    with stack.client(timeout=60.0) as client:
        listed = {one["dataset_id"] for one in client.get("/api/datasets").json()["datasets"]}
        assert kept == listed
        for path, answer in answers.items():
            assert answer.status_code in (TAKEN, REFUSED, OTHER_TYPE), (path, answer.text)
            if answer.status_code != TAKEN:
                check_refusal(path, answer)
                continue
            dataset_id = answer.json()["dataset_id"]
            status = finish(client, dataset_id)
            assert status["status"] == "completed", (path, status["error"])
            assert client.get(f"/api/terrain/{dataset_id}").json()["hills"], path
            client.delete(f"/api/datasets/{dataset_id}")
    return {path: answer.status_code for path, answer in answers.items()}


def test_messy_files_end_in_a_terrain_or_a_clear_refusal(
    stack: LocalStack, real_data: Path, finish: Finish
):
    ends = check_messy(stack, [real_data / name for name in MESSY], finish)
    assert {
        path.relative_to(real_data).as_posix(): status for path, status in ends.items()
    } == MESSY


@pytest.mark.slow
def test_every_messy_file_ends_in_a_terrain_or_a_clear_refusal(
    stack: LocalStack, real_data: Path, patient_finish: Finish
):
    folders = (real_data / "messy", real_data / "sheets")
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    assert len(check_messy(stack, paths, patient_finish)) > 100
