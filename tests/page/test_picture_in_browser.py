"""terrain.html in a real browser: opens offline, draws, turns, and shows hostile text as text."""

import pytest

from level.picture import write_picture

pytestmark = pytest.mark.browser

HOSTILE = '</script><img src=x onerror="alert(\'in\')">\u202e=HYPERLINK("x")'
STATUS = {"file_name": "support-inbox.csv", "created_at": "2026-11-21T06:00:00Z"}
COUNT_COLOURS = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const seen = new Set();
  for (let at = 0; at < data.length; at += 4 * 31) {
    if (data[at + 3]) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  }
  return seen.size;
}"""
CHANGED = "before => document.querySelector('canvas').toDataURL() !== before"
SAME = "before => document.querySelector('canvas').toDataURL() === before"
SHOWN = ".terrain-label:not([hidden])"
LABEL_BOXES = """shown => [...document.querySelectorAll(shown)].map((label) => {
  const { left, top, right, bottom } = label.getBoundingClientRect();
  return { left, top, right, bottom };
})"""


@pytest.fixture
def open_picture(chromium, tmp_path, terrain_of):
    """Open a picture offline; a message on the console, an error or a dialog fails the test."""
    contexts, complaints = [], []

    def open_it(hostile=None, **options):
        file = tmp_path / "terrain.html"
        write_picture(terrain_of(hostile), STATUS, file)
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto(file.as_uri())
        page.wait_for_selector(SHOWN)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def picture_of(page):
    return page.evaluate("document.querySelector('canvas').toDataURL()")


def press_and_wait(page, key):
    before = picture_of(page)
    page.locator("canvas").press(key)
    page.wait_for_function(CHANGED, arg=before)


def test_it_draws_a_shaded_surface(open_picture):
    page = open_picture()
    assert page.locator("canvas").evaluate(COUNT_COLOURS) > 500
    assert page.title() == "support-inbox.csv – Level"


def test_labels_are_shown_largest_first_and_none_covers_another(open_picture):
    page = open_picture()
    assert page.locator(SHOWN).first.inner_text().split("\n")[0] == ("Refund not received")
    boxes = page.evaluate(LABEL_BOXES, SHOWN)
    assert len(boxes) >= 10
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            apart_x = one["right"] <= other["left"] or other["right"] <= one["left"]
            apart_y = one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
            assert apart_x or apart_y


def test_the_table_says_what_the_terrain_shows(open_picture):
    page = open_picture()
    rows = page.locator("table.hills tbody tr")
    assert rows.count() == 20
    assert rows.first.inner_text().split() == ["Refund", "not", "received", "2,400", "26%", "1"]
    assert "312" in page.locator("table.hills tfoot").inner_text()
    assert "Design effect" in page.locator("table.metrics").inner_text()


@pytest.mark.parametrize("key", ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-"])
def test_keys_turn_and_zoom(open_picture, key):
    press_and_wait(open_picture(), key)


def test_home_goes_back_to_the_first_view(open_picture):
    page = open_picture()
    page.wait_for_timeout(300)
    first = picture_of(page)
    press_and_wait(page, "ArrowLeft")
    page.locator("canvas").press("Home")
    page.wait_for_function(SAME, arg=first)


def test_dragging_turns_and_the_wheel_zooms(open_picture):
    page = open_picture()
    before = picture_of(page)
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.move(380, 310, steps=4)
    page.mouse.up()
    page.wait_for_function(CHANGED, arg=before)
    before = picture_of(page)
    page.mouse.wheel(0, -200)
    page.wait_for_function(CHANGED, arg=before)


def test_choosing_a_hill_in_the_table_shows_its_card(open_picture):
    page = open_picture()
    page.get_by_role("button", name="Password reset").click()
    card = page.locator(".card")
    assert "1,268 rows" in card.inner_text()
    assert "Hello, password reset again (no. 0)." in card.inner_text()
    page.locator("canvas").press("Escape")
    card.wait_for(state="hidden")


def test_pointing_at_a_hill_shows_its_card(open_picture):
    page = open_picture()
    label = page.locator(".terrain-label", has_text="Refund not received").bounding_box()
    page.mouse.move(label["x"] + label["width"] / 2, label["y"] + label["height"] + 40)
    page.locator(".card", has_text="Refund not received").wait_for()


def test_hostile_text_is_shown_as_text(open_picture):
    page = open_picture(HOSTILE)
    page.locator("table.hills button").first.click()
    shown = page.locator(".card h3 bdi").evaluate("element => element.textContent")
    assert shown == HOSTILE
    assert page.locator("img").count() == 0


def test_it_fits_a_narrow_screen_and_a_dense_one(open_picture):
    page = open_picture(viewport={"width": 390, "height": 844}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("canvas").evaluate("canvas => canvas.width") == 780


def test_it_is_readable_without_javascript(open_picture, chromium, tmp_path):
    open_picture()
    context = chromium.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "terrain.html").as_uri())
    assert "Refund not received" in page.locator("table.hills").inner_text()
    context.close()


def test_dark_and_light_schemes_differ(open_picture):
    light = picture_of(open_picture(color_scheme="light"))
    dark = picture_of(open_picture(color_scheme="dark"))
    assert light != dark
