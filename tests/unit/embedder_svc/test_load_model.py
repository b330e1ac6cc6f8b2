import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedder_svc import choice, loading
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.gpu import gpu_may_be_used
from embedder_svc.loading import load_model
from embedder_svc.model import Backend
from embedder_svc.settings import Settings
from embedder_svc.weights import ARCTIC_MODEL_ID, MINILM_MODEL_ID


@pytest.fixture
def settings_environment(monkeypatch, tmp_path):
    for name in ("EMBEDDER_MODEL", "EMBEDDER_THREADS", "MINILM_DIR", "CACHE_DIR"):
        monkeypatch.delenv(f"LEVEL_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def pretended(monkeypatch):
    """Return a function that makes this machine one with or without a GPU and torch."""

    def pretend(*, gpu, torch, cuda=False):
        monkeypatch.setattr(choice, "gpu_may_be_used", lambda: gpu)
        monkeypatch.setattr(choice, "has_torch", lambda: torch)
        monkeypatch.setattr(choice, "has_cuda", lambda: cuda)

    return pretend


def test_a_folder_runs_on_onnx_runtime_unless_told_otherwise(tiny_folder, cache_dir, pretended):
    pretended(gpu=False, torch=True)
    info = load_model(str(tiny_folder), cache_dir=cache_dir, threads=1).info
    assert (info.backend, info.model_id) == (Backend.ONNX, "tiny-bert")


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"gpu": False, "torch": True}, "no CUDA device"),
        ({"gpu": True, "torch": False}, "a GPU, but torch is not installed"),
        ({"gpu": True, "torch": True}, "torch cannot use the GPU"),
    ],
)
def test_the_reason_names_machine_model_precision_and_library(
    tiny_folder, cache_dir, pretended, machine, reason
):
    pretended(**machine)
    info = load_model(minilm_dir=tiny_folder, cache_dir=cache_dir, threads=1).info
    assert (info.model_id, info.backend) == (MINILM_MODEL_ID, Backend.ONNX)
    assert info.choice_reason.startswith(
        f"{reason}: {MINILM_MODEL_ID} in {info.precision} on onnxruntime "
    )


def test_auto_is_arctic_on_torch_where_it_has_a_gpu(pretended, monkeypatch):
    pretended(gpu=True, torch=True, cuda=True)
    asked = []

    def find(model, *_):
        asked.append(model)
        raise ModelNotLoaded(model, "enough")

    monkeypatch.setattr(loading, "find_model", find)
    for options in ({}, {"backend": "sentence-transformers"}, {"backend": "onnxruntime"}):
        with pytest.raises(ModelNotLoaded, match="enough"):
            load_model(**options)
    assert asked == [ARCTIC_MODEL_ID, ARCTIC_MODEL_ID, MINILM_MODEL_ID]


def test_another_architecture_without_torch_names_the_extra(
    tiny_folder, tmp_path, cache_dir, pretended
):
    pretended(gpu=False, torch=False)
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "modernbert"}))
    with pytest.raises(ModelNotLoaded, match="install the extra torch"):
        load_model(str(folder), cache_dir=cache_dir)


def test_a_revision_needs_a_model():
    with pytest.raises(ModelNotLoaded, match="set LEVEL_EMBEDDER_MODEL"):
        load_model(revision="main")


def test_an_unknown_precision_is_answered_with_the_known_ones():
    with pytest.raises(ModelNotLoaded, match="auto, int8, float32, bfloat16, float16"):
        load_model(precision="int4")


def test_a_machine_without_a_drivers_device_has_no_gpu(tmp_path):
    device = tmp_path / "device"
    assert not gpu_may_be_used([device])
    device.write_text("")
    assert gpu_may_be_used([tmp_path / "none", device])


@pytest.mark.parametrize(
    ("model", "backend"), [(ARCTIC_MODEL_ID, "auto"), (MINILM_MODEL_ID, "sentence-transformers")]
)
def test_a_missing_extra_is_named_before_anything_is_fetched(pretended, model, backend):
    pretended(gpu=False, torch=False)
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


@pytest.mark.skipif(gpu_may_be_used(), reason="this machine has a GPU, so torch is asked")
def test_without_a_gpu_torch_is_not_even_imported(tiny_folder, cache_dir):
    script = (
        "import sys; from pathlib import Path; from embedder_svc.loading import load_model\n"
        "load_model(minilm_dir=Path(sys.argv[1]), cache_dir=Path(sys.argv[2]), threads=1)\n"
        "print(*{'torch', 'scipy', 'sentence_transformers', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tiny_folder), str(cache_dir)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []
