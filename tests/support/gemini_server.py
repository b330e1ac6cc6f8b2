"""A local HTTP server that speaks Gemini's generateContent REST shape and misbehaves on demand.

It answers what google-genai really sends, so that the real client is under test::

    async with running_gemini(lambda call: good("Lost cards")) as gemini:
        model = GeminiModel("key", base_url=gemini.url, ...)
        ...
        assert gemini.peak_concurrency <= 8
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Fault(Enum):
    """What happens instead of, or to, a whole answer."""

    NONE = "none"
    HANG = "hang"
    DRIP = "drip"
    RESET = "reset"


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def instruction(self) -> str:
        return self.body["systemInstruction"]["parts"][0]["text"]

    @property
    def content(self) -> str:
        return self.body["contents"][0]["parts"][0]["text"]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document between the two marks of the prompt."""
        return json.loads("\n".join(self.content.split("\n")[1:-1]))


@dataclass(frozen=True)
class Reply:
    """One answer: status, body and headers, and what goes wrong while it is sent."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    fault: Fault = Fault.NONE


def candidate(text: str | None, finish_reason: str = "STOP", **reply: Any) -> Reply:
    """Answer with one candidate; without text, with a candidate that has no parts."""
    content = {"role": "model", "parts": [{"text": text}]} if text is not None else {}
    return as_json(
        {
            "candidates": [{"content": content, "finishReason": finish_reason, "index": 0}],
            "usageMetadata": {"promptTokenCount": 120, "candidatesTokenCount": 17},
            "modelVersion": "gemini-3.5-flash-lite",
        },
        **reply,
    )


def good(label: str, description: str = "People ask about it.", **reply: Any) -> Reply:
    return candidate(json.dumps({"label": label, "description": description}), **reply)


def blocked_answer() -> Reply:
    return candidate(None, "SAFETY")


def blocked_prompt() -> Reply:
    return as_json({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})


def truncated() -> Reply:
    return candidate('{"label": "Lost cards", "descr', "MAX_TOKENS")


def quota(retry_delay: str | None = None, retry_after: str | None = None) -> Reply:
    """Answer 429, with the wait in the body's RetryInfo or in the header, as Google does."""
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
    ]
    if retry_delay is not None:
        details.append(
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}
        )
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return failure(429, "RESOURCE_EXHAUSTED", details, headers=headers)


def wrong_key() -> Reply:
    """Answer 400, which is what Google says to a key that it does not know."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    return failure(400, "INVALID_ARGUMENT", details)


def failure(status: int, name: str, details: list[Any] | None = None, **reply: Any) -> Reply:
    error = {"code": status, "message": f"{name} happened", "status": name}
    return as_json({"error": {**error, "details": details or []}}, status=status, **reply)


def as_json(value: Any, **reply: Any) -> Reply:
    return Reply(json.dumps(value).encode(), **reply)


class GeminiServer:
    """What the server saw, and where it is."""

    def __init__(self, reply: Callable[[Call], Reply]) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.reply = reply
        self.peak_concurrency = 0
        self._under_way = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                call = await _read(reader)
                self.calls.append(call)
                self._under_way += 1
                self.peak_concurrency = max(self.peak_concurrency, self._under_way)
                try:
                    await _send(writer, self.reply(call))
                finally:
                    self._under_way -= 1
        writer.close()


@asynccontextmanager
async def running_gemini(reply: Callable[[Call], Reply]) -> AsyncIterator[GeminiServer]:
    """Run a server on a free port of this machine that answers each call with ``reply(call)``."""
    gemini = GeminiServer(reply)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(gemini.answer(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    gemini.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gemini
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(head[0].split(" ")[1], headers, json.loads(body or b"{}"))


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    await asyncio.sleep(reply.delay_seconds)
    if reply.fault is Fault.HANG:
        await asyncio.Event().wait()
    if reply.fault is Fault.RESET:
        # Lingering for no time makes closing the socket send RST instead of FIN.
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError
    headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} Status"]
    lines += [f"{name}: {value}" for name, value in {**headers, **reply.headers}.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    if reply.fault is Fault.DRIP:
        for byte in reply.body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
    writer.write(reply.body)
    await writer.drain()
