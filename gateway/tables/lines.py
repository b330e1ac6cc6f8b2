r"""Physical lines of a text file: decoded, with their line endings and their lengths in bytes.

A line ends at ``\n``, ``\r`` or ``\r\n`` and nowhere else. No byte is lost: the lengths add up to
the file. In every encoding read here that is not UTF-16 or UTF-32, the bytes of line endings occur
nowhere else, so those files are cut as bytes; the two others encode exactly what they decode.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from gateway.tables.encoding import Encoding, read_blocks
from gateway.tables.errors import TableError


def physical_lines(path: Path, encoding: Encoding) -> Iterator[tuple[str, int]]:
    """Yield (line, bytes it takes in the file) from behind the byte order mark to the end."""
    if encoding.unit_bytes > 1:
        yield from _wide_lines(path, encoding)
        return
    for line in _byte_lines(path, encoding.bom_length):
        yield line.decode(encoding.name), len(line)


def _byte_lines(path: Path, start: int) -> Iterator[bytes]:
    # The last piece of a block waits: it may go on in the next, and its \r may be half of a \r\n.
    waiting: list[bytes] = []
    for block in read_blocks(path, start):
        waiting.append(block)
        if b"\n" in block or b"\r" in block:
            pieces = b"".join(waiting).splitlines(keepends=True)
            waiting = [pieces.pop()]
            yield from pieces
    yield from b"".join(waiting).splitlines(keepends=True)


def _wide_lines(path: Path, encoding: Encoding) -> Iterator[tuple[str, int]]:
    with path.open("rb") as file:
        file.seek(encoding.bom_length)
        for line in io.TextIOWrapper(file, encoding.name, newline=""):
            yield line, len(line.encode(encoding.name))


class LineFeed:
    """Hands lines to a reader and counts them, so that the bytes of each record are known.

    Parameters
    ----------
    lines : iterator of (str, int)
        As `physical_lines` gives them.
    start : int
        Byte offset of the first of them.
    lines_before : int
        Lines of the file that stand before it.
    """

    def __init__(self, lines: Iterator[tuple[str, int]], start: int, lines_before: int = 0) -> None:
        self._lines = lines
        self.offset = start
        self.line_number = lines_before
        self.record_lines: list[str] = []

    def __iter__(self) -> "LineFeed":
        return self

    def __next__(self) -> str:
        line, byte_count = next(self._lines)
        self.offset += byte_count
        self.line_number += 1
        self.record_lines.append(line)
        return line

    def begin_record(self) -> int:
        """Forget the lines of the record before and return the offset at which the next begins."""
        self.record_lines.clear()
        return self.offset

    def check_complete(self, byte_count: int) -> None:
        """Raise TableError unless the lines handed out are every byte of the file."""
        if self.offset != byte_count:
            raise TableError(
                f"Only {self.offset:,} of the file's {byte_count:,} bytes could be told apart into"
                " lines. Save the file as UTF-8 and upload it again.",
                byte_count=byte_count,
            )
