import pytest
from pydantic import ValidationError

from analyzer_svc.models import open_language_model
from analyzer_svc.settings import Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_a_key_there_is_no_language_model():
    assert open_language_model(Settings()) is None


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_none(monkeypatch, key):
    monkeypatch.setenv("GEMINI_API_KEY", key)
    assert Settings().gemini_api_key is None


def test_the_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "canary-key")
    settings = Settings()
    assert "canary-key" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_come_from_the_environment_and_a_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("GEMINI_API_KEY=from-file\nLEVEL_GEMINI_MODEL=gemini-x\n")
    monkeypatch.setenv("LEVEL_LLM_CONCURRENCY", "3")
    settings = Settings()
    assert settings.gemini_api_key.get_secret_value() == "from-file"
    assert settings.gemini_model == "gemini-x"
    assert settings.naming_limits().concurrency == 3


@pytest.mark.parametrize(
    "url", ["https://proxy.example", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"]
)
def test_the_key_may_be_sent_encrypted_or_to_this_machine(url):
    assert Settings(gemini_base_url=url).gemini_base_url == url


@pytest.mark.parametrize("url", ["http://evil.example", "http://169.254.169.254", "ftp://x", "x"])
def test_the_key_is_sent_nowhere_else(url):
    with pytest.raises(ValidationError, match="must start with https"):
        Settings(gemini_base_url=url)
