"""Reading in another process gives the same table and errors, whatever the file does to it."""

import asyncio

import pytest

from gateway.tables import (
    TableReadingFailed,
    TooFewRows,
    UnsupportedFileType,
    read_rows,
    read_table,
)
from gateway.tables.process import _start, read_in_process


async def test_the_table_is_the_one_read_here(tmp_path):
    source = tmp_path / "upload"
    source.write_bytes("id;täxt\n".encode() + "1;hällo \x00 wörld\n".encode() * 60)
    info = await read_in_process(source, tmp_path)
    rows = read_rows(tmp_path / "rows.parquet")
    assert info == read_table(source, tmp_path)
    assert rows == read_rows(tmp_path / "rows.parquet")


async def test_errors_keep_their_class_and_parts(tmp_path):
    source = tmp_path / "upload"
    source.write_bytes(b"id,text\n1,one\n")
    with pytest.raises(TooFewRows) as caught:
        await read_in_process(source, tmp_path)
    assert caught.value.metadata == {"row_count": "1", "minimum": "50"}
    source.write_bytes(b"%PDF-1.7")
    with pytest.raises(UnsupportedFileType, match="PDF"):
        await read_in_process(source, tmp_path)


async def test_too_little_memory_is_an_error_not_a_crash(tmp_path):
    source = tmp_path / "upload"
    source.write_bytes(b"id,text\n" + b"1,hello there\n" * 60)
    with pytest.raises(TableReadingFailed, match="within 40 MB"):
        await read_in_process(source, tmp_path, memory_mb=40)


async def test_too_little_time_is_an_error(tmp_path):
    source = tmp_path / "upload"
    source.write_bytes(b"id,text\n" + b"1,hello there\n" * 60)
    with pytest.raises(TableReadingFailed, match="seconds"):
        await read_in_process(source, tmp_path, timeout_seconds=0.01)


async def test_cancelling_kills_the_process(tmp_path, monkeypatch):
    started = asyncio.get_running_loop().create_future()

    async def start_and_tell():
        started.set_result(await _start())
        return started.result()

    monkeypatch.setattr("gateway.tables.process._start", start_and_tell)
    source = tmp_path / "upload"
    source.write_bytes(b"id,text\n" + b"1,hello there\n" * 500_000)
    task = asyncio.create_task(read_in_process(source, tmp_path))
    process = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode is not None
