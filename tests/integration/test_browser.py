"""The page against the real gateway, in a real browser: from a file to a balanced download."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from level.picture import write_picture
from level.stack import LocalStack
from tests.page import conftest as page_tests

pytestmark = pytest.mark.browser

chromium = page_tests.chromium

PATIENCE_MS = 60_000
EVIL = [
    '<img src=x onerror="window.harmed = 1">',
    "<script>window.harmed = 1</script>",
    '"><svg onload="window.harmed = 1">',
    "javascript:window.harmed=1",
]


@pytest.fixture
def page(chromium) -> Iterator:
    """A fresh page; a dialog, an error or a complaint of the browser fails the test."""
    context = chromium.new_context(accept_downloads=True)
    complaints = []
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: complaints.append(line.text) if is_fault(line) else None)
    yield page
    context.close()
    assert complaints == []


def is_fault(line) -> bool:
    """Return whether a line of the console is one of ours; a browser notes refusals there too."""
    return line.type == "error" and "/api/" not in line.location["url"]


@pytest.fixture
def tidy(stack: LocalStack) -> Iterator[None]:
    """Remove the datasets that a test has made."""

    def ids(client: httpx.Client) -> set[str]:
        return {one["dataset_id"] for one in client.get("/api/datasets").json()["datasets"]}

    with stack.client(timeout=60.0) as client:
        before = ids(client)
        yield
        for dataset_id in ids(client) - before:
            client.delete(f"/api/datasets/{dataset_id}")


def send(page, stack: LocalStack, file) -> None:
    page.goto(stack.url)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Make the terrain").click()


def wait_for_terrain(page) -> None:
    page.wait_for_selector(".terrain-label:not([hidden])")


def gini(page) -> float:
    return float(page.locator("tr", has_text="Gini").locator(".metric-now").inner_text())


def download(page, name: str) -> bytes:
    with page.expect_download() as started:
        page.get_by_role("link", name=name).click()
    return Path(started.value.path()).read_bytes()


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def test_from_a_file_to_a_balanced_download(page, stack, sample_file, tidy):
    send(page, stack, str(sample_file))
    page.get_by_role("progressbar").wait_for()
    wait_for_terrain(page)
    rows = read_csv(sample_file.read_bytes())
    assert page.locator("#file-name").inner_text() == sample_file.name
    assert f"{len(rows) - 1} rows" in page.locator("#facts").inner_text()

    before = gini(page)
    first = page.locator("table.hills tbody tr").first
    label = first.locator(".hill-name").inner_text()
    first.locator(".weight-number").fill("0.25")
    page.locator("#saved", has_text="Saved").wait_for()
    page.wait_for_function(
        "before => Number(document.querySelector('.metric-now').textContent) < before", arg=before
    )

    weighted = read_csv(download(page, "Download weighted"))
    assert [row[:-1] for row in weighted] == rows
    assert len({row[-1] for row in weighted[1:]}) == 2
    resampled = read_csv(download(page, "Download resampled"))
    assert len(resampled) == len(rows)
    assert set(map(tuple, resampled)) <= set(map(tuple, rows))

    after = gini(page)
    page.reload()
    wait_for_terrain(page)
    assert gini(page) == after < before
    kept = page.get_by_label(f"Weight of {label}, as a number")
    assert kept.input_value() == "0.25"


def test_rows_that_are_markup_stay_text(page, stack, tidy):
    topics = ["refund for the order", "password reset fails", "parcel is late"]
    lines = [["id", "<b>text</b>"]]
    lines += [
        [str(number), f"{topics[number % 3]} {EVIL[number % len(EVIL)]} {number}"]
        for number in range(120)
    ]
    table = io.StringIO(newline="")
    csv.writer(table).writerows(lines)
    file = {"name": "<i>evil.csv", "mimeType": "text/csv", "buffer": table.getvalue().encode()}
    send(page, stack, file)
    wait_for_terrain(page)
    page.locator(".hill-name").first.click()
    card = page.locator(".card-rows")
    card.wait_for()
    shown = card.inner_text()
    assert any(text in shown for text in EVIL)
    page.locator(".card-close").click()
    assert page.evaluate("window.harmed") is None
    assert page.locator("#file-name").inner_text() == "<i>evil.csv"
    assert page.locator("main img, main script, main svg, h1 i, #facts b").count() == 0
    assert "<b>text</b>" in page.locator("#facts").inner_text()


def test_a_file_that_cannot_be_used_is_explained(page, stack, tidy):
    file = {"name": "short.csv", "mimeType": "text/csv", "buffer": b"id,text\n1,hello\n"}
    with page.expect_response(re.compile("/api/upload")) as answered:
        send(page, stack, file)
    assert answered.value.status == 400
    problem = page.get_by_role("alert")
    problem.wait_for()
    assert "at least 50" in problem.inner_text()
    assert page.get_by_role("button", name="Make the terrain").is_enabled()


def test_the_picture_of_a_real_terrain_opens_without_a_network(
    page, stack, http, sample_id, tmp_path
):
    terrain = http.get(f"/api/terrain/{sample_id}").json()
    write_picture(terrain, http.get(f"/api/status/{sample_id}").json(), tmp_path / "terrain.html")
    page.context.set_offline(True)
    page.goto((tmp_path / "terrain.html").as_uri())
    wait_for_terrain(page)
    assert page.locator("table.hills tbody tr").count() == len(terrain["hills"])


def test_the_documentation_of_the_api_opens(page, stack):
    page.goto(f"{stack.url}/docs")
    assert "/api/upload" in page.locator("body").inner_text()
