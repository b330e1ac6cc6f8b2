"""CSV for spreadsheets: no cell of a person's is ever a formula, and each can be had back; pure.

A spreadsheet takes a cell that begins with one of a few characters for a formula, or drops the
character. Such a cell gets an apostrophe before it, and so does one that begins with an apostrophe:
taking one apostrophe away again gives every cell back. See "CSV Injection" of OWASP.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

GUARD = "'"
_TRIGGERS = frozenset("=+-@\t\r\n\0＝＋－＠" + GUARD)
_BYTE_ORDER_MARK = "\ufeff"


def to_excel_profile(cell: str) -> str:
    """Return a cell as it stands in the profile: never one that a spreadsheet computes."""
    return GUARD + cell if cell[:1] in _TRIGGERS else cell


def from_excel_profile(cell: str) -> str:
    """Return the cell that `to_excel_profile` was given."""
    return cell.removeprefix(GUARD)


def excel_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Return records of the profile: every cell in quotes, after a comma, lines ended by CRLF."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def read_excel_profile(data: bytes) -> Iterator[list[str]]:
    """Yield the records of a file in the profile, header first, each cell as it was before."""
    text = data.decode().removeprefix(_BYTE_ORDER_MARK)
    for record in csv.reader(io.StringIO(text, newline=""), strict=True):
        yield [from_excel_profile(cell) for cell in record]
