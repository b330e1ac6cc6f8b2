"""What the documents say is so."""

import importlib
import importlib.util
import re
from itertools import repeat
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

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
    for command in ("serve", "run", "balance", "check", "prove", "replay", "sample"):
        assert command in help_text
    arguments = ["run", "x.csv", "--text-column", "t", "--out", "o", "--weight", "0=0.25"]
    assert make_parser().parse_args(arguments).weight == [("0", 0.25)]
    assert "--text-column NAME" in readme and "--weight 0=0.25" in readme


def test_scripts_run_passes_every_verb_on():
    """What is no verb there is taken for the file of `level run`."""
    verbs = re.search(r"^    (serve \|[^)]*)\)$", (ROOT / "scripts/run").read_text("utf-8"), re.M)
    choices = make_parser()._subparsers._group_actions[0].choices
    assert verbs and set(verbs[1].split(" | ")) == set(choices)


def variables_read() -> set[str]:
    """Return every environment variable that a settings class of ours reads."""
    found: set[str] = set()
    for path in ROOT.glob("*/settings.py"):
        module = importlib.import_module(f"{path.parent.name}.settings")
        for settings in vars(module).values():
            if isinstance(settings, type) and settings.__module__ == module.__name__:
                if issubclass(settings, BaseSettings):
                    found |= set(map(first_name, repeat(settings), settings.model_fields.items()))
    return found


def first_name(settings: type[BaseSettings], field: tuple[str, FieldInfo]) -> str:
    name, info = field
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias or f"{settings.model_config['env_prefix']}{name}".upper())


def variables_documented(document: Path) -> set[str]:
    return set(re.findall(r"^\| `([A-Z][A-Z_]+)`", document.read_text("utf-8"), re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_one_is_read():
    shared = re.compile(
        r"LEVEL_(EMBEDDER|CLUSTER|ANALYZER|TERRAIN)_(BIND|REFLECTION|GRACE_SECONDS)"
    )
    # What a desktop sets, not a person.
    of_the_system = {"XDG_DATA_HOME", "DISPLAY"}
    read = {name for name in variables_read() if not shared.fullmatch(name)} - of_the_system
    assert read == variables_documented(ROOT / "docs" / "configuration.md")


def test_variables_of_the_readme_are_in_the_full_list():
    full = variables_documented(ROOT / "docs" / "configuration.md")
    assert variables_documented(ROOT / "README.md") <= full
