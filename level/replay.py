"""`level replay`: a recipe in, the file that it tells of out."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from rich.console import Console

from gateway.recipe import Recipe, file_sha256, parse_recipe
from level import __version__
from level.balance import RECIPE_SUFFIX
from level.client import GatewayClient
from level.errors import NOT_AS_ASKED, CommandFailed
from level.following import BuiltDataset, apply_level, build_dataset
from level.input_file import check_readable
from level.output_file import FILE_TYPES, check_output_file, fresh_files
from level.private_stack import prepare_command, private_stack
from level.summary import print_note
from level_rpc.errors import LevelError


@dataclass(frozen=True)
class Replayed:
    """What came of a recipe.

    Attributes
    ----------
    out : Path
        The file that was written.
    sha256 : str
        Of its bytes.
    expected_sha256 : str, optional
        What the recipe says; None when it says nothing.
    differences : tuple of str
        What is not as it was when the recipe was made.
    """

    out: Path
    sha256: str
    expected_sha256: str | None
    differences: tuple[str, ...]

    @property
    def is_same(self) -> bool | None:
        """Whether the bytes are those of the recipe; None when that is not known."""
        return None if self.expected_sha256 is None else self.sha256 == self.expected_sha256

    @property
    def exit_code(self) -> int:
        """0 unless the bytes are known to differ."""
        return NOT_AS_ASKED if self.is_same is False else 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "output": str(self.out),
            "sha256": self.sha256,
            "expected_sha256": self.expected_sha256,
            "is_same": self.is_same,
            "differences": list(self.differences),
        }


def replay(
    recipe_file: Path, input_file: Path | None, out: Path | None, console: Console
) -> Replayed:
    """Make the file of a recipe again, on a stack of its own.

    Parameters
    ----------
    recipe_file : Path
    input_file : Path, optional
        What it was made from; by default the file of the recipe's name beside it.
    out : Path, optional
        Where to write; by default the recipe's name with the type of the export, in the current
        folder, where no file may be.
    console : Console

    Raises
    ------
    CommandFailed
        With the reason: no recipe, another input, nowhere to write, or what the gateway says.
    """
    recipe = _read_recipe(recipe_file)
    source = input_file or recipe_file.parent / PurePath(recipe.file_name).name
    target = out or default_output(recipe_file, recipe)
    check_readable(source)
    check_output_file(target, recipe_file, source)
    if out is None and target.exists():
        raise CommandFailed(f"{target} is there already; choose another name with -o.")
    _check_input(recipe, source)
    prepare_command()
    with private_stack(console, source) as client:
        built = rebuild(client, recipe, source, console)
        replayed = export_again(client, built, recipe, target)
    _print(replayed, console)
    return replayed


def rebuild(client: GatewayClient, recipe: Recipe, source: Path, console: Console) -> BuiltDataset:
    """Make the dataset of a recipe again, levelled as it was, on a gateway that is there."""
    built = build_dataset(client, source, recipe.upload_fields, console, recipe.file_name)
    if recipe.level_request is not None:
        apply_level(client, built.dataset_id, recipe.level_request, console)
    elif recipe.weights:
        client.adjust(built.dataset_id, recipe.weights)
    return built


def export_again(client: GatewayClient, built: BuiltDataset, recipe: Recipe, out: Path) -> Replayed:
    """Write the file of a recipe from its dataset."""
    with fresh_files(out) as (fresh,):
        client.export(built.dataset_id, fresh, **recipe.export_query)
        sha256 = file_sha256(fresh)
    return Replayed(out, sha256, recipe.output_sha256, _differences(recipe, built))


def default_output(recipe_file: Path, recipe: Recipe) -> Path:
    """Return the name of an output in the current folder: the recipe's, of the export's type."""
    file_type = recipe.export_query.get("file_type", "csv")
    if file_type not in FILE_TYPES.values():
        raise CommandFailed(f"{recipe_file} asks for a type of file that is not known.")
    name = recipe_file.name
    stem = name.removesuffix(RECIPE_SUFFIX) if name.endswith(RECIPE_SUFFIX) else recipe_file.stem
    return Path(f"{stem}.{file_type}")


def _read_recipe(file: Path) -> Recipe:
    check_readable(file)
    try:
        return parse_recipe(file.read_bytes())
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {os.strerror(error.errno or 0)}.") from error
    except LevelError as error:
        raise CommandFailed(f"{file}: {error.message}") from error


def _check_input(recipe: Recipe, source: Path) -> None:
    try:
        recipe.check_input(source)
    except LevelError as error:
        raise CommandFailed(f"{source}: {error.message}") from error


def _differences(recipe: Recipe, built: BuiltDataset) -> tuple[str, ...]:
    model = built.status.get("model") or {}
    return recipe.differences(
        __version__, str(model.get("fingerprint", "")), str(model.get("instruction_set", ""))
    )


def _print(replayed: Replayed, console: Console) -> None:
    for difference in replayed.differences:
        print_note(difference, console)
    console.print(f"Written to {replayed.out}.", markup=False)
    words = {
        True: "Its bytes are those that the recipe tells of.",
        False: "Its bytes are not those that the recipe tells of:"
        f" SHA-256 {replayed.sha256}, not {replayed.expected_sha256}.",
        None: "The recipe does not tell which bytes come of it.",
    }
    style = "red" if replayed.is_same is False else None
    console.print(words[replayed.is_same], style=style, soft_wrap=True)
