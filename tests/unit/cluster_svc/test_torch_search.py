import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_svc.errors import DeviceMemoryTooSmall, EngineMissing
from cluster_svc.graph import build_graph

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
bf16_search = pytest.importorskip("cluster_svc.neighbors.bf16_search")
torch_search = pytest.importorskip("cluster_svc.neighbors.torch_search")
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def vectors_of(count, dimensions=24, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


@pytest.mark.parametrize("device", DEVICES)
@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(2, 300),
    dimensions=st.integers(2, 40),
    neighbors=st.integers(1, 40),
    columns=st.integers(1, 400),
    seed=st.integers(0, 99),
)
def test_the_graph_is_the_local_one(device, count, dimensions, neighbors, columns, seed):
    vectors = vectors_of(count, dimensions, seed)
    search = torch_search.TorchSearch(device, block_columns=columns)
    there = build_graph(vectors, neighbors, search=search)
    here = build_graph(vectors, neighbors)
    assert there.distances.tobytes() == here.distances.tobytes()
    assert np.array_equal(there.indices, here.indices)


@pytest.mark.parametrize("device", DEVICES)
def test_more_rows_than_a_block_of_queries(device):
    vectors = vectors_of(9_000)
    fractions = []
    search = torch_search.TorchSearch(device, thread_count=2)
    there = build_graph(vectors, search=search, report=fractions.append)
    here = build_graph(vectors)
    assert np.array_equal(there.indices, here.indices)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_a_block_that_does_not_fit_is_halved(monkeypatch):
    vectors, widths, largest = vectors_of(6_000), [], torch_search._largest

    def limited(queries, points, count, width):
        widths.append(width)
        if width > 2_000:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return largest(queries, points, count, width)

    monkeypatch.setattr(torch_search, "_largest", limited)
    there = build_graph(vectors, search=torch_search.TorchSearch("cpu", block_columns=6_000))
    assert widths == [6_000, 3_000, 1_500, 1_500]
    assert np.array_equal(there.indices, build_graph(vectors).indices)


def test_a_device_without_memory_is_a_clear_error(monkeypatch):
    def refuse(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch_search, "_largest", refuse)
    with pytest.raises(DeviceMemoryTooSmall, match="LEVEL_CLUSTER_DEVICE=cpu"):
        build_graph(vectors_of(100), search=torch_search.TorchSearch("cpu"))


@settings(deadline=None, max_examples=8)
@given(
    count=st.integers(2, 300),
    dimensions=st.integers(2, 40),
    neighbors=st.integers(1, 40),
    thread_count=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_the_graph_in_bfloat16_is_the_local_one(count, dimensions, neighbors, thread_count, seed):
    vectors = vectors_of(count, dimensions, seed)
    search = bf16_search.Bf16Search(thread_count=thread_count)
    there, here = build_graph(vectors, neighbors, search=search), build_graph(vectors, neighbors)
    assert there.distances.tobytes() == here.distances.tobytes()
    assert np.array_equal(there.indices, here.indices)


def test_bfloat16_with_several_blocks_of_queries_and_of_columns():
    vectors = vectors_of(9_000)
    there = build_graph(vectors, search=bf16_search.Bf16Search(thread_count=2))
    assert np.array_equal(there.indices, build_graph(vectors).indices)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fma avx2", False), ("avx512f avx512_bf16", True), ("amx_tile amx_bf16", True)],
)
def test_a_cpu_that_multiplies_bfloat16_is_known_by_its_flags(tmp_path, flags, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: fpu {flags} sse2\n")
    assert bf16_search.multiplies_bf16(path) is expected


def test_without_the_file_of_flags_no_cpu_multiplies_bfloat16(tmp_path):
    assert not bf16_search.multiplies_bf16(tmp_path / "none")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_a_clear_error():
    with pytest.raises(EngineMissing, match="CUDA"):
        torch_search.choose_torch_search(must_be_cuda=True, thread_count=1)
