"""The OpenAPI document as a page that needs no script and nothing from another host."""

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")


def render_docs(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as HTML: every operation with parameters, body and answers."""
    info = document["info"]
    title = f"{escape(info['title'])} API {escape(info['version'])}"
    return "".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8>",
            "<meta name=viewport content='width=device-width'>",
            f"<title>{title}</title><link rel=icon href=/page/icon.svg>",
            "<link rel=stylesheet href=/docs/style.css>",
            f"<body><h1>{title}</h1><p>{escape(info.get('description', ''))}</p>",
            "<p>As a document for programs: <a href=/openapi.json>openapi.json</a>.</p>",
            *_operations(document),
            "<h2>Schemas</h2>",
            *_schemas(document),
            "</body></html>",
        ]
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield from _operation(path, method, item[method])


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<section><h2>{escape(operation['summary'])}</h2>"
    yield f"<p><code>{method.upper()} {escape(path)}</code></p>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [(one["name"], one["in"], one.get("description", "")) for one in parameters]
        yield _table(("Parameter", "In", "Meaning"), rows)
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: {escape(kind)}</p>{_code(content['schema'])}"
    answers = operation["responses"].items()
    rows = [
        (status, answer["description"], ", ".join(answer.get("content", {})))
        for status, answer in answers
    ]
    yield _table(("Status", "Meaning", "Content"), rows)
    yield "</section>"


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f"<h3 id='{escape(name)}'>{escape(name)}</h3>{_code(schema)}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{header}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"
