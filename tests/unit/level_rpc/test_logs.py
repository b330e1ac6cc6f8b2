"""Log lines are JSON, whoever writes them and whatever they hold."""

import io
import json
import logging

import pytest
import structlog

from level_rpc.logs import configure_logging


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # Not basicConfig(force=True)'s way: that would close pytest's own handlers.
    root.handlers = []
    configure_logging("embedder", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_structlog_and_standard_logging_come_out_alike(lines):
    structlog.contextvars.bind_contextvars(request_id="r1")
    structlog.get_logger("a").info("loaded", rows=3)
    logging.getLogger("b").warning("took %d seconds", 4)
    own, foreign = lines()
    assert (own["event"], own["rows"], own["level"], own["logger"]) == ("loaded", 3, "info", "a")
    assert (foreign["event"], foreign["level"], foreign["logger"]) == (
        "took 4 seconds",
        "warning",
        "b",
    )
    for line in (own, foreign):
        assert line["service"] == "embedder"
        assert line["request_id"] == "r1"
        assert line["timestamp"].endswith("Z")


def test_hostile_text_stays_inside_its_line(lines):
    hostile = '\n{"level": "error"}\x00\x1b[31m\ud800'
    structlog.get_logger().info("got", text=hostile)
    assert lines()[0]["text"] == hostile


def test_events_below_the_level_are_not_written(lines):
    structlog.get_logger().debug("row", text="private")
    logging.getLogger("c").debug("row")
    assert lines() == []


def test_a_traceback_is_one_field(lines):
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    assert "RuntimeError: broken" in lines()[0]["exception"]
