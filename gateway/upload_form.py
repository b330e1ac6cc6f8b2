"""Receives a multipart form: its one file streams to disk, its fields are few and small.

The framework's own parser would put the file into a temporary one first, and copy it then.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.body_limit import BodyTooLarge
from gateway.errors import StoreUnavailable, UploadRefused

FILE_FIELD = "file"
MAX_FIELD_BYTES = 8_192
MAX_PARTS = 32
# What a form may have beside its file: boundaries, headers and fields.
FORM_OVERHEAD_BYTES = 32_768
MAX_NAME_CHARACTERS = 255
_BATCH_BYTES = 1 << 20


@dataclass
class UploadForm:
    """A form as it came.

    Parameters
    ----------
    file_name : str
        The client's name for the file, to be shown and never used as a path.
    byte_count : int
        Bytes of the file.
    fields : dict of str to str
        Every other field.
    """

    file_name: str = ""
    byte_count: int = 0
    fields: dict[str, str] = field(default_factory=dict)


async def receive_form(
    chunks: AsyncIterator[bytes], content_type: str, target: Path, max_file_bytes: int
) -> UploadForm:
    """Return a form, its file written to `target`.

    Parameters
    ----------
    chunks : async iterator of bytes
        The request's body as it comes.
    content_type : str
        The request's Content-Type, which names the boundary.
    target : Path
        Where the file goes; it must not exist.
    max_file_bytes : int
        The largest file.

    Raises
    ------
    UploadRefused
        When this is no form, or not one with exactly one file in the field `file`.
    BodyTooLarge
        As soon as the file is over its limit.
    StoreUnavailable
        When the disk takes no more.
    """
    parser = _FormReader(content_type, target, max_file_bytes)
    try:
        async for batch in _batches(chunks):
            await asyncio.to_thread(parser.feed, batch)
        return await asyncio.to_thread(parser.finish)
    finally:
        parser.close()


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in fewer pieces: each piece costs a change of threads."""
    pieces, size = [], 0
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= _BATCH_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


class _FormReader:
    def __init__(self, content_type: str, target: Path, max_file_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise UploadRefused('Send a multipart form (multipart/form-data) with a field "file".')
        self._target = target
        self._max_file_bytes = max_file_bytes
        self._form = UploadForm()
        self._file: BinaryIO | None = None
        self._value: bytearray | None = None
        self._name = ""
        self._part_count = 0
        self._header = [bytearray(), bytearray()]
        self._headers: dict[bytes, bytes] = {}
        self._ended = False
        with _refusing_malformed():
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            with _refusing_malformed():
                self._parser.write(data)
        except OSError as error:
            raise StoreUnavailable("The disk takes no more now; try again later.") from error

    def finish(self) -> UploadForm:
        """Return the form; raise UploadRefused when it is not whole."""
        if not self._ended:
            raise UploadRefused("The form ends too early: its closing boundary is missing.")
        if self._file is None:
            raise UploadRefused('The form has no file; send one in the field "file".')
        return self._form

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _on_part_begin(self) -> None:
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise UploadRefused(f"The form has more than {MAX_PARTS} parts.")
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = [bytearray(), bytearray()]

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise UploadRefused("A part of the form has no name.")
        self._name = options[b"name"].decode("utf-8", "replace")
        if b"filename" in options:
            self._begin_file(options[b"filename"])
        elif self._name == FILE_FIELD:
            raise UploadRefused('The field "file" must be a file, sent with a file name.')
        else:
            self._value = bytearray()

    def _begin_file(self, file_name: bytes) -> None:
        if self._name != FILE_FIELD:
            raise UploadRefused('The file must be in the field "file", not in another one.')
        if self._file is not None:
            raise UploadRefused("The form has two files; send one.")
        self._form.file_name = displayed_name(file_name.decode("utf-8", "replace"))
        self._file = self._target.open("xb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._value is not None:
            self._value += data[start:end]
            if len(self._value) > MAX_FIELD_BYTES:
                raise UploadRefused(f"A field of the form is longer than {MAX_FIELD_BYTES} bytes.")
            return
        assert self._file is not None
        self._form.byte_count += end - start
        if self._form.byte_count > self._max_file_bytes:
            raise BodyTooLarge(self._max_file_bytes)
        self._file.write(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        if self._value is None:
            assert self._file is not None
            self._file.flush()
            return
        if self._name in self._form.fields:
            raise UploadRefused("A field of the form comes twice.")
        try:
            self._form.fields[self._name] = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise UploadRefused("A field of the form is not UTF-8.") from None
        self._value = None

    def _on_end(self) -> None:
        self._ended = True


@contextmanager
def _refusing_malformed() -> Iterator[None]:
    try:
        yield
    except FormParserError:
        message = "The request's body is not a well-formed multipart form."
        raise UploadRefused(message) from None


def displayed_name(file_name: str) -> str:
    """Return a client's file name as it may be shown: its last part, printable, not too long."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character if character.isprintable() else "�" for character in last).strip()
    return shown[-MAX_NAME_CHARACTERS:] or "upload.csv"
