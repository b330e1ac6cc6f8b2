import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.vector_cache.key_index import ROW_BITS, KeyIndex


def keys_of(numbers) -> np.ndarray:
    return np.array([[number, 7 * number] for number in numbers], np.uint64).reshape(-1, 2)


batches = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 60), max_size=40)), max_size=30
)


@given(batches, st.lists(st.integers(0, 3), max_size=2))
def test_it_knows_the_last_place_of_every_key_but_of_forgotten_files(added, forgotten):
    index, expected, row = KeyIndex(), {}, 0
    for file, numbers in added:
        places = (file << ROW_BITS) + np.arange(row, row + len(numbers), dtype=np.int64)
        index.add(keys_of(numbers), places)
        expected.update(zip(numbers, places.tolist(), strict=True))
        row += len(numbers)
    index.forget(forgotten)
    wanted = list(range(70))
    places = index.find(keys_of(wanted)).tolist()
    for number, place in zip(wanted, places, strict=True):
        known = expected.get(number, -1)
        if known >> ROW_BITS not in forgotten:
            assert place == known
        else:
            # An earlier place of it may be known still, in a file that is left.
            assert place == -1 or place >> ROW_BITS not in forgotten


def test_many_small_additions_are_held_in_few_runs():
    index = KeyIndex()
    for start in range(0, 10_000, 10):
        numbers = range(start, start + 10)
        index.add(keys_of(numbers), np.array(numbers, np.int64))
    assert len(index) == 10_000
    assert len(index._runs) < 10
    assert (index.find(keys_of(range(10_000))) == np.arange(10_000)).all()
