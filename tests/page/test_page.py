"""The page in a real browser under its content security policy."""

import pytest

pytestmark = pytest.mark.browser

ROWS = b"text\n" + b"hello\n" * 60


@pytest.fixture
def page(chromium):
    """Give a fresh page; an uncaught error or a policy violation fails the test."""
    context = chromium.new_context()
    complaints = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: "Security Policy" in message.text and complaints.append(message.text),
    )
    yield page
    context.close()
    assert complaints == []


def choose(page, name, content):
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Make the terrain").click()


def test_an_upload_ends_in_a_terrain_that_its_address_names(page, address):
    page.goto(address)
    choose(page, "support-inbox.csv", ROWS)
    page.wait_for_selector(".terrain-label:not([hidden])")
    assert page.url.endswith("#d1")
    assert page.locator("table.hills tbody tr").count() == 20


def test_a_refused_upload_says_why_and_what_to_do(page, address):
    page.goto(address)
    choose(page, "short.csv", b"bad")
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert "Too few rows" in problem.inner_text()
    assert "at least 50" in problem.inner_text()
    assert page.get_by_role("button", name="Make the terrain").is_enabled()


def test_a_deep_link_opens_a_dataset_with_its_downloads(page, address):
    page.goto(f"{address}/#d1")
    page.wait_for_selector(".terrain-label:not([hidden])")
    weighted = page.get_by_role("link", name="Download weighted").get_attribute("href")
    assert weighted == "/api/export/d1?format=weighted"


def test_an_unknown_dataset_is_said_and_the_start_is_shown(page, address):
    page.goto(f"{address}/#nothing")
    page.get_by_role("alert").wait_for()
    assert page.locator("#upload").is_visible()


def test_recent_datasets_open_by_a_click(page, address):
    page.goto(address)
    page.get_by_role("link", name="support-inbox.csv").click()
    page.wait_for_selector(".terrain-label:not([hidden])")


def test_a_weight_is_saved_and_the_measures_follow(page, address):
    page.goto(f"{address}/#d1")
    page.get_by_label("Weight of Refund not received, as a number").fill("0.25")
    page.locator("#saved", has_text="Saved").wait_for()
    page.locator(".metric-now", has_text="0.400").wait_for()
    assert page.get_by_label("Weight of Refund not received", exact=True).input_value() == "0.25"
    page.get_by_role("button", name="Reset weights").click()
    page.wait_for_function("document.querySelector('.weight-number').value === '1'")


def test_progress_goes_on_by_polling_where_events_break_off(page, address):
    page.route("**/api/status/d1/events", lambda route: route.abort())
    states = [("embedding", 30), ("clustering", 75)]

    def answer(route):
        if not states:
            return route.continue_()
        stage, progress = states.pop(0)
        route.fulfill(json={"status": "processing", "stage": stage, "progress": progress})

    page.route("**/api/status/d1", answer)
    page.goto(f"{address}/#d1")
    bar = page.get_by_role("progressbar")
    bar.wait_for()
    page.wait_for_function("document.getElementById('track').ariaValueNow === '75'")
    page.wait_for_selector(".terrain-label:not([hidden])")


def test_a_failed_dataset_says_its_reason(page, address):
    state = {"status": "failed", "stage": None, "progress": 12, "error": "The model is missing."}
    page.route("**/api/status/d1", lambda route: route.fulfill(json=state))
    page.goto(f"{address}/#d1")
    page.get_by_role("alert").wait_for()
    assert "The model is missing." in page.get_by_role("alert").inner_text()
