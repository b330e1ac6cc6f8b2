"""GET /api/export."""

import csv
import io

import numpy as np
import pytest

from gateway.exporter import content_disposition
from tests.support.rest_gateway import add_completed, csv_of

LABELS = [0] * 30 + [1] * 15 + [2] * 5 + [-1] * 10
TRICKY = [
    '"a, b"',
    '"say ""hi"""',
    '"two\r\nlines"',
    "=1+1",
    "NA",
    "007",
    "<script>",
    "  space ",
    "ünïcode",
    '""',
]


def rows_of(response):
    return list(csv.reader(io.StringIO(response.content.decode(), newline="")))


def export(client, dataset_id, **query):
    return client.get(f"/api/export/{dataset_id}", params=query)


def adjust(client, dataset_id, adjustments):
    path = f"/api/adjust/{dataset_id}"
    assert client.post(path, json={"adjustments": adjustments}).status_code == 200


def test_weighted_export_is_the_file_plus_a_weight(client, gateway):
    rows = [f"{index},{TRICKY[index % len(TRICKY)]}\r\n" for index in range(60)]
    source = ("\ufeffid,Some text\r\n" + "".join(rows)).encode()
    dataset_id = add_completed(gateway, LABELS, source=source)
    adjust(client, dataset_id, {"0": 0.5, "-1": 0})
    response = export(client, dataset_id)
    table = rows_of(response)
    original = list(csv.reader(io.StringIO(source.decode(), newline="")))
    assert [row[:-1] for row in table] == original
    assert table[0][-1] == "weight"
    weights = np.array([float(row[-1]) for row in table[1:]])
    assert weights.mean() == pytest.approx(1)
    assert weights[0] == pytest.approx(weights[30] / 2)
    assert set(weights[50:]) == {0}
    assert response.content.startswith(b"\xef\xbb\xbfid,Some text,weight\r\n")


def test_weighted_export_keeps_the_encoding(client, gateway):
    source = csv_of(60).replace(b"words", "Wörter".encode("latin-1"))
    dataset_id = add_completed(gateway, LABELS, source=source)
    response = export(client, dataset_id, format="weighted")
    assert response.content.replace(b",1.0\r\n", b"\r\n") == source.replace(b"text", b"text,weight")
    charset = response.headers["content-type"].rpartition("=")[2]
    assert "Wörter" in response.content.decode(charset)


def test_resampled_export_draws_whole_records(client, gateway, dataset_id):
    source = csv_of(60).splitlines(keepends=True)
    adjust(client, dataset_id, {"0": 0.1, "-1": 0})
    drawn = export(client, dataset_id, format="resampled").content.splitlines(keepends=True)
    assert drawn[0] == source[0]
    assert len(drawn) == len(source)
    assert set(drawn[1:]) <= set(source[1:51])
    again = export(client, dataset_id, format="resampled").content.splitlines(keepends=True)
    assert again == drawn
    other = export(client, dataset_id, format="resampled", seed=1, rows=20, max_repeat=1)
    lines = other.content.splitlines()
    assert len(lines) == len(set(lines)) == 21


def test_resampled_export_of_equal_weights_has_every_row_once(client, dataset_id):
    drawn = export(client, dataset_id, format="resampled").content.splitlines(keepends=True)
    assert sorted(drawn[1:]) == sorted(csv_of(60).splitlines(keepends=True)[1:])


def test_clusters_export_has_a_line_for_each_row(client, dataset_id):
    table = rows_of(export(client, dataset_id, format="clusters"))
    assert table[0] == [
        "row_id",
        "cluster_id",
        "nearest_cluster_id",
        "cluster_label",
        "cluster_membership_prob",
        "projection_x",
        "projection_y",
    ]
    assert [int(row[0]) for row in table[1:]] == list(range(60))
    assert [int(row[1]) for row in table[1:]] == LABELS
    assert table[1][3] == "Topic 0"
    assert table[-1][1:4] == ["-1", "0", "noise"]
    assert float(table[-1][4]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"format": "pickle"},
        {"format": "../../etc"},
        {"format": "resampled", "rows": 0},
        {"format": "resampled", "rows": -5},
        {"format": "resampled", "rows": "many"},
        {"format": "resampled", "rows": 10**12},
        {"format": "resampled", "rows": 10**30},
        {"format": "resampled", "seed": -1},
        {"format": "resampled", "max_repeat": 0},
        {"format": "resampled", "rows": 1_000, "max_repeat": 2},
        {"format": "weighted", "seed": 1},
        {"format": "clusters", "rows": 5},
    ],
)
def test_exports_that_cannot_be_made_are_refused(client, dataset_id, query):
    response = export(client, dataset_id, **query)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert str(query.get("rows")) not in response.text or len(str(query["rows"])) < 5


def test_an_export_keeps_the_revision_and_the_files_with_which_it_began(client, gateway):
    count = 60_000
    labels = [0] * (count // 2) + [1] * (count // 2)
    dataset_id = add_completed(gateway, labels, source=csv_of(count))
    with gateway.client() as other, other.stream("GET", f"/api/export/{dataset_id}") as response:
        assert response.headers["etag"] == '"0"'
        pieces = response.iter_bytes()
        received = next(pieces)
        adjust(client, dataset_id, {"0": 0})
        client.delete(f"/api/datasets/{dataset_id}")
        received += b"".join(pieces)
    assert received.count(b",1.0\r\n") == count


@pytest.mark.parametrize("export_format", ["weighted", "resampled", "clusters"])
@pytest.mark.parametrize("file_name", ["source", "labels.npy"])
def test_a_flipped_byte_is_an_error_and_no_export(client, gateway, file_name, export_format):
    dataset_id = add_completed(gateway, LABELS)
    path = gateway.artifacts.dataset_dir(dataset_id) / file_name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    response = export(client, dataset_id, format=export_format)
    if (file_name, export_format) == ("source", "clusters"):
        assert response.status_code == 200  # nothing of the source is in it
        return
    assert response.status_code == 500
    assert response.json()["reason"] == "ARTIFACT_DAMAGED"


@pytest.mark.parametrize(
    ("file_name", "plain"),
    [
        ("messages.csv", 'filename="messages-weighted.csv"'),
        ('a"; x="\r\nb.csv', "filename="),
        ("días 日本.tsv", 'filename="d_as __-weighted.csv"'),
    ],
)
def test_downloads_are_named_after_the_upload(client, gateway, file_name, plain):
    dataset_id = add_completed(gateway, LABELS, file_name=file_name)
    response = export(client, dataset_id)
    disposition = response.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert plain in disposition
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-type"].startswith("text/csv; charset=")


def test_a_name_in_a_header_can_end_neither_the_name_nor_the_header():
    disposition = content_disposition('a"; b="c\r\nSet-Cookie: x\\.csv')
    assert disposition.count('"') == 2
    assert disposition.isprintable()
