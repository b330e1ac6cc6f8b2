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
        yield from _example("Example of a body", content)
    yield from _answers(operation["responses"])
    yield "</section>"


def _answers(answers: dict[str, Any]) -> Iterator[str]:
    rows = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer['description'])}"
        f"<td>{', '.join(_content(answer.get('content', {})))}"
        for status, answer in answers.items()
    )
    yield f"<table><tr><th>Status<th>Meaning<th>Content{rows}</table>"
    for status, answer in answers.items():
        for content in answer.get("content", {}).values():
            yield from _example(f"Example of {status}", content)


def _content(content: dict[str, Any]) -> Iterator[str]:
    """Give each media type, with a link to its schema where that has a name."""
    for kind, described in content.items():
        reference = described.get("schema", {}).get("$ref", "")
        name = escape(reference.rsplit("/", 1)[-1])
        yield f"{escape(kind)}: <a href='#{name}'>{name}</a>" if name else escape(kind)


def _example(title: str, content: dict[str, Any]) -> Iterator[str]:
    if "example" in content:
        yield f"<p>{escape(title)}</p>{_code(content['example'])}"


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f"<h3 id='{escape(name)}'>{escape(name)}</h3>{_code(schema)}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{header}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"
