"""The images, as far as they can be checked without a container engine."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from analyzer_svc.settings import Settings as AnalyzerSettings
from cluster_svc.servicer import SERVICE as CLUSTER
from cluster_svc.settings import Settings as ClusterSettings
from embedder_svc import weights
from embedder_svc.servicer import SERVICE as EMBEDDER
from embedder_svc.settings import Settings as EmbedderSettings
from terrain_svc.servicer import SERVICE as TERRAIN
from terrain_svc.settings import Settings as TerrainSettings
from tests.unit.deployment.documents import (
    ROOT,
    environment_of,
    last_of,
    lineage,
    read_dockerfile,
)

STAGES = read_dockerfile()
IMAGES = ("embedder", "cluster", "analyzer", "terrain", "gateway")
DEFAULT_BIND = {
    "embedder": EmbedderSettings.model_fields["bind"].default,
    "cluster": ClusterSettings.model_fields["bind"].default,
    "analyzer": AnalyzerSettings.model_fields["analyzer_bind"].default,
    "terrain": TerrainSettings.model_fields["bind"].default,
}
RPC_SERVICES = {
    "embedder": EMBEDDER.name,
    "cluster": CLUSTER.name,
    "analyzer": "levelapi.analyzer.v1.AnalyzerService",
    "terrain": TERRAIN.name,
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_let_through(path):
    """Return whether .dockerignore lets a path into the build: its last pattern that fits rules."""
    let_through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        inside = path == pattern or path.startswith(f"{pattern}/") or fnmatch(path, pattern)
        if line and not line.startswith("#") and inside:
            let_through = line.startswith("!")
    return let_through


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_runs_as_root(image):
    user, _, group = last_of(STAGES, image, "USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_is_of_the_slim_python(image):
    assert lineage(STAGES, image)[-1].base == "python:3.11-slim"


@pytest.mark.parametrize("image", IMAGES)
def test_the_command_is_a_module_that_can_be_run(image):
    command = json.loads(last_of(STAGES, image, "CMD"))
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{command[2]}.__main__")


@pytest.mark.parametrize("image", DEFAULT_BIND)
def test_a_service_listens_where_it_is_exposed_asked_and_usually_found(image):
    port = last_of(STAGES, image, "EXPOSE")
    bind = environment_of(STAGES, image)[f"LEVEL_{image.upper()}_BIND"]
    check = json.loads(last_of(STAGES, image, "HEALTHCHECK").partition("CMD ")[2])
    assert bind == f"0.0.0.0:{port}"
    assert DEFAULT_BIND[image].rpartition(":")[2] == port
    assert check == [
        *("python", "-m", "level_rpc.probe"),
        *(f"127.0.0.1:{port}", RPC_SERVICES[image]),
    ]


def test_the_gateway_listens_where_it_is_exposed_and_asked():
    port = last_of(STAGES, "gateway", "EXPOSE")
    assert json.loads(last_of(STAGES, "gateway", "CMD"))[-1] == port
    check = json.loads(last_of(STAGES, "gateway", "HEALTHCHECK").partition("CMD ")[2])
    assert check[1:] == ["/opt/level/gateway_health.py", f"http://127.0.0.1:{port}/health"]
    assert any("docker/gateway_health.py" in copied for copied in STAGES["gateway"].all("COPY"))


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_what_is_copied_is_there(stage):
    for arguments in stage.all("COPY"):
        options = [word for word in arguments.split() if word.startswith("--")]
        *sources, _ = [word for word in arguments.split() if not word.startswith("--")]
        for source in sources:
            if origin := next((o[7:] for o in options if o.startswith("--from=")), None):
                assert origin in STAGES
            else:
                assert (ROOT / source).exists()
                assert source == "." or is_let_through(source)


def test_the_build_sees_all_that_the_wheel_is_made_of():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    generated = {pattern.partition("/")[0] for pattern in wheel["artifacts"]}
    packages = [f"{name}/__init__.py" for name in set(wheel["packages"]) - generated]
    project = PROJECT["project"]
    files = ["pyproject.toml", project["readme"], *project["license-files"]]
    hook = PROJECT["tool"]["hatch"]["build"]["hooks"]["custom"]["path"]
    assert [path for path in (*packages, *files, hook) if not is_let_through(path)] == []


@pytest.mark.parametrize("path", [".env", ".git/config", "level-data/level.sqlite", "gateway/.env"])
def test_keys_and_data_never_reach_the_build(path):
    assert not is_let_through(path)


def test_every_installed_package_is_pinned():
    runs = [run for stage in STAGES.values() for run in stage.all("RUN")]
    installs = [
        step for run in runs for step in run.split("&&") if re.search(r"\bpip .*install ", step)
    ]
    assert installs
    for step in installs:
        assert any(pin in step for pin in ("--constraint", "--require-hashes", "--no-index"))
    assert '"--constraint", "constraints.txt"' in (ROOT / "docker/install.py").read_text()


@pytest.mark.parametrize(
    ("stage", "extras"),
    [
        ("minilm-packages", "embedder"),
        ("arctic-packages", "embedder torch"),
        ("cluster-packages", "cluster"),
        ("analyzer-packages", "analyzer"),
        ("terrain-packages", "terrain"),
        ("gateway-packages", "gateway postgres proof"),
    ],
)
def test_each_image_gets_the_packages_of_its_own_extra(stage, extras):
    assert STAGES[stage].all("RUN")[-1].endswith(f"python install.py {extras}")
    wanted = load_script("install").requirements(PROJECT["project"], extras.split())
    optional = PROJECT["project"]["optional-dependencies"]
    assert set(wanted) == set(PROJECT["project"]["dependencies"]).union(
        *(optional[extra] for extra in extras.split())
    )


@pytest.mark.parametrize(
    ("model", "model_id"),
    [("minilm", weights.MINILM_MODEL_ID), ("arctic", weights.ARCTIC_MODEL_ID)],
)
def test_the_embedder_is_told_the_model_that_its_image_holds(model, model_id):
    assert environment_of(STAGES, "embedder", model)["LEVEL_EMBEDDER_MODEL"] == model_id
    assert environment_of(STAGES, "embedder", model)["LEVEL_CACHE_DIR"] == "/opt/cache"


def test_the_image_holds_the_files_that_the_embedder_looks_for():
    script = load_script("fetch_model")
    assert script.WANTED_FILES == weights._WANTED_FILES
    assert script.UNWANTED_FILES == weights._UNWANTED_FILES


def test_torch_is_the_version_that_the_tests_run_with():
    arguments = dict(word.split("=", 1) for word in STAGES["arctic-packages"].all("ARG"))
    assert f"TORCH={arguments['TORCH_VERSION']}\n" in (ROOT / "scripts/heavy.sh").read_text()
