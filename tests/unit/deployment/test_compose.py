"""The compose files, as far as they can be checked without a container engine."""

import importlib.util
import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import AliasChoices

from analyzer_svc.settings import Settings as AnalyzerSettings
from cluster_svc.settings import Settings as ClusterSettings
from embedder_svc.settings import Settings as EmbedderSettings
from gateway.settings import GatewaySettings
from tests.unit.deployment.documents import (
    ROOT,
    compose_variables,
    environment_of,
    last_of,
    read_compose,
    read_dockerfile,
)

SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
FILES = ["docker-compose.yml", "docker-compose.gpu.yml"]
SERVICES = read_compose()["services"]
STAGES = read_dockerfile()
OURS = sorted(set(SERVICES) - {"postgres"})
SETTINGS = {
    "embedder": EmbedderSettings,
    "cluster": ClusterSettings,
    "analyzer": AnalyzerSettings,
    "gateway": GatewaySettings,
    "worker": GatewaySettings,
}
# Variables of programs that are not ours: PostgreSQL's client library and uvicorn.
FOREIGN = {"PGPASSWORD", "FORWARDED_ALLOW_IPS"}


def settings_variables(settings):
    """Return the names of the environment variables that a settings class reads."""
    names = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            names |= {str(choice) for choice in alias.choices}
        elif alias:
            names.add(str(alias))
        else:
            names.add(f"{settings.model_config['env_prefix']}{name}".upper())
    return names


def seconds(duration):
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


@pytest.mark.parametrize("names", [FILES[:1], FILES[1:], FILES], ids=["base", "gpu", "both"])
def test_the_files_follow_the_schema(names):
    files = read_compose(*names)
    # Newer than this copy of the schema.
    assert isinstance(files.pop("name", "level"), str)
    jsonschema.validate(files, SCHEMA, cls=jsonschema.Draft201909Validator)


def test_all_parts_are_there():
    parts = {"embedder", "cluster", "analyzer", "terrain", "gateway", "worker", "postgres"}
    assert set(SERVICES) == parts


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_one_that_the_part_reads(name):
    known = settings_variables(SETTINGS[name]) | FOREIGN
    assert set(SERVICES[name]["environment"]) - known == set()


def test_variables_that_are_passed_on_carry_no_empty_default():
    values = [value for name in OURS for value in SERVICES[name].get("environment", {}).values()]
    assert "" not in values


@pytest.mark.parametrize("name", OURS)
def test_every_part_is_built_from_a_stage_of_the_dockerfile(name):
    assert SERVICES[name]["build"]["target"] in STAGES


@pytest.mark.parametrize("name", SERVICES)
def test_every_part_has_a_health_check(name):
    asked = SERVICES[name]["healthcheck"].get("test")
    assert asked or last_of(STAGES, SERVICES[name]["build"]["target"], "HEALTHCHECK")


def test_the_worker_is_the_gateways_image_with_a_command_and_a_check_of_its_own():
    worker = SERVICES["worker"]
    assert worker["image"] == SERVICES["gateway"]["image"]
    assert importlib.util.find_spec(f"{worker['command'][-1]}.__main__")
    assert any("docker/worker_health.py" in copied for copied in STAGES["gateway"].all("COPY"))
    assert worker["healthcheck"]["test"][-1] == "/opt/level/worker_health.py"


