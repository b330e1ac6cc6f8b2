"""Levelling by a target, counting near-duplicates and downloads, in a real browser."""

import pytest

pytestmark = pytest.mark.browser


def open_panel(page, address):
    page.goto(f"{address}/#d1")
    page.wait_for_selector(".terrain-label:not([hidden])")
    page.get_by_text("Level by a target").focus()
    page.keyboard.press("Enter")
    page.get_by_role("img", name="Effective sample size by flatness").wait_for()


def test_the_curve_has_axes_and_says_its_default_in_words(page, address):
    open_panel(page, address)
    curve = page.get_by_role("img", name="Effective sample size by flatness")
    words = curve.get_attribute("aria-label")
    assert "Default: flatness 0.75 keeps 85%." in words
    texts = curve.locator("text").all_text_contents()
    assert {"Flatness", "Effective size", "default", "0.5", "50%"} <= set(texts)
    assert curve.locator(".curve-target").count() == 0
    page.get_by_label("Target", exact=True).select_option("flatness")
    assert curve.locator(".curve-target").count() == 1


def test_a_preview_shows_figures_side_by_side_and_changes_nothing(page, address, gateway_app):
    open_panel(page, address)
    page.get_by_label("Target", exact=True).select_option("flatness")
    page.get_by_label("Flatness", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("Rows to keep", exact=True).fill("5000")
    page.get_by_label("Noise", exact=True).select_option("cap")
    page.get_by_label("Near-duplicates", exact=True).select_option("drop")
    page.get_by_role("button", name="Preview").click()
    table = page.locator(".tool table.metrics")
    table.wait_for()
    row = table.get_by_role("row", name="Gini")
    assert row.locator("td").all_inner_texts() == ["0.210", "0.503"]
    assert table.get_by_role("row", name="Rows dropped").locator("td").first.inner_text() == "1,200"
    assert page.get_by_text("Two hills are at the limit.").is_visible()
    assert page.get_by_text("Drop: 312 dropped").is_visible()
    (asked,) = gateway_app.state.levelled
    assert asked == {
        "target": {"kind": "flatness", "value": 0.81},
        "budget": 5000,
        "max_repeat": None,
        "sampling": "diverse",
        "noise": {"kind": "cap", "share": 0.1},
        "duplicates": {"kind": "drop"},
        "layer": None,
        "apply": False,
    }
    assert gateway_app.state.curves[-1] == {"budget": "5000", "duplicates": "drop"}


def test_applying_moves_hills_and_waits_for_the_rows(page, address, gateway_app):
    open_panel(page, address)
    page.get_by_role("button", name="Apply", exact=True).click()
    page.get_by_text("Levelled: 7,971 rows stay.").wait_for()
    assert gateway_app.state.levelled[0]["apply"] is True
    assert gateway_app.state.polls == 2
    number = page.get_by_label("Weight of Refund not received, as a number")
    assert number.input_value() == "0.4"


def test_a_refusal_is_said_beside_the_form(page, address):
    open_panel(page, address)
    problem = {"title": "Field invalid", "detail": "budget is too large"}
    page.route("**/api/level/d1", lambda route: route.fulfill(status=422, json=problem))
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("Field invalid: budget is too large").wait_for()


def test_near_duplicates_are_told_and_can_be_counted_once(page, address, gateway_app):
    page.goto(f"{address}/#d1")
    page.get_by_role("button", name="Refund not received").click()
    assert "50% copies" in page.locator(".card-facts").inner_text()
    page.get_by_label("Count near-duplicates once").check()
    page.locator(".card").wait_for(state="hidden")
    assert gateway_app.state.counts[-1] == "groups"


def test_every_download_has_its_address(page, address):
    page.goto(f"{address}/#d1")
    page.wait_for_selector(".terrain-label:not([hidden])")
    page.locator("summary", has_text="Download").click()
    link = page.locator(".tool a.button")
    assert link.get_attribute("href") == "/api/export/d1?format=weighted&file_type=csv"
    page.get_by_label("File type").select_option("zip")
    page.get_by_label("What", exact=True).select_option("layers")
    assert link.get_attribute("href") == "/api/export/d1?format=layers&file_type=csv"
    page.get_by_label("What", exact=True).select_option("balanced")
    link.click()
    page.get_by_text("Level by a target first, and apply it.").wait_for()
