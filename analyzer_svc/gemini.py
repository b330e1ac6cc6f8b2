"""Gemini through google-genai: the only file that knows either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx2
import structlog
from google import genai
from google.genai import errors, types

from analyzer_svc.clusters import NO_USAGE, TokenUsage
from analyzer_svc.errors import (
    ProviderAnswerMalformed,
    ProviderBlocked,
    ProviderFailure,
    ProviderKeyRefused,
    ProviderQuota,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from analyzer_svc.google_status import names_key, retry_delay
from analyzer_svc.language_model import Answer, parse_answer
from analyzer_svc.prompts import ANSWER_SCHEMA, Prompt

PROVIDER = "gemini"
TEMPERATURE = 0.3
_RESPONSE_BYTES = 256 * 1024
_FINISHED = (types.FinishReason.STOP, types.FinishReason.FINISH_REASON_UNSPECIFIED, None)
_TRUNCATED = types.FinishReason.MAX_TOKENS
_CLIENT_TIMEOUT_CODES = (408, 504)
_RETRYABLE_CODES = (500, 502, 503)

_log = structlog.get_logger("analyzer_svc.gemini")


class GeminiModel:
    """Gemini as a LanguageModel.

    Parameters
    ----------
    api_key : str
        Sent as a header, never in an address, never logged.
    model : str
        Model id, as "gemini-3.5-flash-lite".
    max_output_tokens : int
        How long an answer may be.
    timeout_seconds : float
        How long one request may take in all.
    base_url : str, optional
        Where the API is; Google's own by default.
    """

    def __init__(
        self,
        api_key: str,
        *,
        model: str,
        max_output_tokens: int,
        timeout_seconds: float,
        base_url: str | None = None,
    ) -> None:
        self._model = model
        self._timeout_seconds = timeout_seconds
        # An address that redirects elsewhere would be sent the key.
        self._http = httpx2.AsyncClient(
            follow_redirects=False, event_hooks={"response": [_bound_response]}
        )
        self._client = genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url,
                headers={"Accept-Encoding": "identity"},
                httpx_async_client=self._http,
                timeout=int(timeout_seconds * 1000),
            ),
        )
        self._config = types.GenerateContentConfig(
            temperature=TEMPERATURE,
            max_output_tokens=max_output_tokens,
            response_mime_type="application/json",
            response_schema=ANSWER_SCHEMA,
            thinking_config=least_thinking(model),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )

    async def describe(self, prompt: Prompt) -> Answer:
        """Return Gemini's answer to one prompt; raise a ProviderFailure for whatever goes wrong."""
        config = self._config.model_copy(update={"system_instruction": prompt.instruction})
        try:
            # The client's own limit is for each read; a slow drip would never reach it.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._client.aio.models.generate_content(
                    model=self._model, contents=prompt.content, config=config
                )
            return _read(response)
        except ProviderFailure:
            raise
        except Exception as error:
            # The client lets what it cannot read surface as any exception; none may end the call.
            # Its text may repeat rows or the key, and so goes no further.
            _log.debug("gemini call failed", error_type=type(error).__name__)
            raise _failure(error) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        self._client.close()


def least_thinking(model: str) -> types.ThinkingConfig:
    """Return the least thinking the model takes: none before Gemini 3, which has no "off".

    From Gemini 3 on a budget of 0 is refused; "minimal" is the default of the Flash-Lite models,
    and "low" the least that all others take.
    """
    if model.startswith(("gemini-1", "gemini-2")):
        return types.ThinkingConfig(thinking_budget=0)
    level = types.ThinkingLevel.MINIMAL if "flash-lite" in model else types.ThinkingLevel.LOW
    return types.ThinkingConfig(thinking_level=level)


async def _bound_response(response: httpx2.Response) -> None:
    """Make reading the response fail once it is longer than any honest answer."""
    if response.headers.get("content-encoding", "identity") != "identity":
        _refuse_answer("is compressed, which was not asked for")
    response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        byte_count = 0
        async for chunk in self._stream:
            byte_count += len(chunk)
            if byte_count > _RESPONSE_BYTES:
                _refuse_answer("is far too long")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _read(response: types.GenerateContentResponse) -> Answer:
    """Return the answer in a response; a blocked one has none, and the client does not say so."""
    feedback = response.prompt_feedback
    candidates = response.candidates or []
    if feedback and feedback.block_reason:
        _refuse_content()
    if not candidates:
        _refuse_answer("is empty")
    finish_reason = candidates[0].finish_reason
    if finish_reason == _TRUNCATED:
        _refuse_answer("was cut off at its longest allowed length")
    if finish_reason not in _FINISHED:
        _refuse_content()
    return parse_answer(response.text or "", PROVIDER, _usage(response))


def _usage(response: types.GenerateContentResponse) -> TokenUsage:
    usage = response.usage_metadata
    if usage is None:
        return NO_USAGE
    return TokenUsage(usage.prompt_token_count or 0, usage.candidates_token_count or 0)


def _failure(error: Exception) -> ProviderFailure:
    """Return what an exception of the client means."""
    if isinstance(error, errors.APIError):
        return _status_failure(error)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return _timeout()
    if isinstance(error, httpx2.TransportError):
        return ProviderUnavailable("the language model cannot be reached", provider=PROVIDER)
    return ProviderAnswerMalformed(
        "the language model's answer cannot be read; the keyword name stands", provider=PROVIDER
    )


def _status_failure(error: errors.APIError) -> ProviderFailure:
    """Return what an HTTP status other than 200 means."""
    if error.code == 429:
        return ProviderQuota(
            "the language model's quota is used up for now",
            retry_after=_retry_after(error),
            provider=PROVIDER,
        )
    if error.code in (401, 403) or names_key(error.details):
        return ProviderKeyRefused(
            "the provider refuses the key; check GEMINI_API_KEY", provider=PROVIDER
        )
    if error.code in _CLIENT_TIMEOUT_CODES:
        return _timeout()
    if error.code in _RETRYABLE_CODES:
        return ProviderUnavailable(
            f"the language model failed with status {error.code}",
            retry_after=_retry_after(error),
            provider=PROVIDER,
        )
    return ProviderRequestRefused(
        f"the provider refuses the request with status {error.code}; "
        "check LEVEL_GEMINI_MODEL and LEVEL_GEMINI_BASE_URL",
        provider=PROVIDER,
    )


def _timeout() -> ProviderTimeout:
    return ProviderTimeout("the language model did not answer in time", provider=PROVIDER)


def _retry_after(error: errors.APIError) -> float | None:
    headers = getattr(error.response, "headers", {})
    return retry_delay(error.details, headers.get("retry-after", ""))


def _refuse_content() -> NoReturn:
    raise ProviderBlocked(
        "the provider's filters stopped the request or its answer; the keyword name stands",
        provider=PROVIDER,
    )


def _refuse_answer(fault: str) -> NoReturn:
    raise ProviderAnswerMalformed(
        f"the answer of the language model {fault}; the keyword name stands", provider=PROVIDER
    )