@pytest.mark.parametrize("caller", ["gateway", "worker"])
@pytest.mark.parametrize("name", ["embedder", "cluster", "analyzer", "terrain"])
def test_callers_dial_the_port_that_a_service_listens_on_and_share_a_network(caller, name):
    port = last_of(STAGES, name, "EXPOSE")
    address = SERVICES[caller]["environment"][f"LEVEL_{name.upper()}_ADDRESS"]
    assert address == f"dns:///{name}:{port}"
    assert set(SERVICES[caller]["networks"]) & set(SERVICES[name]["networks"])


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_gateway_and_worker_share_files_and_database(name):
    data_dir = environment_of(STAGES, "gateway")["LEVEL_DATA_DIR"]
    assert SERVICES[name]["volumes"] == [f"level-data:{data_dir}"]
    environment = SERVICES[name]["environment"]
    assert environment["LEVEL_DATABASE_URL"] == "postgresql+psycopg://level@postgres:5432/level"
    assert environment["PGPASSWORD"] == SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert SERVICES[name]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_embedders_share_a_cache_in_the_folder_that_the_image_keeps_for_it():
    folder = environment_of(STAGES, "embedder-minilm")["LEVEL_CACHE_DIR"]
    assert environment_of(STAGES, "embedder-arctic")["LEVEL_CACHE_DIR"] == folder
    assert SERVICES["embedder"]["volumes"] == [f"embedder-cache:{folder}/vectors"]
    assert 'cache_dir / "vectors"' in (ROOT / "docker/load_model.py").read_text()


def test_only_the_gateway_is_published_and_only_to_this_host():
    published = {name: part["ports"] for name, part in SERVICES.items() if "ports" in part}
    assert published == {"gateway": ["127.0.0.1:8000:8000"]}


def test_several_gateways_can_be_given_a_range_of_ports():
    services = read_compose(LEVEL_PUBLISH="127.0.0.1:8000-8010")["services"]
    assert services["gateway"]["ports"] == ["127.0.0.1:8000-8010:8000"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_keeps_a_part_from_being_scaled(name):
    assert not {"container_name", "hostname", "mac_address"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_every_part_is_confined(name):
    part = SERVICES[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert part["init"] is True
    assert part["restart"] == "unless-stopped"
    assert part["mem_limit"]
    assert part["pids_limit"]


@pytest.mark.parametrize("settings", [EmbedderSettings, ClusterSettings, AnalyzerSettings])
def test_a_part_has_time_to_finish_its_calls_before_it_is_killed(settings):
    grace = next(f.default for n, f in settings.model_fields.items() if n.endswith("grace_seconds"))
    assert all(seconds(SERVICES[name]["stop_grace_period"]) > grace + 5 for name in OURS)


def test_secrets_come_from_outside_and_reach_only_those_who_need_them():
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?:PASSWORD|KEY): (?!\$\{)\S", text)
    with_key = [n for n in SERVICES if "GEMINI_API_KEY" in SERVICES[n].get("environment", {})]
    assert with_key == ["analyzer"]
    with pytest.raises(AssertionError, match="POSTGRES_PASSWORD"):
        read_compose(POSTGRES_PASSWORD="")


def test_only_who_calls_or_is_called_from_outside_can_reach_it():
    networks = read_compose()["networks"]
    inner = {name for name, network in networks.items() if (network or {}).get("internal")}
    outer = {name for name in SERVICES if set(SERVICES[name]["networks"]) - inner}
    assert outer == {"gateway", "analyzer"}
    assert all(set(part["networks"]) <= set(networks) for part in SERVICES.values())


def test_the_gpu_goes_to_the_embedder_alone():
    merged = read_compose(*FILES)["services"]
    changed = {name for name in merged if merged[name] != SERVICES[name]}
    embedder = merged["embedder"]
    (device,) = embedder["deploy"]["resources"]["reservations"]["devices"]
    assert changed == {"embedder"}
    assert device["capabilities"] == ["gpu"]
    assert embedder["build"]["target"] == "embedder"
    assert embedder["build"]["args"]["MODEL"] == "arctic"
    assert embedder["image"] != SERVICES["embedder"]["image"]


def test_build_arguments_are_ones_that_the_dockerfile_takes():
    taken = {word.partition("=")[0] for stage in STAGES.values() for word in stage.all("ARG")}
    given = set(read_compose(*FILES)["services"]["embedder"]["build"]["args"])
    assert given - {"MODEL"} <= taken
    assert "\nARG MODEL=minilm\n" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", FILES)
def test_variables_of_the_files_themselves_are_documented(name):
    text = (ROOT / "docs/deployment.md").read_text()
    assert [variable for variable in compose_variables(name) if f"`{variable}`" not in text] == []
