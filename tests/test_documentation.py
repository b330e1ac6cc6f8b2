"""What the documents say is so."""

import importlib.util
import re
from pathlib import Path

import pytest

from level.cli import make_parser

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_api_page_is_made_from_the_openapi_document():
    path = ROOT / "scripts" / "make_api_docs.py"
    spec = importlib.util.spec_from_file_location("make_api_docs", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.render(script.openapi_document()) == script.TARGET.read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)\)", document.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_options_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text("utf-8")
    help_text = make_parser().format_help()
    for command in ("serve", "run", "sample"):
        assert command in help_text
    arguments = ["run", "x.csv", "--text-column", "t", "--out", "o", "--weight", "0=0.25"]
    assert make_parser().parse_args(arguments).weight == [("0", 0.25)]
    assert "--text-column NAME" in readme and "--weight 0=0.25" in readme


def test_variables_of_the_readme_are_read_by_somebody():
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("## Configuration")[1].split("## Scaling")[0]
    sources = "".join(path.read_text("utf-8") for path in ROOT.glob("*/settings.py")).lower()
    for name in re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE):
        field = re.sub(r"^level_(embedder_|terrain_|cluster_|analyzer_)?", "", name.lower())
        assert field in sources, name
