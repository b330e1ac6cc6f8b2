"""Exports of a dataset: its rows weighted, resampled or balanced, or lists of its clusters.

No export is ever whole in memory. What each file type holds is in ``docs/exports.md``. Modules:
`options` (what is asked), `source` (what it is made from), `drawing` (which rows), `columns` (what
is added to them), `sheet` (both as a table), then one for each file type; `making` chooses among
them and `process` runs them apart; `gateway.exporter` is what routes use.
"""

from gateway.exports.excel_profile import from_excel_profile, read_excel_profile, to_excel_profile
from gateway.exports.making import make_export
from gateway.exports.options import (
    ColumnChoice,
    ExportFormat,
    ExportOptions,
    FileType,
    Profile,
    ShardType,
)

__all__ = [
    "ColumnChoice",
    "ExportFormat",
    "ExportOptions",
    "FileType",
    "Profile",
    "ShardType",
    "from_excel_profile",
    "make_export",
    "read_excel_profile",
    "to_excel_profile",
]
