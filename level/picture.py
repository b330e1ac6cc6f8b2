"""The self-contained picture of a terrain: one HTML file that opens offline."""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

EXEMPLAR_CHARACTERS = 300
HEIGHT_DECIMALS = 3

# In the order in which each may use what stands before it: they become one script.
_SCRIPTS = (
    "dom.js",
    "raster.js",
    "camera.js",
    "labels.js",
    "surface.js",
    "scene.js",
    "controls.js",
    "view.js",
    "layers.js",
    "measures.js",
    "panels.js",
    "terrain.js",
    "picture.js",
)
_HILL_FIELDS = (
    "cluster_id",
    "description",
    "label_source",
    "x",
    "z",
    "radius",
    "height",
    "original_height",
    "weight",
    "size",
    "effective_size",
    "color",
    "stability",
    "near_duplicate_share",
)
_IMPORT = re.compile(r"^import \{.*?\} from \"\./[a-z]+\.js\";\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?=function|class|const)", re.MULTILINE)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def write_picture(terrain: Mapping[str, Any], status: Mapping[str, Any], path: Path | str) -> None:
    """Write terrain.html: terrain, measures and table in one file that needs no network.

    The file appears whole or not at all. Equal input gives an equal file.

    Parameters
    ----------
    terrain : mapping
        The answer of GET /api/terrain/{id}.
    status : mapping
        The answer of GET /api/status/{id}; `file_name`, `text_column` and `created_at` are shown
        where present.
    path : path
        The file to write.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.write_text(render_picture(terrain, status), encoding="utf-8", newline="\n")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def render_picture(terrain: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """Return the text of the self-contained picture; see `write_picture`."""
    page = files("gateway").joinpath("page")
    style = page.joinpath("terrain.css").read_text(encoding="utf-8")
    script = "".join(_as_plain_script(page.joinpath(name).read_text("utf-8")) for name in _SCRIPTS)
    template = Template(files("level").joinpath("picture_template.html").read_text("utf-8"))
    file_name = _shown(status.get("file_name") or "dataset")
    hills = sorted(terrain["hills"], key=lambda hill: (-hill["size"], hill["cluster_id"]))
    return template.substitute(
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
        generator=_shown(_program()),
        title=f"{file_name} – Level",
        file_name=file_name,
        facts=_shown(_facts(terrain, status)),
        origin=_shown(_origin(status)),
        measures=_shown(_measures(terrain["metrics"])),
        rows="\n".join(_table_rows(hills, terrain["metrics"])),
        style=style,
        script=script,
        data=_as_data(terrain),
    )


def _as_plain_script(module: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", module))


def _csp_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _as_data(terrain: Mapping[str, Any]) -> str:
    """Return the terrain as JSON in pure ASCII without any character that HTML reads."""
    carried = {
        "hills": [_carried_hill(hill) for hill in terrain["hills"]],
        "heightData": [
            [round(height, HEIGHT_DECIMALS) for height in row] for row in terrain["heightData"]
        ],
        "gridSize": terrain["gridSize"],
        "metrics": terrain["metrics"],
        "noise": _carried_noise(terrain.get("noise") or {}),
        "layer": terrain.get("layer"),
        "layers": terrain.get("layers", []),
        "layout": terrain.get("layout"),
    }
    text = json.dumps(carried, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _carried_hill(hill: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: hill[name] for name in _HILL_FIELDS if name in hill}
    exemplars = [
        {"row_id": exemplar["row_id"], "text": _cut(_visible(exemplar["text"]))}
        for exemplar in hill.get("exemplars", ())
    ]
    return kept | {
        "label": _visible(hill["label"]),
        "description": _visible(hill.get("description") or ""),
        "keywords": [_visible(word) for word in hill.get("keywords", ())],
        "exemplars": exemplars,
    }


def _carried_noise(noise: Mapping[str, Any]) -> dict[str, Any]:
    return {**noise, "reason": _visible(noise.get("reason") or "")}


def _cut(text: str) -> str:
    return text if len(text) <= EXEMPLAR_CHARACTERS else text[: EXEMPLAR_CHARACTERS - 1] + "…"


def _visible(text: str) -> str:
    """Return the text with U+FFFD for what cannot be shown: controls and lone surrogates."""
    return _UNSHOWABLE.sub("\ufffd", text)


def _shown(text: str) -> str:
    return html.escape(_visible(text), quote=True)


def _table_rows(hills: list[Mapping[str, Any]], metrics: Mapping[str, Any]) -> list[str]:
    row_count = _row_count(metrics)
    rows = [
        _table_row(_swatch(hill["color"]) + f"<bdi>{_shown(hill['label'])}</bdi>", hill, row_count)
        for hill in hills
    ]
    noise = {"size": metrics["original"]["noise_count"]}
    return [*rows, _table_row("Noise (in no hill)", noise, row_count)]


def _table_row(name: str, item: Mapping[str, Any], row_count: int) -> str:
    weight = f"{item['weight']:.4g}" if "weight" in item else ""
    share = item["size"] / row_count if row_count else 0.0
    return (
        f'<tr><th scope="row">{name}</th><td>{item["size"]:,}</td>'
        f"<td>{share:.1%}</td><td>{weight}</td></tr>"
    )


def _swatch(color: str) -> str:
    fill = color if _COLOR.fullmatch(color) else "#8a9399"
    return (
        '<svg width="10" height="10" aria-hidden="true">'
        f'<rect width="10" height="10" rx="3" fill="{fill}"/></svg> '
    )


def _facts(terrain: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    metrics = terrain["metrics"]
    counts = (
        (_row_count(metrics), "row"),
        (len(terrain["hills"]), "hill"),
        (metrics["original"]["noise_count"], "noise row"),
    )
    facts = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    column = status.get("text_column")
    return " · ".join([*facts, f"text column “{column['name']}”"] if column else facts)


def _measures(metrics: Mapping[str, Any]) -> str:
    original = metrics.get("original", metrics)
    return (
        f"Gini {metrics['gini']:.3f} (original {original['gini']:.3f}), "
        f"flatness {metrics['flatness']:.3f} (original {original['flatness']:.3f}), "
        f"effective clusters {metrics['effective_clusters']:.1f}, "
        f"effective sample size {metrics['effective_sample_size']:,.0f}, "
        f"design effect {metrics['design_effect']:.2f}, max repeat {metrics['max_repeat']:.2f}."
    )


def _row_count(metrics: Mapping[str, Any]) -> int:
    return int(metrics.get("original", metrics)["row_count"])


def _origin(status: Mapping[str, Any]) -> str:
    created = status.get("created_at")
    if isinstance(created, int | float):
        created = datetime.fromtimestamp(created, UTC).isoformat()
    return f"Made by {_program()}" + (f" on {created[:10]}" if created else "")


def _program() -> str:
    try:
        return f"Level {version('level')}"
    except PackageNotFoundError:
        return "Level"
