"""Tells by content, never by name, that a file is something else than delimited text."""

import re

from gateway.tables.errors import UnsupportedFileType

HEAD_BYTES = 65_536

_CSV_HINT = "Save it as CSV and upload that."
_UNPACK_HINT = "Unpack it and upload the CSV file inside."
_ONLY_CSV_HINT = "Upload a CSV or TSV file."

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK_HINT),
    (b"BZh91AY&SY", "a bzip2 archive", _UNPACK_HINT),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK_HINT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK_HINT),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK_HINT),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK_HINT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Office file", _CSV_HINT),
    (b"\x09\x08\x10\x00\x00\x06\x05\x00", "an old Excel file", _CSV_HINT),
    (b"PAR1\x15", "a Parquet file", _CSV_HINT),
    (b"ARROW1\x00", "an Arrow file", _CSV_HINT),
    (b"ORC\x08", "an ORC file", _CSV_HINT),
    (b"Obj\x01", "an Avro file", _CSV_HINT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _CSV_HINT),
    (b"\x93NUMPY", "a NumPy array", _CSV_HINT),
    (b"SQLite format 3\x00", "an SQLite database", _CSV_HINT),
    (b"%PDF-", "a PDF document", _ONLY_CSV_HINT),
    (b"{\\rtf", "an RTF document", _ONLY_CSV_HINT),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", _ONLY_CSV_HINT),
    (b"\xff\xd8\xff", "a JPEG picture", _ONLY_CSV_HINT),
    (b"GIF87a", "a GIF picture", _ONLY_CSV_HINT),
    (b"GIF89a", "a GIF picture", _ONLY_CSV_HINT),
    (b"\x7fELF", "a program", _ONLY_CSV_HINT),
    (b"MZ\x90\x00", "a program", _ONLY_CSV_HINT),
    (b"\x80\x02", "a Python pickle", _CSV_HINT),
    (b"\x80\x03", "a Python pickle", _CSV_HINT),
    (b"\x80\x04\x95", "a Python pickle", _CSV_HINT),
    (b"\x80\x05\x95", "a Python pickle", _CSV_HINT),
)
_ZIP_CONTENTS: tuple[tuple[bytes, str, str], ...] = (
    (b"xl/", "an Excel workbook", _CSV_HINT),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet", _CSV_HINT),
    (b"word/", "a Word document", _ONLY_CSV_HINT),
)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MARKUP = re.compile(
    rb"<(!doctype\s|html[\s>]|\?xml\s|svg[^>]{0,2000}\sxmlns|head>)", re.IGNORECASE
)
_JSON = re.compile(rb'\{\s*("(\\.|[^"\\]){0,1000}"\s*:|\}\s*$)|\[\s*(\{|\[|"|-?\d|\]\s*$)')
# A record of prose has next to none of these; one stray NUL in a cell is still text.
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"
_MAX_CONTROL_SHARE = 0.1
_LEADING_MARKS = b"\xef\xbb\xbf\xff\xfe \t\r\n"


def refuse_other_file_types(head: bytes, is_wide: bool) -> None:
    """Raise UnsupportedFileType when a file is not plain text with delimiters.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` bytes of the file.
    is_wide : bool
        True for UTF-16 and UTF-32, whose zero bytes say nothing.
    """
    _refuse_known_magic(head)
    start = (head.replace(b"\x00", b"") if is_wide else head).lstrip(_LEADING_MARKS)
    if _MARKUP.match(start):
        _refuse("an HTML, SVG or XML document", _ONLY_CSV_HINT)
    if _JSON.match(start):
        _refuse("JSON", _CSV_HINT)
    control_count = len(head) - len(head.translate(None, _CONTROL))
    if not is_wide and control_count > _MAX_CONTROL_SHARE * len(head):
        _refuse("binary data, not text", _ONLY_CSV_HINT)


def _refuse_known_magic(head: bytes) -> None:
    for magic, kind, hint in _MAGIC:
        if head.startswith(magic):
            _refuse(kind, hint)
    if head.startswith(_ZIP_MAGIC):
        for mark, kind, hint in _ZIP_CONTENTS:
            if mark in head:
                _refuse(kind, hint)
        _refuse("a zip archive", _UNPACK_HINT)


def _refuse(kind: str, hint: str) -> None:
    raise UnsupportedFileType(f"The file is {kind}, which is not read. {hint}", file_type=kind)
