"""Requests over one kept connection, timed: one after the other, or at fixed moments."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Answered:
    """One request: how long its answer took, in seconds, and the answer."""

    seconds: float
    value: Any


class Connection:
    """A kept-alive connection that takes little time of its own.

    Parameters
    ----------
    port : int
        Of 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def get(self, path: str) -> bytes:
        """Return the body of an answer."""
        return self._request("GET", path, None)

    def post(self, path: str, body: bytes) -> bytes:
        """Send JSON and return the body of the answer."""
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path} answered {answer.status}: {content[:200]!r}")
        return content


def closed_loop(call: Callable[[], bytes], seconds: float) -> list[Answered]:
    """Return the requests that one client makes, each as soon as the last is answered."""
    answered = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        content = call()
        answered.append(Answered(time.perf_counter() - start, content))
    return _parsed(answered)


def open_loop(call: Callable[[], bytes], seconds: float, rate: float) -> list[Answered]:
    """Return requests made at fixed moments, each timed from when it was due.

    So a request that had to wait for a slow one counts its waiting, as a person would.
    """
    answered = []
    first = time.perf_counter()
    for number in range(round(seconds * rate)):
        due = first + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        content = call()
        answered.append(Answered(time.perf_counter() - due, content))
    return _parsed(answered)


def percentile_ms(answered: list[Answered], percent: float) -> float:
    """Return a percentile of the times, in milliseconds."""
    return 1_000 * float(np.percentile([one.seconds for one in answered], percent))


def _parsed(answered: list[Answered]) -> list[Answered]:
    return [Answered(one.seconds, json.loads(one.value)) for one in answered]
