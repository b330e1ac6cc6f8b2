"""`level balance`: a file in, the levelled file and its recipe out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.recipe import file_sha256, with_output
from level.client import GatewayClient
from level.errors import NOT_AS_ASKED
from level.following import apply_level, build_dataset
from level.input_file import check_readable, read_table_info
from level.output_file import check_output_file, file_type_of, fresh_files
from level.plan_report import print_plan
from level.private_stack import prepare_command, private_stack
from levelling.request import LevelRequest

RECIPE_SUFFIX = ".recipe.json"


@dataclass(frozen=True)
class BalanceOptions:
    """What `level balance` was asked.

    Attributes
    ----------
    file : Path
        The table to read.
    out : Path, optional
        The file to write; None to write nothing.
    request : LevelRequest
    fields : dict of str to str
        Form fields of the upload.
    export : dict of str to Any
        Options of the export beside its format and file type.
    reference : Path, optional
        A table whose spread over the clusters is the target.
    is_strict : bool
        Whether a target that cannot be met is a failure.
    """

    file: Path
    out: Path | None
    request: LevelRequest
    fields: dict[str, str] = field(default_factory=dict)
    export: dict[str, Any] = field(default_factory=dict)
    reference: Path | None = None
    is_strict: bool = False

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.file,) if self.reference is None else (self.file, self.reference)


@dataclass(frozen=True)
class Balanced:
    """What came of it.

    Attributes
    ----------
    plan : dict
        As GET /api/level gives it, with `noise_effects`.
    out, recipe : Path, optional
        The files that were written.
    exit_code : int
    """

    plan: dict[str, Any]
    out: Path | None = None
    recipe: Path | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        names = ("request", "layer", "solution", "metrics", "reasons", "coverage", "notes")
        return {
            "output": None if self.out is None else str(self.out),
            "recipe": None if self.recipe is None else str(self.recipe),
            **{name: self.plan[name] for name in (*names, "noise_effects")},
        }


def balance(options: BalanceOptions, console: Console) -> Balanced:
    """Level a file on a stack of its own; nothing is written until all of it can be.

    Raises
    ------
    CommandFailed
        With the reason.
    """
    check_before(options)
    prepare_command()
    for file in options.inputs:
        read_table_info(file, options.fields.get("text_column"))
    largest = max(options.inputs, key=lambda file: file.stat().st_size)
    with private_stack(console, largest) as client:
        return balance_on(client, options, console)


def check_before(options: BalanceOptions) -> None:
    """Refuse, before anything is started, files that cannot be read or written."""
    for file in options.inputs:
        check_readable(file)
    if options.out is not None:
        file_type_of(options.out)
        for output in (options.out, recipe_path(options.out)):
            check_output_file(output, *options.inputs)


def recipe_path(out: Path) -> Path:
    """Return where the recipe of an output lies: beside it."""
    return out.with_name(out.stem + RECIPE_SUFFIX)


def balance_on(client: GatewayClient, options: BalanceOptions, console: Console) -> Balanced:
    """Level a file on a gateway that is there."""
    built = build_dataset(client, options.file, options.fields, console)
    return balance_dataset(client, built.dataset_id, options, console)


def balance_dataset(
    client: GatewayClient, dataset_id: str, options: BalanceOptions, console: Console
) -> Balanced:
    """Level a completed dataset, and write what comes of it."""
    body = level_body(options.request)
    if options.reference is not None:
        body |= make_reference(client, options.reference, options.fields, console)
    plan = apply_level(client, dataset_id, body, console)
    print_plan(plan, console, with_noise=options.out is None)
    if options.is_strict and not _is_met(plan):
        console.print("Nothing is written: not all that was asked for can be had.")
        return Balanced(plan, exit_code=NOT_AS_ASKED)
    if options.out is None:
        return Balanced(plan)
    recipe = recipe_path(options.out)
    query = {"format": "balanced", "file_type": file_type_of(options.out), **options.export}
    write_export(client, dataset_id, options.out, recipe, query)
    console.print(f"Written to {options.out}, its recipe to {recipe}.", markup=False)
    return Balanced(plan, options.out, recipe)


def level_body(request: LevelRequest) -> dict[str, Any]:
    """Return a request as the body of POST /api/level."""
    return {name: _with_text_keys(value) for name, value in asdict(request).items()}


def write_export(
    client: GatewayClient, dataset_id: str, out: Path, recipe: Path, query: Mapping[str, Any]
) -> None:
    """Write an export and its recipe, both or neither."""
    with fresh_files(out, recipe) as (fresh, fresh_recipe):
        client.export(dataset_id, fresh, **query)
        written = with_output(client.recipe(dataset_id, **query), out.name, file_sha256(fresh))
        fresh_recipe.write_text(json.dumps(written, indent=2) + "\n", "utf-8")


def make_reference(
    client: GatewayClient, reference: Path, fields: dict[str, str], console: Console
) -> dict[str, str]:
    """Upload a reference, and return what of the body of POST /api/level names it."""
    asked = {**fields, "keywords_only": "true"}
    built = build_dataset(client, reference, asked, console)
    return {"reference_dataset_id": built.dataset_id}


def _is_met(plan: Mapping[str, Any]) -> bool:
    return plan["solution"] is None or bool(plan["solution"]["is_met"])


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(part) for key, part in value.items()}
    return value
