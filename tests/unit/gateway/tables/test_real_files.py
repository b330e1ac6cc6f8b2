"""Every file at hand ends as a table that comes back whole, or in an error that says why."""

import re

import numpy as np
import pytest

from gateway.tables import (
    TableError,
    TableInfo,
    UnsupportedFileType,
    read_table,
    weight_name,
    write_weighted,
)

from .conftest import TINY, ReadTable, find_data_dir

FOLDER = find_data_dir()
WEIGHT = 0.123456789
FILES = sorted(
    str(path.relative_to(FOLDER))
    for path in (FOLDER.rglob("*") if FOLDER else [])
    if path.is_file() and "images" not in path.parts[len(FOLDER.parts)]
)
TABLES = {
    "banking77.csv": (13_083, "text", "utf-8"),
    "clinc150_imbalanced.csv": (19_225, "text", "utf-8"),
    "arxiv_titles_15k.csv": (15_000, "title", "utf-8"),
    "headlines_24k.csv": (24_000, "text", "utf-8"),
    "sms_spam_latin1.csv": (5_572, "v2", "cp1252"),
    "afrisenti_5k.csv": (5_000, "text", "utf-8"),
    "chinese_poetry_3k.csv": (3_000, "text", "utf-8"),
    "arxiv_abstracts_500.csv": (500, "abstract", "utf-8"),
    "messy/comma-survey.csv": (1_129, "How would you write the following sentence?", "utf-8"),
    "messy/duckdb_encodings/all_latin1.csv": (189, "!", "latin-1"),
    "messy/duckdb_encodings/all_utf16.csv": (63_486, "\x01", "utf-16-le"),
    "messy/openrefine/food.small.csv": (199, "Shrt_Desc", "utf-8"),
    "messy/openrefine/movies.tsv": (232, "Performances - Actor", "latin-1"),
    "messy/openrefine/nobel-prize-winners.csv": (853, "desc", "utf-8"),
    "messy/rust_csv/uspop-latin1.csv": (100, "City", "latin-1"),
    "messy/rust_csv/uspop-null.csv": (100, "City", "utf-8"),
    "messy/csvkit/iris.csv": (150, "species", "utf-8"),
    "messy/csvkit/realdata/acs2012_5yr_population.csv": (93, "name", "utf-8"),
    "messy/csvkit/realdata/FY09_EDU_Recipients_by_State.csv": (53, "State Name", "utf-8"),
}
ERRORS = {
    "cfpb_complaints_truncated.csv": ("QUOTE_NOT_CLOSED", "line 3,302"),
    "gsm8k_test.jsonl": ("FILE_TYPE_UNSUPPORTED", "JSON"),
    "messy/csvkit/bad.csv": ("TOO_MANY_FIELDS", "fields: 2"),
    "messy/csvkit/dummy.csv.bz2": ("FILE_TYPE_UNSUPPORTED", "bzip2"),
    "messy/csvkit/empty.csv": ("TABLE_EMPTY", "only blank lines"),
    "messy/csvkit/no_header_row.csv": ("TABLE_EMPTY", "no row"),
    "messy/csvkit/realdata/Datagov_FY10_EDU_recp_by_State.csv": ("HEADER_UNUSABLE", "line 1"),
    "messy/csvkit/sheets.xls": ("FILE_TYPE_UNSUPPORTED", "old Excel"),
    "messy/openrefine/example-utf16be-bom.tsv": ("TOO_MANY_FIELDS", "12 fields: 2, 3"),
    "messy/openrefine/films.ods": ("FILE_TYPE_UNSUPPORTED", "OpenDocument"),
    "messy/rust_csv/strange.csv": ("TOO_FEW_ROWS", "6 rows"),
    "messy/duckdb_encodings/shift_jis.csv": ("TOO_FEW_ROWS", "20 rows"),
    "sheets/deaths.xlsx": ("FILE_TYPE_UNSUPPORTED", "Excel workbook"),
    "sheets/userdata1.parquet": ("FILE_TYPE_UNSUPPORTED", "Parquet"),
}
OTHER_ENDINGS = (".xls", ".xlsx", ".ods", ".gz", ".bz2", ".json", ".jsonl", ".parquet")


@pytest.mark.skipif(not FILES, reason="no folder of real files: set LEVEL_TEST_DATA")
def test_the_folder_has_files():
    assert set(TABLES) | set(ERRORS) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_table_or_a_clear_error(name, tmp_path):
    try:
        info = read_table(FOLDER / name, tmp_path)
    except TableError as error:
        assert isinstance(error, UnsupportedFileType) == name.endswith(OTHER_ENDINGS)
        assert len(error.message) > 20
    else:
        assert info.row_count >= 50


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_read_as_they_are(name, tmp_path, data_dir):
    info = read_table(data_dir / name, tmp_path)
    assert (info.row_count, info.text_column_name, info.encoding) == TABLES[name]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_is_wrong_and_where(name, tmp_path, data_dir):
    with pytest.raises(TableError) as caught:
        read_table(data_dir / name, tmp_path)
    reason, words = ERRORS[name]
    assert caught.value.reason == reason
    assert words in caught.value.message


@pytest.mark.parametrize("name", FILES)
def test_the_weighted_export_equals_the_input_cell_for_cell(name, tmp_path):
    source = FOLDER / name
    try:
        info = read_table(source, tmp_path, limits=TINY)
    except TableError:
        return  # refused, as the test above wants it
    table = ReadTable(source, tmp_path, info)
    exported = b"".join(write_weighted(source, table.spans, info, np.full(info.row_count, WEIGHT)))
    header, *original = table.read_back(source.read_bytes())[-info.row_count - 1 :]
    back = table.read_back(exported)[-info.row_count - 1 :]
    assert back[0] == [*header, weight_name(info.columns)]
    # A record that lacks cells at its end gets them, empty, so that the weight has its place.
    missing = [[""] * (len(header) - len(record)) for record in original]
    assert back[1:] == [
        [*own, *lacks, repr(WEIGHT)] for own, lacks in zip(original, missing, strict=True)
    ]
    if not info.short_row_count:
        assert without_weights(exported, info) == source.read_bytes()


def without_weights(exported: bytes, info: TableInfo) -> bytes:
    """Return an export without the field that was added to each record."""
    delimiter = info.dialect.delimiter
    text = exported[info.bom_length :].decode(info.encoding).replace(f"{delimiter}{WEIGHT!r}", "")
    name = re.escape(delimiter + weight_name(info.columns))
    plain = re.sub(rf"{name}(?=[\r\n])", "", text, count=1)
    return exported[: info.bom_length] + plain.encode(info.encoding)


def test_the_complaints_cut_off_read_by_their_narrative_without_the_last_record(tmp_path, data_dir):
    data = (data_dir / "cfpb_complaints_truncated.csv").read_bytes()
    source = tmp_path / "upload"
    source.write_bytes(data[: data.rindex(b"\n") + 1])
    info = read_table(source, tmp_path)
    assert info.text_column_name == "Consumer complaint narrative"
