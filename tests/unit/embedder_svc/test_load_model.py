import importlib.util

import pytest

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import Backend
from embedder_svc.settings import Settings
from embedder_svc.weights import ARCTIC_MODEL_ID, MINILM_MODEL_ID

HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture
def settings_environment(monkeypatch, tmp_path):
    for name in ("EMBEDDER_MODEL", "EMBEDDER_THREADS", "MINILM_DIR", "CACHE_DIR"):
        monkeypatch.delenv(f"LEVEL_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_auto_without_a_gpu_is_minilm_on_onnx_runtime(tiny_folder, cache_dir):
    if HAS_TORCH:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU")
    model = load_model(minilm_dir=tiny_folder, cache_dir=cache_dir, threads=1)
    assert model.info.model_id == MINILM_MODEL_ID
    assert model.info.backend == Backend.ONNX


def test_a_folder_runs_on_onnx_runtime_unless_told_otherwise(tiny_folder, cache_dir):
    info = load_model(str(tiny_folder), cache_dir=cache_dir, threads=1).info
    assert (info.backend, info.model_id) == (Backend.ONNX, "tiny-bert")


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed")
@pytest.mark.parametrize(
    ("model", "backend"), [(ARCTIC_MODEL_ID, "auto"), (MINILM_MODEL_ID, "sentence-transformers")]
)
def test_a_missing_extra_is_named_before_anything_is_fetched(model, backend):
    with pytest.raises(ModelNotLoaded, match="extra torch") as raised:
        load_model(model, backend=backend)
    assert raised.value.metadata == {"model": model}


def test_an_unknown_backend_is_answered_with_the_known_ones():
    with pytest.raises(ModelNotLoaded, match="auto, onnxruntime, sentence-transformers"):
        load_model(backend="tensorflow")


def test_settings_have_defaults_that_need_nothing(settings_environment):
    settings = Settings()
    assert (settings.model, settings.backend, settings.threads) == ("auto", Backend.AUTO, 0)
    assert settings.bind == "127.0.0.1:50051"
    assert settings.minilm_dir is None


def test_settings_are_read_from_the_environment_and_a_file(settings_environment, tmp_path):
    settings_environment.setenv("LEVEL_EMBEDDER_MODEL", ARCTIC_MODEL_ID)
    settings_environment.setenv("LEVEL_MINILM_DIR", "")
    (tmp_path / ".env").write_text("LEVEL_EMBEDDER_THREADS=3\nLEVEL_CACHE_DIR=/var/level\n")
    settings = Settings()
    assert (settings.model, settings.threads) == (ARCTIC_MODEL_ID, 3)
    assert str(settings.cache_dir) == "/var/level"
    assert settings.minilm_dir is None
