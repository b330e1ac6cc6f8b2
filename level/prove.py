"""`level prove`: a file in, a verdict with its figures out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.tables import TableInfo
from level.balance import level_body, make_reference
from level.client import GatewayClient
from level.errors import CommandFailed
from level.following import build_dataset, see_through
from level.input_file import check_readable, read_table_info
from level.private_stack import prepare_command, private_stack
from level.proof_report import print_proof
from levelling.request import LevelRequest


@dataclass(frozen=True)
class ProveOptions:
    """What `level prove` was asked.

    Attributes
    ----------
    file : Path
    label_column : str, optional
        Without one there are proxies in place of a model's figures.
    request : LevelRequest
        The levelling that is tested.
    fields : dict of str to str
        Form fields of the upload.
    proof : dict of str to Any
        Fields of POST /api/prove that were given.
    reference : Path, optional
        A table whose spread over the clusters is the target.
    """

    file: Path
    label_column: str | None
    request: LevelRequest
    fields: dict[str, str] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    reference: Path | None = None


def prove(options: ProveOptions, console: Console) -> dict[str, Any]:
    """Prove a levelling of a file on a stack of its own, print it, and return it as JSON values.

    Raises
    ------
    CommandFailed
        With the reason. A levelling that does not help is no such thing.
    """
    if options.reference is not None:
        check_readable(options.reference)
    prepare_command()
    text_column = options.fields.get("text_column")
    _check_label(read_table_info(options.file, text_column), options.label_column)
    if options.reference is not None:
        read_table_info(options.reference, text_column)
    files = [file for file in (options.file, options.reference) if file is not None]
    largest = max(files, key=lambda file: file.stat().st_size)
    with private_stack(console, largest) as client:
        fields = {**options.fields, "keywords_only": "true"}
        built = build_dataset(client, options.file, fields, console)
        result = prove_dataset(client, built.dataset_id, options, console)
    print_proof(result, console)
    return result


def prove_dataset(
    client: GatewayClient, dataset_id: str, options: ProveOptions, console: Console
) -> dict[str, Any]:
    """Prove a levelling of a completed dataset; return the result."""
    level = level_body(options.request)
    if options.reference is not None:
        body = {**level, **make_reference(client, options.reference, options.fields, console)}
        # What is answered has the reference's shares in it, which a proof can be asked for.
        level = client.level(dataset_id, body)["request"]
    client.prove(
        dataset_id, {"label_column": options.label_column, "level": level, **options.proof}
    )
    state = see_through(client.follow_proof(dataset_id), "Proving", console)
    result: dict[str, Any] = state["result"]
    return result


def _check_label(info: TableInfo, column: str | None) -> None:
    if column is not None and info.columns.count(column) != 1:
        problem = "no column" if column not in info.columns else "more than one column"
        known = ", ".join(info.columns[:50])
        raise CommandFailed(f"The file has {problem} {column!r}; its columns are: {known}.")
