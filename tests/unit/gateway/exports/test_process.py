"""The exporting process: the same bytes, its errors, and nothing left when nobody reads on."""

import asyncio
import io
import os
import zipfile
from contextlib import aclosing

import pytest

from gateway.exports import ExportOptions
from gateway.exports.cells import BLOCK_ROWS
from gateway.exports.process import stream_from_process
from level_rpc.errors import ErrorKind, Internal, InvalidArgument

from .conftest import cells_of, planned


def options(**asked) -> ExportOptions:
    return ExportOptions.from_dict({**vars(ExportOptions()), **asked}).check()


@pytest.fixture
def dataset(datasets):
    rows = [[str(index), f"some words {index}"] for index in range(60)]
    plan = planned([2, 0, 1] * 20)
    return datasets(cells_of([["id", "text"], *rows]), [0, 1, -1] * 20, plan=plan)


async def read(dataset, asked: ExportOptions) -> bytes:
    pieces = stream_from_process(dataset.source, asked, dataset.scratch)
    return b"".join([piece async for piece in pieces])


async def test_a_process_makes_the_same_bytes(dataset):
    made = await read(dataset, options(format="balanced", file_type="zip", embedding=True))
    assert made == dataset.export(format="balanced", file_type="zip", embedding=True)
    assert zipfile.ZipFile(io.BytesIO(made)).testzip() is None


async def test_what_cannot_be_made_is_said_as_it_would_be_here(dataset):
    with pytest.raises(InvalidArgument, match="at most 60 rows or raise") as caught:
        await read(dataset, options(format="resampled", file_type="parquet", rows=99, max_repeat=1))
    assert caught.value.metadata["field"] == "rows"
    assert caught.value.kind is ErrorKind.INVALID_ARGUMENT


async def test_of_an_unexpected_error_only_its_type_is_told(dataset):
    dataset.source.paths["rows"].write_bytes(b"not parquet at all")
    with pytest.raises(Internal) as caught:
        await read(dataset, options(file_type="parquet"))
    assert caught.value.message == "The export could not be made."
    assert caught.value.metadata["cause"].startswith("Arrow")


async def test_nobody_reading_on_ends_the_process_and_leaves_no_file(datasets):
    count = 8 * BLOCK_ROWS
    rows = [[str(index), f"some words {index}"] for index in range(count)]
    dataset = datasets(cells_of([["id", "text"], *rows]), [0] * count)
    asked = options(format="resampled", file_type="jsonl")
    pieces = stream_from_process(dataset.source, asked, dataset.scratch)
    async with aclosing(pieces):
        assert await anext(pieces)
        child = only_child()
    for _ in range(100):
        if not is_alive(child):
            break
        await asyncio.sleep(0.05)
    assert not is_alive(child)
    assert list(dataset.scratch.iterdir()) == []


def only_child() -> int:
    listed = f"/proc/{os.getpid()}/task"
    children = {
        int(child)
        for task in os.listdir(listed)
        for child in open(f"{listed}/{task}/children").read().split()
        if b"gateway.exports" in open(f"/proc/{child}/cmdline", "rb").read()
    }
    (child,) = children
    return child


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
