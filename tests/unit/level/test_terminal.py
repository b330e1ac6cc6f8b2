"""What the command line shows: progress, the summary, the gateway's words."""

import io

import httpx
import pytest
from rich.console import Console

from gateway.dataset import STAGE_SPANS, Stage
from level.client import GatewayClient
from level.errors import CommandFailed
from level.progress import STAGES, describe_embedding, show_progress
from level.summary import one_line, print_summary

ORIGINAL = {
    "gini": 0.25,
    "flatness": 0.5,
    "cluster_count": 2,
    "effective_clusters": 1.75,
    "effective_sample_size": 100.0,
    "effective_sample_share": 1.0,
    "design_effect": 1.0,
    "max_repeat": 1.0,
    "row_count": 100,
    "noise_count": 10,
    "dropped_row_count": 0,
    "duplicate_count": 0,
}
METRICS = {**ORIGINAL, "original": ORIGINAL}
WEIGHED = {
    **METRICS,
    "gini": 0.125,
    "flatness": 0.75,
    "effective_sample_size": 31.0,
    "effective_sample_share": 0.31,
    "design_effect": 1.29,
    "max_repeat": 1.5,
    "row_count": 40,
    "dropped_row_count": 60,
    "duplicate_count": 7,
}


def status(stage: str | None, progress: int, state: str = "processing") -> dict:
    return {"status": state, "stage": stage, "progress": progress}


def hill(cluster_id: int, size: int, label: str) -> dict:
    return {"cluster_id": cluster_id, "size": size, "label": label}


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def console(request) -> Console:
    return Console(file=io.StringIO(), force_terminal=request.param, width=100, highlight=False)


def test_progress_names_every_stage_and_returns_the_last_status(console):
    statuses = [
        status("queued", 0),
        status("embedding", 35),
        status("clustering", 75),
        status("analyzing", 85),
        status("building_terrain", 95),
        status(None, 100, "completed"),
    ]
    assert show_progress(iter(statuses), console) == statuses[-1]
    text = console.file.getvalue()
    for words in ("Embedding rows", "Finding clusters", "Naming clusters", "Building terrain"):
        assert words in text


def test_an_embedding_says_rows_rate_time_left_and_what_the_cache_saved(console):
    embedding = {
        "rows_done": 1_200,
        "row_count": 13_083,
        "rows_per_second": 612.4,
        "seconds_left": 19.4,
        "cached_count": 300,
    }
    statuses = [
        {**status("embedding", 6), "embedding": embedding},
        {**status("clustering", 75), "embedding": embedding},
    ]
    show_progress(iter(statuses), console)
    words = "1,200 of 13,083 texts, 612 a second, 19 s left, 300 from the cache"
    assert words in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (119, "119 s"), (600, "10 min"), (9_000, "2.5 h")]
)
def test_time_left_is_said_as_people_say_it(seconds, words):
    known = {"rows_done": 1, "row_count": 2, "rows_per_second": None, "cached_count": 0}
    assert describe_embedding({**known, "seconds_left": seconds}) == f"1 of 2 texts, {words} left"


def test_bars_are_on_the_scale_of_the_gateway():
    spans = {str(stage): span for stage, span in STAGE_SPANS.items() if stage != Stage.QUEUED}
    shown = {stage: (start, end) for stage, (_, start, end) in STAGES.items()}
    # The last stage ends at 99: 100 is a completed dataset.
    assert {**spans, "building_terrain": (90, 100)} == shown
    assert spans["building_terrain"] == (90, 99)


def test_progress_of_a_dataset_that_fails_returns_the_failure(console):
    failed = {**status(None, 40, "failed"), "error": "why"}
    assert show_progress(iter([status("embedding", 40), failed]), console) == failed


def test_summary_shows_sizes_names_and_figures(console):
    terrain = {"hills": [hill(0, 60, "Refund [bold]late[/]"), hill(1, 30, "Log in")]}
    print_summary({**terrain, "metrics": METRICS}, {"clustering": {"algorithm": "dbscan"}}, console)
    text = console.file.getvalue()
    for words in (
        "60",
        "60.0 %",
        "Refund [bold]late[/]",
        "0.250",
        "0.500",
        "10 (10.0 %)",
        "dbscan",
    ):
        assert words in text


def test_summary_of_weights_shows_what_they_cost_before_and_after(console):
    print_summary({"hills": [], "metrics": WEIGHED}, {}, console)
    text = console.file.getvalue()
    rows = {
        "Gini": ("0.250", "0.125"),
        "flatness": ("0.500", "0.750"),
        "effective sample size": ("100 rows (100.0 %)", "31 rows (31.0 %)"),
        "design effect": ("1.00", "1.29"),
        "largest repeat": ("1.00", "1.50"),
        "rows dropped": ("0", "60"),
        "near-duplicates dropped": ("0", "7"),
    }
    assert "before" in text and "after" in text
    for name, (before, after) in rows.items():
        line = next(line for line in text.splitlines() if name in line)
        assert line.index(before) < line.rindex(after)


def test_summary_of_a_dataset_as_it_came_shows_each_figure_once(console):
    print_summary({"hills": [], "metrics": METRICS}, {}, console)
    assert "after" not in console.file.getvalue()


def test_summary_of_many_hills_says_how_many_it_leaves_out(console):
    hills = [hill(number, 100 - number, f"Topic {number}") for number in range(50)]
    print_summary({"hills": hills, "metrics": METRICS}, {}, console)
    text = console.file.getvalue()
    assert "10 smaller clusters" in text
    assert "Topic 39" in text and "Topic 40" not in text


def test_text_of_rows_cannot_steer_the_terminal():
    assert one_line("a\x1b[2Jb\r\nc\u202ed") == "a [2Jb  c d"


def gateway_that_answers(code: int, body: str, kind: str) -> GatewayClient:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(code, text=body, headers={"content-type": kind})

    transport = httpx.MockTransport(answer)
    return GatewayClient(httpx.Client(transport=transport, base_url="http://level"))


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            '{"title": "Bad", "detail": "line 7 is odd"}',
            "application/problem+json",
            "line 7 is odd",
        ),
        ("<html>oops", "text/html", "400"),
    ],
)
def test_refusal_is_told_in_the_gateways_words(body, kind, words):
    with pytest.raises(CommandFailed, match=words):
        gateway_that_answers(400, body, kind).terrain("x")


def test_refused_export_leaves_no_file(tmp_path):
    client = gateway_that_answers(422, '{"detail": "too many rows"}', "application/problem+json")
    with pytest.raises(CommandFailed, match="too many rows"):
        client.export("x", tmp_path / "out.csv", format="resampled")
    assert list(tmp_path.iterdir()) == []


def test_gateway_that_is_away_is_told_of_and_no_traceback(tmp_path):
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    http = httpx.Client(transport=httpx.MockTransport(away), base_url="http://level")
    client = GatewayClient(http)
    upload = tmp_path / "messages.csv"
    upload.write_text("text\n")
    calls = [
        lambda: client.upload(upload, {}),
        lambda: client.datasets(),
        lambda: client.terrain("x"),
        lambda: client.adjust("x", {"0": 1.0}),
        lambda: client.export("x", tmp_path / "out.csv"),
    ]
    for call in calls:
        with pytest.raises(CommandFailed, match="does not answer"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["messages.csv"]
