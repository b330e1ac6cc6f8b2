import subprocess
import sys

import pytest

from cluster_svc.errors import EngineMissing
from cluster_svc.neighbors.engines import choose_search


def test_this_machines_cores_need_no_search_of_their_own():
    assert choose_search(engine="local", device="cpu") is None


@pytest.mark.parametrize(
    ("module", "options"),
    [("ray", {"engine": "ray", "ray_address": "127.0.0.1:6379"}), ("torch", {"device": "cuda"})],
)
def test_a_missing_extra_is_named(monkeypatch, module, options):
    monkeypatch.setattr("cluster_svc.neighbors.engines.find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match=rf"level\[cluster,{module}\]"):
        choose_search(**options)


def test_without_torch_the_device_is_the_cpu(monkeypatch):
    monkeypatch.setattr("cluster_svc.neighbors.engines.find_spec", lambda name: None)
    assert choose_search(device="auto") is None


@pytest.mark.parametrize("options", [{"engine": "spark"}, {"device": "tpu"}])
def test_unknown_names_are_refused(options):
    with pytest.raises(ValueError):
        choose_search(**options)


def test_the_local_path_imports_neither_ray_nor_torch():
    program = (
        "import sys, numpy as np\n"
        "from cluster_svc.graph import build_graph\n"
        "from cluster_svc.neighbors.engines import choose_search\n"
        "build_graph(np.eye(9, dtype=np.float32), 3, search=choose_search(device='cpu'))\n"
        "assert not {'ray', 'torch'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
