"""A made-up terrain of a support inbox, a real browser, and canned REST answers."""

import importlib.util
import json
import math
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import FileResponse

PAGE = Path(__file__).resolve().parents[2] / "gateway" / "page"
CSP = (
    "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
BROWSER_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
GRID = 100
TOPICS = [
    ("Refund not received", 2400, 36, 30, 7.5),
    ("Password reset", 1268, 78, 76, 8.2),
    ("Late delivery", 873, 17, 70, 7.0),
    ("App crashes on start", 670, 76, 22, 6.0),
    ("Change of address", 545, 49, 61, 6.2),
    ("Duplicate charge", 461, 56, 36, 4.6),
    ("Cancel subscription", 400, 23, 47, 5.4),
    ("Wrong item sent", 352, 80, 46, 4.9),
    ("Promo code rejected", 304, 60, 83, 4.8),
    ("Invoice wording", 266, 68, 60, 4.4),
    ("Two-factor problems", 231, 13, 17, 4.2),
    ("Damaged packaging", 204, 24, 27, 3.6),
    ("Slow checkout", 178, 40, 48, 3.4),
    ("Gift cards", 155, 31, 64, 3.3),
    ("API rate limits", 131, 66, 49, 3.1),
    ("Warranty terms", 112, 51, 76, 3.0),
    ("Language settings", 96, 36, 86, 3.2),
    ("Bulk orders", 84, 70, 36, 2.9),
    ("Press enquiries", 71, 25, 82, 2.8),
    ("Student discount", 58, 13, 58, 2.6),
]
COLORS = [
    "#d55e00", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#b58900", "#7b5ea7",
    "#3f8f5f", "#c1446e", "#2a9d8f", "#8c564b", "#5b7fbf", "#c77d3a", "#6a994e", "#a05195",
    "#4d908e", "#bc6c25", "#577590", "#98726b",
]  # fmt: skip


def made_up_terrain(hostile: str | None = None) -> dict:
    """Return 20 hills in the REST shape; `hostile` replaces the texts of the largest."""
    tallest = TOPICS[0][1]
    hills = [
        {
            "cluster_id": number,
            "label": label,
            "description": f"People write about: {label.lower()}, asking for an answer.",
            "label_source": "keywords",
            "parent_id": None,
            "x": float(x),
            "z": float(z),
            "radius": radius,
            "height": 10 * size / tallest,
            "original_height": 10 * size / tallest,
            "weight": 1.0,
            "size": size,
            "effective_size": float(size),
            "color": COLORS[number],
            "keywords": [*label.lower().split(), "order", "account"],
            "exemplars": [
                {"row_id": 31 * number + k, "text": f"Hello, {label.lower()} again (no. {k})."}
                for k in range(3)
            ],
            "stability": 0.9,
            "group_count": size // 2 if number == 0 else size,
            "near_duplicate_share": 0.5 if number == 0 else 0.0,
        }
        for number, (label, size, x, z, radius) in enumerate(TOPICS)
    ]
    if hostile is not None:
        hills[0] |= {"label": hostile, "description": hostile, "keywords": [hostile]}
        hills[0]["exemplars"] = [{"row_id": 0, "text": hostile}]
    return {
        "hills": hills,
        "heightData": _heights(hills),
        "gridSize": GRID,
        "metrics": _metrics(),
        "noise": {"count": 312, "weight": 1.0, "reason": "312 rows lie in sparse regions."},
        "layer": 1,
        "layers": _layers(),
        "layout": {"own_hill_fraction": 0.96, "neighbor_preservation": 0.4},
        "revision": 0,
    }


def _layers() -> list[dict]:
    first_and_count = ((25, 60), (0, 20), (20, 5))
    return [
        {
            "layer_index": index,
            "first_cluster_id": first,
            "cluster_count": count,
            "is_terrain_layer": first == 0,
        }
        for index, (first, count) in enumerate(first_and_count)
    ]


def coarser(terrain: dict) -> dict:
    """Return the terrain of the coarsest layer: the five largest hills under other names."""
    hills = [
        hill | {"cluster_id": 20 + place, "label": f"Group {place}"}
        for place, hill in enumerate(terrain["hills"][:5])
    ]
    return {**terrain, "hills": hills, "layer": 2, "heightData": _heights(hills)}


def _heights(hills: list[dict]) -> list[list[float]]:
    return [
        [
            sum(
                hill["height"]
                * math.exp(
                    -((x - hill["x"]) ** 2 + (z - hill["z"]) ** 2) / (2 * hill["radius"] ** 2)
                )
                for hill in hills
            )
            for x in range(GRID)
        ]
        for z in range(GRID)
    ]


def _metrics() -> dict:
    figures = {
        "gini": 0.503,
        "flatness": 0.471,
        "cluster_count": 20,
        "effective_clusters": 12.6,
        "row_count": 9171,
        "noise_count": 312,
        "effective_sample_size": 9171.0,
        "effective_sample_share": 1.0,
        "design_effect": 1.0,
        "max_repeat": 1.0,
        "dropped_row_count": 0,
        "duplicate_count": 0,
    }
    return {**figures, "original": figures}


def _levelled(asked: dict) -> dict:
    before = _metrics()["original"]
    after = {**before, "gini": 0.21, "flatness": 0.78, "effective_sample_size": 6420.0}
    after |= {"effective_sample_share": 0.7, "design_effect": 1.43, "dropped_row_count": 1200}
    effect = {"dropped_count": 312, "joined_count": 0, "metrics": after}
    return {
        "solution": {
            "weights": {"0": 0.4},
            "unmet": [],
            "binding": ["Two hills are at the limit."],
        },
        "metrics": {"before": before, "after": after},
        "notes": [],
        "layer": 1,
        "noise_effects": [{"policy": {"kind": "drop"}, **effect}],
        "request": asked,
        "revision": 1,
    }


def _curve() -> dict:
    flatness = [step / 20 for step in range(9, 20)]
    shares = [1.0 - 0.9 * (value - 0.45) ** 1.5 for value in flatness]
    return {"flatness": flatness, "effective_sample_share": shares, "default_step": 6}


def canned_gateway() -> FastAPI:
    """Return an application that serves the page and answers as the REST contract says."""
    app = FastAPI()
    app.state.terrain = made_up_terrain()
    app.state.weights = {}
    app.state.adjusted, app.state.levelled, app.state.curves = [], [], []
    app.state.counts, app.state.polls = [], 0
    status = {"dataset_id": "d1", "file_name": "support-inbox.csv", "error": None, "warnings": []}
    status["text_column"] = {"index": 0, "name": "message", "reason": "the longest texts"}

    @app.middleware("http")
    async def with_csp(request: Request, call_next):
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CSP
        return response

    @app.get("/")
    async def page():
        return FileResponse(PAGE / "index.html")

    @app.get("/api/datasets")
    async def datasets():
        listed = {**status, "status": "completed", "created_at": "2026-11-20T09:30:00Z"}
        return {"datasets": [listed | {"row_count": 9171}]}

    @app.post("/api/upload")
    async def upload(request: Request):
        form = await request.form()
        app.state.sent = {name: value for name, value in form.items() if name != "file"}
        if (await form["file"].read()).startswith(b"bad"):
            detail = "The file has 3 rows; at least 50 are needed. Add rows and upload it again."
            problem = {"type": "about:blank", "title": "Too few rows", "status": 400}
            return JSONResponse(
                problem | {"detail": detail}, 400, media_type="application/problem+json"
            )
        return JSONResponse({"dataset_id": "d1", "status": "processing"}, 202)

    @app.get("/api/status/d1")
    async def read_status():
        return {**status, "status": "completed", "progress": 100, "stage": None}

    @app.get("/api/status/d1/events")
    async def events():
        states = [
            {**status, "status": "processing", "progress": 40, "stage": "embedding"},
            {**status, "status": "completed", "progress": 100, "stage": None},
        ]
        lines = (f"data: {json.dumps(state)}\n\n" for state in states)
        return StreamingResponse(lines, media_type="text/event-stream")

    @app.get("/api/terrain/d1")
    async def terrain(layer: int = 1, count: str = "rows"):
        app.state.counts.append(count)
        return coarser(app.state.terrain) if layer == 2 else app.state.terrain

    @app.get("/api/level/d1/curve")
    async def curve(request: Request):
        app.state.curves.append(dict(request.query_params))
        return _curve()

    @app.post("/api/level/d1")
    async def level(request: Request):
        asked = await request.json()
        app.state.levelled.append(asked)
        if asked["apply"]:
            app.state.terrain["hills"][0] |= {"weight": 0.4, "height": 4.0}
        return _levelled(asked)

    @app.get("/api/level/d1")
    async def read_level():
        if not any(asked["apply"] for asked in app.state.levelled):
            problem = {"title": "Plan missing", "detail": "Nothing was levelled yet."}
            return JSONResponse(problem, 409, media_type="application/problem+json")
        app.state.polls += 1
        state = {"status": "processing", "progress": 40, "is_current": True}
        if app.state.polls > 1:
            state |= {"status": "completed", "progress": 100, "reasons": {"kept": 7971}}
        return {**_levelled({}), **state}

    @app.post("/api/adjust/d1")
    async def adjust(request: Request, layer: int = 1):
        adjustments = (await request.json())["adjustments"]
        app.state.adjusted.append((layer, adjustments))
        is_reset = "25" in adjustments
        app.state.weights = {} if is_reset else app.state.weights | adjustments
        for hill in app.state.terrain["hills"]:
            hill["weight"] = app.state.weights.get(str(hill["cluster_id"]), 1.0)
            hill["height"] = hill["original_height"] * hill["weight"]
        app.state.terrain["heightData"] = _heights(app.state.terrain["hills"])
        app.state.terrain["metrics"] |= {"gini": 0.4, "effective_sample_size": 8000.0}
        metrics = app.state.terrain["metrics"]
        return {"metrics": metrics, "weights": app.state.weights, "revision": 1}

    app.mount("/page", StaticFiles(directory=PAGE))
    return app


@pytest.fixture
def gateway_app() -> FastAPI:
    """Return the canned gateway."""
    return canned_gateway()


@pytest.fixture
def address(gateway_app: FastAPI) -> Iterator[str]:
    """Give the address of a running canned gateway."""
    config = uvicorn.Config(gateway_app, port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium():
    """Give a running Chromium; skip where playwright or the browser is missing.

    Never of session scope: its event loop would run on, which later asyncio tests refuse.
    """
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    program = program or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def terrain_of():
    """Give the maker of made-up terrains."""
    return made_up_terrain


@pytest.fixture
def page(chromium):
    """Give a fresh page; an uncaught error or a policy violation fails the test."""
    context = chromium.new_context()
    complaints = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and complaints.append(message.text),
    )
    yield page
    context.close()
    assert complaints == []
