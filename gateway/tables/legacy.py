"""Guesses the encoding of text from before Unicode by what its bytes would have to mean.

Western text is told by single accented letters, Chinese, Japanese and Korean by the ranges that
their common characters lie in; what is left is charset-normalizer's, which knows how often letters
occur.
"""

import re
from collections import Counter

# Only encodings in which no byte of a character can be taken for the end of a line.
_CANDIDATES = (
    "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "koi8_r",
    "iso8859_2", "iso8859_5", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
_DOUBLE_BYTE = frozenset({"cp932", "euc_jp", "gb18030", "big5", "cp949"})
_WESTERN_MARKS = frozenset("€…‘’“”•–—™œŒ\xa0¡£§©ª«®°´·º»¿")
_MARKS_WITHIN_WORDS = frozenset("…‘’–—\xa0·")
_NORDIC_OR_TURKISH = frozenset("ðþýÐÞÝ")
_ACUTE = frozenset("áéíóæÁÉÍÓÆ")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_KANA = re.compile("[\u3041-\u30ff]")
_HALF_WIDTH_KANA = re.compile("[\uff61-\uff9f]")
_BROKEN_CASE = re.compile(r"[^\W\d_a-zA-Z]{2}")


def guess_legacy_encoding(sample: bytes) -> str | None:
    """Return Python's name of the likeliest encoding; "western" for cp1252 or Latin-1, or None.

    Parameters
    ----------
    sample : bytes
        Lines with bytes above 127 that are not UTF-8.
    """
    if _is_shift_jis(sample, min_kana_share=0.2):
        return "cp932"
    if _looks_western(sample):
        return "western"
    if _is_shift_jis(sample, min_kana_share=0.0):
        return "cp932"
    return _two_byte_encoding(sample) or _most_frequent_letters(sample)


def _is_shift_jis(sample: bytes, min_kana_share: float) -> bool:
    """Kana and common kanji begin with 0x82 to 0x9F, where other encodings have hardly anything."""
    try:
        text = sample.decode("cp932")
    except UnicodeDecodeError:
        return False
    high = [char for char in text if not char.isascii()]
    if not high or len(_HALF_WIDTH_KANA.findall(text)) > 0.2 * len(high):
        return False
    low_leads = sum(0x81 <= char.encode("cp932")[0] <= 0x9F for char in high)
    kana_share = len(_KANA.findall(text)) / len(high)
    return low_leads >= 0.8 * len(high) and kana_share >= min_kana_share


def _looks_western(sample: bytes) -> bool:
    """Tell accented letters among ASCII from other scripts, which have runs of high bytes."""
    text = sample.decode("cp1252", "replace")
    high = [at for at, char in enumerate(text) if not char.isascii()]
    in_runs = sum(len(run) - 2 for run in _HIGH_RUN.findall(sample) if len(run) > 2)
    is_nordic = sum(text[at] in _ACUTE for at in high) > 0.1 * len(high)
    unlikely = sum(
        not _is_western(text[max(at - 1, 0) : at + 2], text[at], is_nordic) for at in high
    )
    return in_runs <= 0.15 * len(high) and unlikely <= 0.2 * len(high)


def _is_western(around: str, char: str, is_nordic: bool) -> bool:
    """Tell whether a character is one of Western text, in a place where it may stand."""
    if char.isalpha():
        return is_nordic or char not in _NORDIC_OR_TURKISH
    within_word = len(around) == 3 and around[0].isalpha() and around[2].isalpha()
    return char in (_MARKS_WITHIN_WORDS if within_word else _WESTERN_MARKS)


def _two_byte_encoding(sample: bytes) -> str | None:
    """In EUC text every run of high bytes is even, and its lead bytes say which language it is."""
    runs: list[bytes] = _HIGH_RUN.findall(sample)
    even = [run for run in runs if len(run) % 2 == 0 and min(run) > 0xA0]
    if len(even) < 0.95 * len(runs):
        return None
    leads = Counter(lead for run in even for lead in run[::2])
    total = sum(leads.values())
    letters = sum(count for lead, count in leads.items() if lead >= 0xB0)
    if leads[0xA4] + leads[0xA5] >= 0.2 * total:
        return "euc_jp"
    if sum(leads[lead] for lead in range(0xB0, 0xC9)) >= 0.95 * letters > 0:
        return "cp949"
    common = sum(leads[lead] for lead in range(0xB0, 0xD8))
    return "gb18030" if common >= 0.8 * letters > 0 else None


def _most_frequent_letters(sample: bytes) -> str | None:
    # Imported here: half a second that files in UTF-8 need not wait for.
    from charset_normalizer import from_bytes

    candidates = [name for name in _CANDIDATES if _is_plausible(sample, name)]
    best = from_bytes(sample, cp_isolation=candidates).best() if candidates else None
    return best.encoding if best is not None and best.encoding in candidates else None


def _is_plausible(sample: bytes, name: str) -> bool:
    """Tell whether words keep to the rule of case: capitals begin words, small letters go on."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return False
    pairs = _BROKEN_CASE.findall(text)
    broken = sum(pair[0].islower() and pair[1].isupper() for pair in pairs)
    capital = sum(pair.isupper() for pair in pairs)
    return name in _DOUBLE_BYTE or (broken <= 0.05 * len(pairs) and capital <= 0.5 * len(pairs))
