"""A file that is sent while it is written."""

import io
import zipfile

_TIME = (1980, 1, 1, 0, 0, 0)


class Drain(io.RawIOBase):
    """A file that can only be written, and hands over what was written since."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: object, /) -> int:
        """Take bytes and return how many."""
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        """Return how many bytes were written in all."""
        return self._position

    def take(self) -> bytes:
        """Return the bytes that were written since the last time."""
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


def member(name: str, *, compressed: bool) -> zipfile.ZipInfo:
    """Return the entry of a file in an archive, the same at any time and on any machine."""
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    entry.create_system = 3  # else it is the system's that writes it
    entry.external_attr = 0o644 << 16
    return entry
