"""What can be asked of an export, and what does not go together; pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from level_rpc.errors import FieldInvalid

MAX_RESAMPLED_ROWS = 10_000_000


class ExportFormat(StrEnum):
    """What an export holds."""

    WEIGHTED = "weighted"
    RESAMPLED = "resampled"
    BALANCED = "balanced"
    CLUSTERS = "clusters"
    LAYERS = "layers"


class FileType(StrEnum):
    """As what an export is written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"
    XLSX = "xlsx"
    ZIP = "zip"


class ColumnChoice(StrEnum):
    """Which columns stand behind those of the file."""

    PLAIN = "plain"
    ALL = "all"


class Profile(StrEnum):
    """For whom a CSV is: a program, which gets the file's own bytes, or a spreadsheet."""

    LOSSLESS = "lossless"
    EXCEL = "excel"


class ShardType(StrEnum):
    """As what the tables in a folder are written."""

    PARQUET = "parquet"
    JSONL = "jsonl"


_LISTS = (ExportFormat.CLUSTERS, ExportFormat.LAYERS)
_MEDIA_TYPES = {
    FileType.CSV: "text/csv",
    FileType.PARQUET: "application/vnd.apache.parquet",
    FileType.JSONL: "application/jsonl",
    FileType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileType.ZIP: "application/zip",
}


@dataclass(frozen=True)
class ExportOptions:
    """What an export is to be; None is the default of each.

    Parameters
    ----------
    format : ExportFormat
    file_type : FileType
    columns : ColumnChoice
    embedding : bool
        Whether each row's vector is added.
    profile : Profile
    repeat : bool, optional
        Whether a row that counts several times stands there as often, which is the default of
        BALANCED, the only format that has the choice.
    shard_type : ShardType, optional
        For ZIP; PARQUET by default.
    rows, seed, max_repeat : int, optional
        Of the draw, for RESAMPLED.
    layer : int, optional
        Whose clusters are named; the terrain layer's by default.
    """

    format: ExportFormat = ExportFormat.WEIGHTED
    file_type: FileType = FileType.CSV
    columns: ColumnChoice = ColumnChoice.PLAIN
    embedding: bool = False
    profile: Profile = Profile.LOSSLESS
    repeat: bool | None = None
    shard_type: ShardType | None = None
    rows: int | None = None
    seed: int | None = None
    max_repeat: int | None = None
    layer: int | None = None

    @property
    def is_list(self) -> bool:
        """Whether clusters are listed, and not rows of the file handed out."""
        return self.format in _LISTS

    @property
    def has_all_columns(self) -> bool:
        """Whether every column of Level's is added; a folder always has them."""
        return self.columns is ColumnChoice.ALL or self.file_type is FileType.ZIP

    @property
    def media_type(self) -> str:
        """The media type, without a character set."""
        return _MEDIA_TYPES[self.file_type]

    def check(self) -> Self:
        """Return the options; raise FieldInvalid when one has no meaning beside the others."""
        balanced, resampled = ExportFormat.BALANCED, ExportFormat.RESAMPLED
        for name in ("rows", "seed", "max_repeat"):
            self._allow(name, self.format is resampled, "format=resampled")
        self._allow("repeat", self.format is balanced, "format=balanced")
        self._allow("shard_type", self.file_type is FileType.ZIP, "file_type=zip")
        layered = self.format is ExportFormat.CLUSTERS or (
            not self.is_list and self.has_all_columns
        )
        self._allow("layer", layered, "format=clusters, columns=all or file_type=zip")
        self._allow_only_for_rows()
        if self.rows is not None and self.rows > MAX_RESAMPLED_ROWS:
            raise FieldInvalid(f"rows may be at most {MAX_RESAMPLED_ROWS:,}.", field="rows")
        return self

    def to_query(self) -> dict[str, str]:
        """Return what differs from the defaults, as the query of GET /api/export; with `format`."""
        defaults = asdict(type(self)())
        given = {k: v for k, v in asdict(self).items() if v != defaults[k]}
        shown = {"format": self.format, "file_type": self.file_type, **given}
        return {name: str(value).lower() for name, value in shown.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that `dataclasses.asdict` gave, as JSON keeps them."""
        shard_type = values["shard_type"]
        typed = {
            "format": ExportFormat(values["format"]),
            "file_type": FileType(values["file_type"]),
            "columns": ColumnChoice(values["columns"]),
            "profile": Profile(values["profile"]),
            "shard_type": ShardType(shard_type) if shard_type else None,
        }
        return cls(**{**values, **typed})

    def _allow_only_for_rows(self) -> None:
        has_rows = not self.is_list
        binary = self.file_type in (FileType.PARQUET, FileType.JSONL, FileType.ZIP)
        what = "format=weighted, resampled or balanced"
        if self.columns is ColumnChoice.ALL:
            self._allow("columns", has_rows, what)
        if self.embedding:
            message = f"file_type=parquet, jsonl or zip and {what}"
            self._allow("embedding", has_rows and binary, message)
        if self.profile is Profile.EXCEL:
            self._allow("profile", self.file_type is FileType.CSV, "file_type=csv")
        if self.file_type is FileType.ZIP:
            self._allow("file_type", has_rows, what)

    def _allow(self, name: str, allowed: bool, where: str) -> None:
        if getattr(self, name) is not None and not allowed:
            value = f"{name}={getattr(self, name)}".lower()
            shown = value if name in ("columns", "file_type", "profile", "embedding") else name
            raise FieldInvalid(f"{shown} can be given for {where} only.", field=name)
