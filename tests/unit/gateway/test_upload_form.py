import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.body_limit import BodyTooLarge
from gateway.errors import UploadRefused
from gateway.upload_form import displayed_name, receive_form

CONTENT_TYPE = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
FIELD = b'--x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n7\r\n'


async def pieces(content, size):
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("content", [b"", b"a,b\r\n--x-", b"\r\n--", bytes(range(256)) * 9])
async def test_a_file_arrives_byte_for_byte_however_it_is_cut(tmp_path, content, size):
    body = FIELD + HEAD + content + b"\r\n--x--\r\n"
    form = await receive_form(pieces(body, size), CONTENT_TYPE, tmp_path / "f", len(content))
    assert (tmp_path / "f").read_bytes() == content
    assert (form.file_name, form.byte_count, form.fields) == (
        "a.csv",
        len(content),
        {"seed": "7"},
    )


async def test_one_byte_more_than_allowed_is_refused(tmp_path):
    body = HEAD + b"12345" + b"\r\n--x--\r\n"
    with pytest.raises(BodyTooLarge):
        await receive_form(pieces(body, 3), CONTENT_TYPE, tmp_path / "f", 4)


@pytest.mark.parametrize("end", [5, 60, -1, -8])
async def test_a_form_that_is_cut_is_refused(tmp_path, end):
    body = (FIELD + HEAD + b"12345\r\n--x--")[:end]
    with pytest.raises(UploadRefused):
        await receive_form(pieces(body, 9), CONTENT_TYPE, tmp_path / "f", 100)


@given(st.text(max_size=600))
def test_a_displayed_name_is_short_printable_and_no_path(name):
    shown = displayed_name(name)
    assert 1 <= len(shown) <= 255
    assert shown.isprintable()
    assert not set(shown) & {"/", "\\"}
