"""Texts of rows: each distinct one once, and any of them by its number."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.worker import unique_texts
from gateway.worker.scattered_rows import read_cells
from gateway.worker.unique_texts import UniqueTexts, expand_rows

CELLS = ["", " ", "a", "A", "é", "e\u0301", "\0", "NA", "007"]
TEXTS = st.lists(st.sampled_from(CELLS), min_size=1)


def write_rows(folder, texts, group_rows=4):
    path = folder / "rows.parquet"
    table = pa.table({"c0": [str(row) for row in range(len(texts))], "c1": texts})
    pq.write_table(table, path, row_group_size=group_rows)
    return path


@settings(max_examples=50, deadline=None)
@given(texts=TEXTS)
def test_every_row_finds_its_text_among_the_distinct_ones(tmp_path_factory, texts):
    path = write_rows(tmp_path_factory.mktemp("rows"), texts)
    unique = UniqueTexts.of(path, 1, len(texts))
    distinct = [texts[row] for row in unique.first_rows]
    assert len(set(distinct)) == unique.count == len(set(texts))
    assert [distinct[number] for number in unique.unique_of_row] == texts
    assert (np.diff(unique.first_rows) > 0).all()


@settings(max_examples=50, deadline=None)
@given(
    vectors=st.integers(1, 6).flatmap(
        lambda count: st.lists(st.integers(0, count - 1)).map(lambda rows: (count, rows))
    )
)
def test_expanded_rows_are_a_npy_file_of_the_chosen_vectors(vectors):
    count, rows = vectors
    table = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    chosen = np.array(rows, np.int64)
    file = io.BytesIO()
    expand_rows(table, chosen, file)
    file.seek(0)
    np.testing.assert_array_equal(np.load(file, allow_pickle=False), table[chosen])


def test_more_rows_than_a_block_are_read_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr(unique_texts, "_BLOCK_ROWS", 7)
    texts = [str(row % 13) for row in range(50)]
    unique = UniqueTexts.of(write_rows(tmp_path, texts), 1, 50)
    assert unique.unique_of_row.tolist() == [row % 13 for row in range(50)]
    file = io.BytesIO()
    expand_rows(np.eye(13, dtype=np.float32), unique.unique_of_row, file)
    file.seek(0)
    assert np.load(file).argmax(axis=1).tolist() == unique.unique_of_row.tolist()


@settings(max_examples=50, deadline=None)
@given(row_ids=st.lists(st.integers(0, 19)))
def test_cells_come_in_the_order_they_are_asked_for(tmp_path_factory, row_ids):
    texts = [f"text {row}" for row in range(20)]
    path = write_rows(tmp_path_factory.mktemp("rows"), texts)
    assert read_cells(path, 1, row_ids) == [texts[row] for row in row_ids]
    assert read_cells(path, 0, row_ids) == [str(row) for row in row_ids]
