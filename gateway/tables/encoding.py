"""Finds the encoding of a text file: proved by its bytes where that can be, else guessed."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.tables.errors import UndecodableText
from gateway.tables.legacy import guess_legacy_encoding

_BLOCK = 1 << 20
_GUESS_BYTES = 1 << 16
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE_ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# Chinese in UTF-16 has few zero bytes, but is never UTF-8; text in UTF-8 may hold a few of its own.
_MIN_ZERO_SHARE = 0.025
_MANY_ZEROS = 0.2
# What encoders that do not know the rules of UTF-8 make: surrogates, and too long forms of ASCII.
_ILL_FORMED = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]|[\xc0\xc1][\x80-\xbf]")
_CP1252_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_CP1252_ONLY = bytes(range(0x80, 0xA0))


@dataclass(frozen=True)
class Encoding:
    """An encoding: `name` as Python calls it, bytes of its mark, and whether it is only a guess."""

    name: str
    bom_length: int = 0
    guessed: bool = False

    @property
    def unit_bytes(self) -> int:
        """Bytes of the smallest unit: 4 in UTF-32, 2 in UTF-16, else 1."""
        return {"utf-32": 4, "utf-16": 2}.get(self.name[:6], 1)


def wide_encoding(head: bytes) -> Encoding | None:
    """Return the encoding that a byte order mark or the bytes of line endings show, else None.

    Without a mark only UTF-16 and UTF-32 are told, by their zero bytes.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    zero_share = head.count(0) / max(len(head), 1)
    if zero_share < _MIN_ZERO_SHARE or (zero_share < _MANY_ZEROS and _decode(head, "utf-8")):
        return None
    fitting = (name for name in _WIDE_ENCODINGS if _reads_as_lines(head, name))
    return next((Encoding(name, guessed=True) for name in fitting), None)


def _reads_as_lines(head: bytes, name: str) -> bool:
    """Tell whether bytes have line endings and nearly no control characters in that encoding."""
    text = _decode(head, name) or ""
    control_count = sum(char < " " and char not in "\t\r\n" for char in text)
    return ("\n" in text or "\r" in text) and control_count <= 0.02 * len(text)


def _decode(head: bytes, name: str) -> str | None:
    """Return the text of a beginning that may be cut within a character, None if it is none."""
    try:
        return codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return None


def detect_encoding(path: Path, head: bytes) -> Encoding:
    """Return the encoding of the whole file, every byte of which was decoded.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its beginning.

    Raises
    ------
    UndecodableText
        Nothing decodes it, or it is UTF-8 or UTF-16 with damaged places; says which byte and line.
    """
    shown = wide_encoding(head)
    encoding = shown or Encoding("utf-8")
    bad = _first_bad_byte(path, encoding)
    if bad is None:
        return encoding
    if shown or _is_damaged_utf8(path, bad):
        raise _undecodable(path, encoding, bad)
    return _legacy_encoding(path, bad)


def read_blocks(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from offset `start` in blocks of a megabyte."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block


def _first_bad_byte(path: Path, encoding: Encoding) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding.name)()
    offset = encoding.bom_length
    for block in read_blocks(path, offset):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return offset - held + error.start
        offset += len(block)
    held = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return offset - held + error.start
    return None


def _is_damaged_utf8(path: Path, bad: int) -> bool:
    """Tell from the text around the bad byte whether the file was meant to be UTF-8."""
    with path.open("rb") as file:
        file.seek(max(0, bad - _BLOCK))
        before = file.read(min(bad, _BLOCK))
        after = file.read(_BLOCK)
    if len(after) < 4 and _is_cut_sequence(after):
        return True
    around = before + after
    mended = _ILL_FORMED.sub(b"", around).decode("utf-8", "replace")
    bad_count = mended.count("\ufffd")
    good_count = len(mended) - len(mended.encode("ascii", "ignore")) - bad_count
    only_ill_formed = bad_count <= 2 and _ILL_FORMED.search(around) is not None
    return only_ill_formed or good_count > 2 * bad_count


def _is_cut_sequence(tail: bytes) -> bool:
    try:
        tail.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _legacy_encoding(path: Path, bad: int) -> Encoding:
    name = guess_legacy_encoding(_lines_above_ascii(path, bad))
    if name is None or name == "western":
        name = _western_name(path)
    encoding = Encoding(name, guessed=True)
    bad_again = _first_bad_byte(path, encoding)
    if bad_again is not None:
        raise _undecodable(path, encoding, bad_again)
    return encoding


def _lines_above_ascii(path: Path, bad: int) -> bytes:
    """Return the lines around and after a byte that have bytes above 127, some 64 KiB of them."""
    sample = b""
    with path.open("rb") as file:
        file.seek(max(0, bad - _GUESS_BYTES))
        if file.tell() > 0:
            file.readline(_GUESS_BYTES)
        while (line := file.readline(_GUESS_BYTES)) and len(sample) < _GUESS_BYTES:
            sample += b"" if line.isascii() else line
    return sample


def _western_name(path: Path) -> str:
    """Return cp1252 or Latin-1, which differ in 0x80-0x9F; Latin-1 alone defines every byte."""
    uses_cp1252 = False
    for block in read_blocks(path):
        if len(block.translate(None, _CP1252_UNDEFINED)) < len(block):
            return "latin-1"
        uses_cp1252 = uses_cp1252 or len(block.translate(None, _CP1252_ONLY)) < len(block)
    return "cp1252" if uses_cp1252 else "latin-1"


def _undecodable(path: Path, encoding: Encoding, offset: int) -> UndecodableText:
    with path.open("rb") as file:
        file.seek(offset)
        value = file.read(1)
    line = _line_of(path, encoding, offset)
    found = f"byte 0x{value.hex().upper()}" if value else "the end of the file"
    return UndecodableText(
        f"The file looks like {encoding.name.upper()} text, but {found} at offset {offset:,}"
        f" (line {line:,}) does not belong there. Save the file as UTF-8 and upload it again.",
        encoding=encoding.name,
        byte_offset=offset,
        line=line,
    )


def _line_of(path: Path, encoding: Encoding, offset: int) -> int:
    with path.open("rb") as file:
        before = file.read(offset)
    if encoding.unit_bytes > 1:
        before = before[encoding.bom_length :].decode(encoding.name, "ignore").encode("utf-8")
    line_feeds, returns = before.count(b"\n"), before.count(b"\r")
    return 1 + line_feeds + returns - before.count(b"\r\n")
