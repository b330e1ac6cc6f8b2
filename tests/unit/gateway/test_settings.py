from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from level.settings import CommandSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("LEVEL_DATA_DIR", "XDG_DATA_HOME", "CORS_ORIGINS", "LEVEL_CORS_ORIGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # where there is no .env


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({}, Path.home() / ".local" / "share" / "level"),
        ({"XDG_DATA_HOME": ""}, Path.home() / ".local" / "share" / "level"),
        ({"XDG_DATA_HOME": "/somewhere"}, Path("/somewhere/level")),
        ({"XDG_DATA_HOME": "/somewhere", "LEVEL_DATA_DIR": "/other"}, Path("/other")),
    ],
)
def test_the_store_is_where_the_command_line_has_it(monkeypatch, values, folder):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert GatewaySettings().data_dir == CommandSettings().store == folder


def test_origins_are_listed():
    settings = GatewaySettings(cors_origins="https://a.example, http://localhost:3000,")
    assert settings.cors_origin_list == ["https://a.example", "http://localhost:3000"]


@pytest.mark.parametrize("origins", ["*", "https://a.example, *", "https://*.example"])
def test_any_origin_is_refused(monkeypatch, origins):
    monkeypatch.setenv("CORS_ORIGINS", origins)
    with pytest.raises(ValueError, match=r"CORS_ORIGINS.*list each origin"):
        GatewaySettings()
