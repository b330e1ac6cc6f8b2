"""Chooses the language model that the settings ask for."""

from __future__ import annotations

import structlog

from analyzer_svc.language_model import LanguageModel
from analyzer_svc.settings import Settings

_log = structlog.get_logger("analyzer_svc.models")


def open_language_model(settings: Settings) -> LanguageModel | None:
    """Return the language model of the settings, or None where there is no key for one.

    A model whose package is not installed is no model either, and the log says so: names must come
    out, if only from keywords.
    """
    if settings.gemini_api_key is None:
        _log.info("no GEMINI_API_KEY: names are keywords")
        return None
    try:
        # Imported only here: the client takes 25 MB of memory.
        from analyzer_svc.gemini import GeminiModel
    except ImportError:
        _log.error("google-genai is not installed: names are keywords; install the extra analyzer")
        return None
    _log.info("names are asked of a language model", model=settings.gemini_model)
    return GeminiModel(
        settings.gemini_api_key.get_secret_value().strip(),
        model=settings.gemini_model,
        max_output_tokens=settings.gemini_max_output_tokens,
        timeout_seconds=settings.llm_timeout_seconds,
        base_url=settings.gemini_base_url,
    )
