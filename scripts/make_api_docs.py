"""Write docs/api.md from the OpenAPI document: `.venv/bin/python scripts/make_api_docs.py`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "api.md"
_METHODS = ("get", "post", "put", "patch", "delete")
_HEAD = """# REST API

Made from the OpenAPI document by `scripts/make_api_docs.py`; a running Level serves the same at
`/docs`, and the document itself at `/openapi.json`. Errors are `application/problem+json`
(RFC 9457): `type`, `title`, `status`, `detail`, and members that say what is wrong.
"""


def openapi_document() -> dict[str, Any]:
    """Return the gateway's OpenAPI document."""
    from gateway.app import create_app
    from gateway.settings import GatewaySettings

    with TemporaryDirectory() as folder:
        document: dict[str, Any] = create_app(GatewaySettings(data_dir=Path(folder))).openapi()
    return document


def render(document: dict[str, Any]) -> str:
    """Return the document as Markdown."""
    lines = [_HEAD]
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                lines.extend(_operation(path, method, item[method]))
    lines.append("## Schemas\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines.extend(_schema(name, schema))
    return "\n".join(lines).rstrip() + "\n"


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {method.upper()} `{path}`\n"
    yield f"{operation.get('description') or operation['summary']}\n"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| parameter | in | type | |\n|---|---|---|---|"
        for one in parameters:
            words = _cell(one.get("description", ""))
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {words} |"
        yield ""
    if body := operation.get("requestBody"):
        for kind, content in body["content"].items():
            yield f"Body: `{kind}`, {_type(content.get('schema', {}))}\n"
            yield from _fields(content.get("schema", {}))
            yield from _example("Example of a body", content)
    yield from _answers(operation["responses"])


def _answers(answers: dict[str, Any]) -> Iterator[str]:
    yield "| answer | | content |\n|---|---|---|"
    for status, answer in answers.items():
        kinds = ", ".join(_content(answer.get("content", {})))
        yield f"| {status} | {_cell(answer['description'])} | {kinds} |"
    yield ""
    for status, answer in answers.items():
        for content in answer.get("content", {}).values():
            yield from _example(f"Example of {status}", content)


def _content(content: dict[str, Any]) -> Iterator[str]:
    for kind, described in content.items():
        is_named = "$ref" in described.get("schema", {})
        yield f"`{kind}`: {_type(described['schema'])}" if is_named else f"`{kind}`"


def _example(title: str, content: dict[str, Any]) -> Iterator[str]:
    """Give the example as a code block; JSON leaves no line that could end it."""
    if "example" in content:
        yield f"{title}:\n\n```json\n{json.dumps(content['example'], indent=2)}\n```\n"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if words := schema.get("description"):
        yield f"{words}\n"
    yield from _fields(schema)


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    if properties := schema.get("properties"):
        yield "| field | type | |\n|---|---|---|"
        for field, value in properties.items():
            yield f"| `{field}` | {_type(value)} | {_cell(value.get('description', ''))} |"
        yield ""


def _type(schema: dict[str, Any]) -> str:
    if reference := schema.get("$ref"):
        return f"[{(name := reference.rsplit('/', 1)[1])}](#{name.lower()})"
    if options := schema.get("anyOf"):
        return " or ".join(_type(option) for option in options)
    if values := schema.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    TARGET.write_text(render(openapi_document()), encoding="utf-8")
