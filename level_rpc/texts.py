"""Texts as they may travel: valid Unicode, and of bounded length; imports no gRPC."""

MAX_TEXT_BYTES = 256 * 1024
"""UTF-8 bytes of a text that are read: hundreds of times what any model here takes in."""


def prepare_text(text: str) -> tuple[str, bytes, bool]:
    """Return ``text`` as valid Unicode of at most 256 KiB, its UTF-8, and whether it was cut.

    A lone surrogate becomes U+FFFD; two that belong together become the character they stand for.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        encoded = text.encode()
    if len(encoded) <= MAX_TEXT_BYTES:
        return text, encoded, False
    # The bytes of a character that the cut went through are the only invalid ones.
    text = encoded[:MAX_TEXT_BYTES].decode(errors="ignore")
    return text, text.encode(), True
