"""The REST client of a gateway, as far as the command line needs it."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from level.errors import CommandFailed

POLL_SECONDS = 0.3
_BLOCK_BYTES = 1 << 20
_NO_ANSWER = "The gateway does not answer; its log says why."


class GatewayClient:
    """Uploads a file, follows it, and fetches what comes of it.

    Parameters
    ----------
    http : httpx.Client
        A client whose base URL is the gateway's.

    Raises
    ------
    CommandFailed
        By any method, with the gateway's own words.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def upload(
        self, path: Path, fields: dict[str, str], file_name: str | None = None
    ) -> dict[str, Any]:
        """Upload a file, under its own name or another, and return the answer: `dataset_id`."""
        try:
            with path.open("rb") as file:
                files = {"file": (file_name or path.name, file)}
                return self._send("POST", "/api/upload", files=files, data=fields)
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}.") from error

    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets there are, newest first."""
        return list(self._send("GET", "/api/datasets")["datasets"])

    def follow(self, dataset_id: str) -> Iterator[dict[str, Any]]:
        """Yield the status until the dataset is completed or failed."""
        return self._follow(f"/api/status/{dataset_id}")

    def level(self, dataset_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask what a levelling comes to, and with `apply` set it going; return the answer."""
        return self._send("POST", f"/api/level/{dataset_id}", json=body)

    def follow_level(self, dataset_id: str) -> Iterator[dict[str, Any]]:
        """Yield where the levelling that was applied stands, until it is completed or failed."""
        return self._follow(f"/api/level/{dataset_id}")

    def prove(self, dataset_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a proof and return where it stands."""
        return self._send("POST", f"/api/prove/{dataset_id}", json=body)

    def follow_proof(self, dataset_id: str) -> Iterator[dict[str, Any]]:
        """Yield where the proof stands, until it is completed or failed."""
        return self._follow(f"/api/prove/{dataset_id}")

    def recipe(self, dataset_id: str, **options: Any) -> dict[str, Any]:
        """Return the recipe of the export that the same options give."""
        return self._send("GET", f"/api/recipe/{dataset_id}", params=options)

    def terrain(self, dataset_id: str, layer: int | None = None) -> dict[str, Any]:
        """Return the terrain of a layer, by default of the terrain layer."""
        params = {} if layer is None else {"layer": layer}
        return self._send("GET", f"/api/terrain/{dataset_id}", params=params)

    def adjust(self, dataset_id: str, weights: dict[str, float]) -> dict[str, Any]:
        """Set weights of clusters and return the new figures."""
        return self._send("POST", f"/api/adjust/{dataset_id}", json={"adjustments": weights})

    def export(self, dataset_id: str, path: Path, **options: Any) -> None:
        """Write an export to a file; it gets its name only when it is whole."""
        temporary = path.with_name(f".{path.name}.part")
        try:
            with self._http.stream("GET", f"/api/export/{dataset_id}", params=options) as answer:
                if answer.is_error:
                    answer.read()
                    _checked(answer)
                with temporary.open("wb") as file:
                    for block in answer.iter_bytes(_BLOCK_BYTES):
                        file.write(block)
            temporary.replace(path)
        except httpx.HTTPError as error:
            raise CommandFailed(_NO_ANSWER) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _follow(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield a state until it is final; a gateway that restarts meanwhile is waited for."""
        unanswered_since: float | None = None
        while True:
            try:
                state = _checked(self._http.get(path))
                unanswered_since = None
            except httpx.TransportError as error:
                unanswered_since = unanswered_since or time.monotonic()
                if time.monotonic() - unanswered_since > 60:
                    raise CommandFailed(_NO_ANSWER) from error
                time.sleep(POLL_SECONDS)
                continue
            yield state
            if state["status"] != "processing":
                return
            time.sleep(POLL_SECONDS)

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            return _checked(self._http.request(method, path, **options))
        except httpx.HTTPError as error:
            raise CommandFailed(_NO_ANSWER) from error


def _checked(answer: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON; raise CommandFailed with its problem's words."""
    if answer.is_error:
        try:
            problem = answer.json()
            words = problem.get("detail") or problem.get("title")
        except ValueError:
            words = None
        raise CommandFailed(words or f"The gateway answered {answer.status_code}.")
    value: dict[str, Any] = answer.json()
    return value
