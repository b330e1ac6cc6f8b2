"""POST /api/upload: what is taken, what is refused, and that nothing is left of the refused."""

import json
import socket
import time

import pytest

from tests.support.rest_gateway import csv_of, running_gateway

PROBLEM = "application/problem+json"
CSV = csv_of(60)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway with the service that knows which parameters can be used."""
    folder = tmp_path_factory.mktemp("gu")
    with running_gateway(folder / "data", folder, services=("cluster",)) as running:
        yield running


def upload(client, content=CSV, name="messages.csv", **fields):
    return client.post("/api/upload", files={"file": (name, content)}, data=fields)


def assert_refused(gateway, answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == status
    assert gateway.incoming() == []


def multipart(*parts):
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


def post_form(client, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return client.post("/api/upload", content=body, headers=headers)


FILE_PART = b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CSV


def test_an_upload_is_answered_before_it_is_processed(gateway, client):
    answer = upload(client, seed="7", description="Messages", keywords_only="true")
    status = answer.json()
    assert answer.status_code == 202
    assert (status["status"], status["stage"], status["progress"]) == ("processing", "queued", 0)
    assert (status["file_name"], status["row_count"]) == ("messages.csv", 60)
    assert status["text_column"]["name"] == "text"
    assert status["expires_at"] > status["created_at"]
    dataset = gateway.store.get(status["dataset_id"])
    assert set(dataset.artifacts) == {"source", "rows", "records"}
    source = gateway.artifacts.path(dataset.dataset_id, dataset.artifacts["source"])
    assert source.read_bytes() == CSV
    assert (dataset.parameters.random_seed, dataset.parameters.keywords_only) == (7, True)
    assert gateway.jobs.unfinished()[-1].dataset_id == dataset.dataset_id
    assert client.get(answer.headers["location"]).json() == status
    assert gateway.incoming() == []


@pytest.mark.parametrize("mode", ["truncate", "mean"])
def test_what_becomes_of_long_texts_is_kept(gateway, client, mode):
    status = upload(client, long_texts=mode).json()
    assert status["parameters"]["long_texts"] == mode
    assert gateway.store.get(status["dataset_id"]).parameters.long_texts == mode
    assert (status["truncated_count"], status["chunked_count"], status["embedding"]) == (None,) * 3


def test_the_text_column_can_be_named(client):
    content = csv_of(50, header="number,words")
    assert upload(client, content, text_column="number").json()["text_column"]["name"] == "number"


def test_more_rows_than_recommended_are_taken_with_a_warning(client):
    answer = upload(client, csv_of(10_001))
    assert answer.status_code == 202
    assert "10,001 rows" in answer.json()["warnings"][-1]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"id,text\r\n", 400),
        (b"\xef\xbb\xbf", 400),
        (csv_of(49), 400),
        (b"\0" * 5_000, 415),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, 415),
        (b"%PDF-1.7\n" + CSV, 415),
        (b"<!doctype html><p>text", 415),
        (json.dumps([{"text": "a"}] * 60).encode(), 415),
        (b"id,text\n" + b'1,"never closed\n' + b"2,other words\n" * 60, 400),
        (b"n,m\n" + b"1,2\n" * 60, 400),
    ],
)
def test_what_is_no_usable_table_is_refused(gateway, client, content, status):
    assert_refused(gateway, upload(client, content), status)


def test_a_text_column_that_is_not_there_is_refused(gateway, client):
    answer = upload(client, text_column="nowhere")
    assert_refused(gateway, answer, 400)
    assert '"text"' in answer.json()["detail"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "closing boundary|file"),
        ([FILE_PART, FILE_PART], "two files"),
        ([FILE_PART.replace(b'"file"', b'"data"')], "not in another"),
        ([FILE_PART.replace(b'; filename="a.csv"', b"")], "must be a file"),
        ([FILE_PART.replace(b'name="file"; ', b"")], "no name"),
        ([FILE_PART, b'Content-Disposition: form-data; name="color"\r\n\r\nred'], "unknown field"),
        ([FILE_PART] + [b'Content-Disposition: form-data; name="seed"\r\n\r\n1'] * 2, "twice"),
        ([FILE_PART, b'Content-Disposition: form-data; name="seed"\r\n\r\n\xff'], "UTF-8"),
        ([FILE_PART, b'Content-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 9_000], "longer"),
        ([b'Content-Disposition: form-data; name="a%d"\r\n\r\n1' % n for n in range(99)], "parts"),
        ([b"Content-Disposition: " + b"x" * 20_000 + b"\r\n\r\n1"], "well-formed"),
        ([b"no header here"], "well-formed"),
    ],
)
def test_a_form_without_exactly_one_file_is_refused(gateway, client, parts, said):
    answer = post_form(client, multipart(*parts))
    assert_refused(gateway, answer, 400)
    assert any(one in answer.json()["detail"] for one in said.split("|")), answer.text


def test_a_form_that_is_cut_is_refused(gateway, client):
    assert_refused(gateway, post_form(client, multipart(FILE_PART)[:-20]), 400)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/csv", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 10_000],
)
def test_what_is_no_form_is_refused(gateway, client, content_type):
    headers = {"Content-Type": content_type}
    answer = client.post("/api/upload", content=multipart(FILE_PART), headers=headers)
    assert_refused(gateway, answer, 400)


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": "-1"},
        {"seed": "many"},
        {"eps": "nan"},
        {"eps": "3"},
        {"exemplar_count": "11"},
        {"exemplar_kind": "best"},
        {"long_texts": "whole"},
        {"language": "no language"},
        {"parameters": "{"},
        {"parameters": "[1]"},
        {"parameters": '{"k": [1]}'},
        {"parameters": '{"k": "\\ud800"}'},
        {"parameters": '{"k": NaN}'},
        {"parameters": '{"k": 99999999999999999999}'},
        {"parameters": '{"eps": 0.5}', "eps": "0.5"},
        {"description": "x" * 2_001},
    ],
)
def test_values_that_cannot_be_used_are_refused(gateway, client, fields):
    answer = upload(client, **fields)
    assert_refused(gateway, answer, 422)
    assert next(iter(fields.values())) not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"algorithm": "dbscan"}, {}),
        ({"algorithm": "dbscan", "auto_eps": "false"}, {"eps": 0.5}),
        ({"algorithm": "dbscan", "auto_eps": "false", "eps": "0.3"}, {"eps": 0.3}),
        ({"algorithm": "dbscan", "eps": "", "min_samples": "4"}, {"min_samples": 4}),
        ({"algorithm": "kmeans", "parameters": '{"cluster_count": 9}'}, {"cluster_count": 9}),
    ],
)
def test_parameters_reach_the_pipeline(gateway, client, fields, expected):
    dataset_id = upload(client, **fields).json()["dataset_id"]
    parameters = gateway.store.get(dataset_id).parameters
    assert parameters.algorithm == fields["algorithm"]
    assert parameters.algorithm_parameters == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithm": "nonsense"},
        {"algorithm": "kmeans", "eps": "0.5"},
        {"algorithm": "kmeans", "parameters": '{"cluster_count": "many"}'},
    ],
)
def test_parameters_that_the_algorithm_refuses_are_refused(gateway, client, fields):
    answer = upload(client, **fields)
    assert_refused(gateway, answer, 422)


def test_uploads_are_taken_while_the_cluster_service_is_away(small):
    with small.client() as client:
        answer = upload(client, algorithm="nonsense")
        assert answer.status_code == 202


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/x.csv", "x.csv"),
        ("C:\\files\\a b.csv", "a b.csv"),
        ("\u202egpj.csv", "�gpj.csv"),
        ("n" * 10_000 + ".csv", "n" * 251 + ".csv"),
        ("<script>.csv", "<script>.csv"),
    ],
)
def test_a_file_name_is_shown_and_nothing_else(gateway, client, sent, shown):
    part = FILE_PART.replace(b"a.csv", sent.encode().replace(b"\\", b"\\\\")[-4_000:])
    status = post_form(client, multipart(part)).json()
    assert status["file_name"] == shown
    folder = gateway.artifacts.dataset_dir(status["dataset_id"])
    assert {path.name for path in folder.iterdir()} == {"source", "rows.parquet", "records.npy"}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gs")
    limits = {"max_upload_size": 100_000, "max_concurrent_uploads": 1}
    with running_gateway(folder / "data", folder, **limits) as running:
        yield running


def sized_csv(byte_count):
    head = csv_of(60)
    return (
        head + b"x,y\r\n" * ((byte_count - len(head)) // 5) + b"z" * ((byte_count - len(head)) % 5)
    )


def chunks(content, size=10_000):
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    for start in range(0, len(content), size):
        yield content[start : start + size]
    yield b"\r\n--x--\r\n"


def test_a_file_of_exactly_the_largest_size_is_taken(small):
    with small.client() as client:
        assert upload(client, sized_csv(100_000)).status_code == 202
        assert post_form(client, chunks(sized_csv(100_000))).status_code == 202


@pytest.mark.parametrize("byte_count", [100_001, 3_000_000, 30_000_000])
def test_a_larger_file_is_refused_with_and_without_a_length(small, byte_count):
    content = sized_csv(byte_count)
    with small.client() as client:
        for answer in (upload(client, content), post_form(client, chunks(content))):
            assert_refused(small, answer, 413)
            assert answer.headers["connection"] == "close"


def test_an_announced_size_over_the_limit_is_refused_before_a_byte_of_it(small):
    with socket.create_connection(("127.0.0.1", small.port)) as connection:
        connection.sendall(
            b"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def begin_upload(gateway):
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.sendall(
        b"POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n" + FILE_PART
    )
    return connection


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_upload_beyond_those_taken_at_once_is_told_to_wait(small):
    with small.client() as client, begin_upload(small):
        wait_until(small.incoming)
        answer = upload(client)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    wait_until(lambda: not small.incoming())


def test_nothing_is_left_of_an_upload_whose_client_goes_away(small):
    with begin_upload(small):
        wait_until(small.incoming)
    wait_until(lambda: not small.incoming())
    with small.client() as client:
        assert upload(client).status_code == 202


def test_the_sixth_upload_of_a_minute_is_refused_unread(tmp_path):
    with running_gateway(tmp_path / "data", tmp_path, upload_rate="5/minute") as gateway:
        with gateway.client() as client:
            statuses = [upload(client, b"not a table").status_code for _ in range(5)]
            answer = upload(client)
            health = client.get("/api/datasets")
        assert statuses == [400] * 5
        assert_refused(gateway, answer, 429)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert health.json() == {"datasets": []}
