"""Other kinds of file are told by content and refused as such."""

import gzip
import io
import json
import pickle
import zipfile

import pytest

from gateway.tables import TableError, UnsupportedFileType


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "<x/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "a PNG picture"),
        (b"%PDF-1.7\n%abc", "a PDF document"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 50, "a program"),
        (b"<!DOCTYPE html><html><body>id,text</body></html>", "an HTML, SVG or XML document"),
        (b"\n <html lang=en>", "an HTML, SVG or XML document"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "an HTML, SVG or XML document"),
        (b'<svg width="1" xmlns="http://www.w3.org/2000/svg">', "an HTML, SVG or XML document"),
        (json.dumps([{"text": "hello"}]).encode(), "JSON"),
        (json.dumps({"text": ["hello"]}, indent=1).encode(), "JSON"),
        (b'{"text": "a"}\n{"text": "b"}\n', "JSON"),
        ('{"text": "a"}'.encode("utf-16"), "JSON"),
        (gzip.compress(b"id,text\n"), "a gzip archive"),
        (zipped("xl/workbook.xml"), "an Excel workbook"),
        (zipped("data.csv"), "a zip archive"),
        (b"PAR1\x15\x04" + b"\x00" * 20, "a Parquet file"),
        (b"SQLite format 3\x00" + b"\x00" * 80, "an SQLite database"),
        (pickle.dumps(["text"] * 100, protocol=5), "a Python pickle"),
        (pickle.dumps(["text"] * 100, protocol=4), "a Python pickle"),
        (b"\x00" * 100, "binary data, not text"),
        (bytes(range(256)) * 4, "binary data, not text"),
    ],
)
def test_other_files_are_named(read, data, kind):
    with pytest.raises(UnsupportedFileType) as caught:
        read(data)
    assert caught.value.metadata["file_type"] == kind


@pytest.mark.parametrize(
    "header",
    [b"PAR1,text", b"BZhang,text", b"MZ,text", b"[id],text", b"{id},text", b"<svg onload=x>,text"],
)
def test_headers_that_only_begin_like_other_files_are_tables(read, header):
    table = read(header + b"\n" + b"1,hello there\n" * 5)
    assert table.info.row_count == 5


def test_every_error_has_a_reason_of_its_own():
    reasons = [child.reason for child in TableError.__subclasses__()]
    assert len(set(reasons)) == len(reasons)
    assert TableError.reason not in reasons
