from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from analyzer_svc.google_status import error_details, names_key, retry_delay


def body(*details):
    return {"error": {"code": 429, "details": list(details)}}


def test_the_bodys_delay_goes_before_the_header():
    assert retry_delay(body({"retryDelay": "17.5s"}), "3") == 17.5
    assert retry_delay(body(), "3") == 3.0


def test_the_header_may_be_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < retry_delay(None, later) <= 100
    assert retry_delay(None, "Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("header", ["", "soon", "-1", "1e9", "²"])
def test_an_unreadable_header_says_nothing(header):
    assert retry_delay({}, header) is None


@pytest.mark.parametrize(
    "junk", [None, [], "x", {}, {"error": None}, {"error": {"details": "x"}}, body(1, None)]
)
def test_bodies_of_another_shape_have_no_details(junk):
    assert error_details(junk) == []
    assert not names_key(junk)


def test_a_refused_key_is_told_by_its_reason():
    assert names_key(body({"reason": "API_KEY_INVALID"}))
