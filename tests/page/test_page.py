"""The page in a real browser under its content security policy."""

import pytest

pytestmark = pytest.mark.browser

ROWS = b"text\n" + b"hello\n" * 60


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


def open_terrain(page, address):
    page.goto(f"{address}/#d1")
    page.wait_for_selector(".terrain-label:not([hidden])")


def wait_for_adjustment(page, gateway_app, expected):
    """Wait until the page's last adjustment is this one."""
    for _ in range(200):
        if gateway_app.state.adjusted[-1:] == [expected]:
            return
        page.wait_for_timeout(50)
    raise AssertionError(gateway_app.state.adjusted)


def test_layers_are_chosen_with_the_keyboard(page, address):
    open_terrain(page, address)
    chooser = page.get_by_role("group", name="How fine the hills are")
    assert chooser.get_by_role("status").inner_text() == "20 hills"
    assert page.get_by_role("button", name="Finer: 60 hills").is_enabled()
    page.get_by_role("button", name="Coarser: 5 hills").focus()
    page.keyboard.press("Enter")
    page.locator("table.hills", has_text="Group 4").wait_for()
    assert chooser.get_by_role("status").inner_text() == "5 hills"
    assert page.locator("table.hills tbody tr").count() == 5
    assert page.get_by_role("button", name="Coarser").is_disabled()
    assert "5 hills" in page.locator("#facts").inner_text()
    page.keyboard.press("Enter")  # the focus went on to the other button
    page.locator("table.hills", has_text="Refund not received").wait_for()
    assert page.locator("table.hills tbody tr").count() == 20


def test_weights_of_one_layer_are_saved_before_the_next_is_shown(page, address, gateway_app):
    open_terrain(page, address)
    page.get_by_label("Weight of Refund not received, as a number").fill("0.5")
    page.get_by_role("button", name="Coarser: 5 hills").click()
    page.get_by_label("Weight of Group 0, as a number").fill("2")
    wait_for_adjustment(page, gateway_app, (2, {"20": 2}))
    assert gateway_app.state.adjusted == [(1, {"0": 0.5}), (2, {"20": 2})]


def test_reset_sets_the_finest_clusters_so_that_all_rows_weigh_the_same(page, address, gateway_app):
    open_terrain(page, address)
    page.get_by_label("Weight of Refund not received, as a number").fill("0.5")
    page.get_by_role("button", name="Reset weights").click()
    ids = [*range(25, 85), -1]
    wait_for_adjustment(page, gateway_app, (1, {str(one): 1 for one in ids}))


def test_stability_noise_and_layout_are_told(page, address):
    open_terrain(page, address)
    page.get_by_role("button", name="Refund not received").click()
    fact = page.locator(".card abbr")
    assert fact.inner_text() == "stability 90%"
    assert "comes back" in fact.get_attribute("title")
    assert "312 rows lie in sparse regions." in page.locator("table.hills tfoot").inner_text()
    assert "For 96% of their rows" in page.locator(".stage-foot").inner_text()


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


def test_an_embedding_says_how_far_it_is_and_how_fast_it_goes(page, address):
    page.route("**/api/status/d1/events", lambda route: route.abort())
    embedding = {"rows_done": 3_210, "row_count": 13_083, "rows_per_second": 620.4}
    embedding |= {"seconds_left": 15.9, "cached_count": 1_000}
    state = {"status": "processing", "stage": "embedding", "progress": 17, "embedding": embedding}
    page.route("**/api/status/d1", lambda route: route.fulfill(json=state))
    page.goto(f"{address}/#d1")
    words = "3,210 of 13,083 texts · 620 a second · 16 s left · 1,000 from the cache"
    page.get_by_text(words).wait_for()
    state |= {"stage": "clustering", "progress": 72}
    page.get_by_text(words).wait_for(state="hidden")


def test_long_texts_are_read_to_their_end_when_asked(page, address, gateway_app, tmp_path):
    file = tmp_path / "messages.csv"
    file.write_text("text\nhello\n")
    page.goto(address)
    page.locator("#file").set_input_files(file)
    page.get_by_label("Read long texts to their end").check()
    page.get_by_role("button", name="Make the terrain").click()
    page.wait_for_selector(".terrain-label:not([hidden])")
    assert gateway_app.state.sent == {"long_texts": "mean"}


def test_a_failed_dataset_says_its_reason(page, address):
    state = {"status": "failed", "stage": None, "progress": 12, "error": "The model is missing."}
    page.route("**/api/status/d1", lambda route: route.fulfill(json=state))
    page.goto(f"{address}/#d1")
    page.get_by_role("alert").wait_for()
    assert "The model is missing." in page.get_by_role("alert").inner_text()
