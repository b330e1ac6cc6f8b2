"""Vectors that survive the death of their writer at any moment."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.embedded_texts import EmbeddedTexts, ModelInfo, TextCounts
from gateway.worker.vector_file import ModelsDiffer, VectorFile, WrittenMeanwhile

DIMENSIONS = 3


def model(fingerprint="f"):
    return ModelInfo("toy", "", fingerprint, DIMENSIONS, 256, "cpu", "toy", "toy 1", "")


def block(start, count):
    rows = np.arange(start, start + count, dtype=np.float32)
    return np.repeat(rows[:, None], DIMENSIONS, axis=1)


def answer(start, count, fingerprint="f"):
    counts = TextCounts(count, 4 * count, 1, 2, 3)
    return EmbeddedTexts(block(start, count), counts, model(fingerprint))


def append_to(folder, total, sizes):
    """Append blocks up to `total` rows, as the pipeline does after each start."""
    file = VectorFile(folder)
    for size in sizes:
        start = file.so_far.counts.row_count
        count = min(size, total - start)
        if count:
            file.append(answer(start, count))
    return file


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_it_goes_on_at_the_last_whole_block_wherever_it_was_cut(tmp_path_factory, data):
    """Cut the rows anywhere from the journal's last word on, as a kill does; then go on."""
    folder = tmp_path_factory.mktemp("vectors")
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    total = sum(sizes) + 4
    journals = [None]
    for size in sizes:
        append_to(folder, total, [size])
        journals.append((folder / ".vectors.json").read_bytes())
    whole = (folder / ".vectors.f32").read_bytes()
    kept = data.draw(st.integers(0, len(sizes)))
    named = sum(sizes[:kept]) * 4 * DIMENSIONS
    cut = data.draw(st.integers(named, len(whole)))
    garbage = data.draw(st.binary(max_size=20))
    (folder / ".vectors.f32").write_bytes(whole[:cut] + garbage)
    if journals[kept] is None:
        (folder / ".vectors.json").unlink()
    else:
        (folder / ".vectors.json").write_bytes(journals[kept])
    (folder / ".vectors.part").write_bytes(b'{"row_co')

    assert VectorFile(folder).so_far.counts.row_count == sum(sizes[:kept])
    file = append_to(folder, total, [total])
    assert file.so_far.counts.row_count == total
    np.testing.assert_array_equal(file.read(), block(0, total))


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_a_journal_without_its_rows_counts_for_nothing(tmp_path_factory, sizes, data):
    folder = tmp_path_factory.mktemp("vectors")
    append_to(folder, sum(sizes), sizes)
    path = folder / ".vectors.f32"
    cut = data.draw(st.integers(0, path.stat().st_size - 1))
    path.write_bytes(path.read_bytes()[:cut])
    assert VectorFile(folder).so_far.counts.row_count == 0
    file = append_to(folder, 9, [4, 5])
    np.testing.assert_array_equal(file.read(), block(0, 9))


def test_counts_and_model_come_back(tmp_path):
    append_to(tmp_path, 7, [3, 4])
    so_far = VectorFile(tmp_path).so_far
    assert (so_far.counts, so_far.model) == (TextCounts(7, 28, 2, 4, 6), model())
    assert json.loads((tmp_path / ".vectors.json").read_text())["model"]["model_id"] == "toy"


def test_vectors_of_two_models_never_mix(tmp_path):
    file = append_to(tmp_path, 3, [3])
    with pytest.raises(ModelsDiffer, match="another model"):
        file.append(answer(3, 1, "another"))
    assert VectorFile(tmp_path).so_far.counts.row_count == 3


def test_two_writers_never_mix_their_blocks(tmp_path):
    slept = append_to(tmp_path, 3, [3])
    append_to(tmp_path, 6, [3])
    with pytest.raises(WrittenMeanwhile):
        slept.append(answer(3, 2))
    np.testing.assert_array_equal(VectorFile(tmp_path).read(), block(0, 6))
    VectorFile.remove_from(tmp_path)
    with pytest.raises(WrittenMeanwhile):
        slept.append(answer(3, 2))


def test_a_journal_of_an_earlier_version_counts_for_nothing(tmp_path):
    append_to(tmp_path, 3, [3])
    journal = tmp_path / ".vectors.json"
    entry = json.loads(journal.read_text())
    journal.write_text(json.dumps({"row_count": 3, "model": entry["model"]}))
    assert append_to(tmp_path, 5, [5]).so_far.counts.row_count == 5


def test_nothing_is_left_when_it_is_removed(tmp_path):
    append_to(tmp_path, 3, [3])
    VectorFile.remove_from(tmp_path)
    VectorFile.remove_from(tmp_path)
    assert list(tmp_path.iterdir()) == []
