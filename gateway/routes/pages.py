"""The page, and the documentation of the API: both without anything from another host."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from gateway.api_docs import render_docs

_GATEWAY_DIR = Path(__file__).parents[1]
PAGE_DIR = _GATEWAY_DIR / "page"
DOCS_STYLE = _GATEWAY_DIR / "api_docs.css"


class _Modules(StaticFiles):
    """The page's files; a browser asks each time, lest it mix modules of two versions."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def install_pages(app: FastAPI) -> None:
    """Serve the page under / and /page, and the documentation under /docs."""
    app.mount("/page", _Modules(directory=PAGE_DIR), name="page")
    app.add_api_route("/", read_page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/docs", read_docs, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/docs/style.css", read_docs_style, include_in_schema=False)


async def read_page() -> FileResponse:
    """Return the page."""
    return FileResponse(PAGE_DIR / "index.html", headers={"Cache-Control": "no-cache"})


async def read_docs(request: Request) -> HTMLResponse:
    """Return the documentation of the API."""
    app: FastAPI = request.app
    return HTMLResponse(render_docs(app.openapi()))


async def read_docs_style() -> FileResponse:
    """Return the style of the documentation."""
    return FileResponse(DOCS_STYLE)
