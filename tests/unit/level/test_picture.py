"""The self-contained picture: nothing hostile gets out of its text, nothing leaves the file."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from level.picture import EXEMPLAR_CHARACTERS, render_picture, write_picture

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]></style><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    '=HYPERLINK("http://evil.example/","x")',
    "\u202etxt.exe\u2066",
    "nul\x00byte",
    "lone \ud800 surrogate",
    "line\u2028and\u2029paragraph",
    "$script ${data} $$",
    "&lt;b&gt;",
]
STATUS = {
    "file_name": "inbox.csv",
    "text_column": {"index": 1, "name": "message", "reason": "given"},
    "created_at": "2026-11-21T06:00:00Z",
}


def a_terrain(text: str = "Refund not received") -> dict:
    figures = {
        "gini": 0.2,
        "flatness": 0.6,
        "cluster_count": 2,
        "effective_clusters": 1.9,
        "row_count": 100,
        "noise_count": 5,
        "effective_sample_size": 100.0,
        "design_effect": 1.0,
        "max_repeat": 1.0,
    }
    hills = [
        {
            "cluster_id": number,
            "label": text,
            "description": text,
            "label_source": "keywords",
            "parent_id": None,
            "x": 1.0 + number,
            "z": 1.0,
            "radius": 1.0,
            "height": 10.0 * size / 60,
            "original_height": 10.0 * size / 60,
            "weight": 1.0,
            "size": size,
            "effective_size": float(size),
            "color": "#d55e00",
            "keywords": [text],
            "exemplars": [{"row_id": 7, "text": text}],
            "stability": 1.0,
        }
        for number, size in enumerate((60, 35))
    ]
    return {
        "hills": hills,
        "heightData": [[0.123456, 1.0, 0.0], [5.0, 10.0, 2.0], [0.0, 1.0, 0.0]],
        "gridSize": 3,
        "metrics": {**figures, "original": figures},
        "noise": {"weight": 1.0},
        "revision": 0,
    }


class Reader(HTMLParser):
    """Collects what a browser would see: tags with attributes, and text by tag."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append((self.tags[-1][0] if self.tags else "", data))

    def shape(self):
        return [(tag, sorted(attributes)) for tag, attributes in self.tags]


def carried(page: str) -> dict:
    return json.loads(page.split('id="terrain-data">')[1].split("</script>")[0])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_tag_and_no_attribute(text):
    harmless = Reader(render_picture(a_terrain(), STATUS))
    hostile = Reader(
        render_picture(
            a_terrain(text), {**STATUS, "file_name": text, "text_column": {"name": text}}
        )
    )
    assert hostile.shape() == harmless.shape()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_carried_as_text(text):
    page = render_picture(a_terrain(text), STATUS)
    shown = re.sub("[\x00\ud800]", "\ufffd", text)
    hill = carried(page)["hills"][0]
    assert hill["label"] == hill["description"] == hill["exemplars"][0]["text"] == shown
    assert any(text == shown for tag, text in Reader(page).texts if tag == "bdi")
    page.encode("utf-8")


def test_the_carried_data_has_no_character_that_html_reads():
    page = render_picture(a_terrain("".join(HOSTILE)), STATUS)
    data = page.split('id="terrain-data">')[1].split("</script>")[0]
    assert data.isascii()
    assert not set("<>&") & set(data)


def test_the_policy_allows_exactly_the_script_and_style_in_the_file():
    page = render_picture(a_terrain(), STATUS)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL).group(1)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


def test_the_file_refers_to_nothing_outside_itself():
    page = render_picture(a_terrain(), STATUS)
    outside = r"https?:|//[a-z]+\.|url\(|@import|\bimport\b.*\bfrom\b|^export "
    assert not re.search(outside, page, re.MULTILINE)
    names = {name for _, attributes in Reader(page).tags for name in attributes}
    assert not names & {"src", "href", "action", "style", "srcset"}


def test_exemplars_are_cut_at_300_characters():
    page = render_picture(a_terrain("x" * 5000), STATUS)
    text = carried(page)["hills"][0]["exemplars"][0]["text"]
    assert len(text) == EXEMPLAR_CHARACTERS
    assert text.endswith("…")


def test_the_table_can_be_read_without_javascript():
    text = "".join(data for _, data in Reader(render_picture(a_terrain(), STATUS)).texts)
    for shown in (
        "inbox.csv",
        "2 hills · 5 noise rows · text column “message”",
        "Gini 0.200",
        "60.0%",
        "Noise",
    ):
        assert shown in text
    assert "on 2026-11-21" in text


def test_a_colour_that_is_none_becomes_grey():
    terrain = a_terrain()
    terrain["hills"][0]["color"] = '"/><script>'
    assert 'fill="#8a9399"' in render_picture(terrain, STATUS)


def test_no_hills_and_an_unknown_file_still_make_a_picture():
    terrain = a_terrain()
    terrain["hills"] = []
    terrain["metrics"]["original"] = {**terrain["metrics"]["original"], "row_count": 0}
    assert "0 hills" in render_picture(terrain, {})


def test_equal_input_writes_equal_files_and_leaves_no_other(tmp_path):
    for name in ("one.html", "two.html"):
        write_picture(a_terrain(), STATUS, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_a_picture_that_cannot_be_rendered_leaves_the_earlier_one(tmp_path):
    write_picture(a_terrain(), STATUS, tmp_path / "terrain.html")
    before = (tmp_path / "terrain.html").read_bytes()
    with pytest.raises(KeyError):
        write_picture({}, STATUS, tmp_path / "terrain.html")
    assert (tmp_path / "terrain.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["terrain.html"]
