"""Bytes become the characters that were meant, or the error says which byte is wrong."""

import pytest

from gateway.tables import UndecodableText

SENTENCES = {
    "en": "Where is my card? I have been waiting for two weeks",
    "fr": "Où est ma carte ? Je l’attends depuis déjà deux semaines, à Noël c’était mieux",
    "de": "Ich warte über zwei Wochen auf die Karte, das ist ärgerlich und wird größer",
    "is": "Það er ekki komið kortið mitt, þetta er ómögulegt, ég bíð í tvær vikur",
    "pl": "Wciąż czekam na moją kartę, proszę o szybką odpowiedź, żółta łódź płynie",
    "tr": "Kartım hâlâ gelmedi, iki haftadır bekliyorum, lütfen çabuk yanıt verin, değil mi şimdi",
    "ru": "Здравствуйте, я не могу войти в свой аккаунт и прошу помощи, пожалуйста",
    "el": "Η κάρτα μου δεν έχει φτάσει ακόμα, περιμένω δύο εβδομάδες, παρακαλώ",
    "zh": "我的银行卡在哪里，已经等了两个星期了，请尽快回复，谢谢你们的帮助",
    "zh-TW": "我的銀行卡在哪裡，已經等了兩個星期了，請盡快回覆，謝謝你們的幫助",
    "ja": "カードはまだ届いていません。二週間以上待っています。早く対応してください",
    "ko": "카드가 아직 도착하지 않았습니다 이주일 넘게 기다리고 있어요 빨리 처리해 주세요",
}


def table_text(language: str) -> str:
    words = SENTENCES[language]
    return "id,text\n" + "".join(f'{row},"{words[row % 5 :]} {row}"\n' for row in range(60))


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_and_without_mark_is_proved(read, language, encoding):
    table = read(table_text(language).encode(encoding))
    assert table.rows[0][1] == f"{SENTENCES[language]} 0"
    assert table.info.columns == ("id", "text")
    assert not table.info.encoding_guessed
    assert (table.info.bom_length > 0) == (encoding != "utf-8")


@pytest.mark.parametrize("language", ["en", "fr", "zh"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_unicode_of_either_byte_order_is_read(read, language, encoding):
    text = table_text(language)
    bare = read(text.encode(encoding))
    assert (bare.info.encoding, bare.info.encoding_guessed) == (encoding, True)
    marked = read(("\ufeff" + text).encode(encoding))
    assert (marked.info.encoding, marked.info.encoding_guessed) == (encoding, False)
    assert bare.rows == marked.rows


@pytest.mark.parametrize(
    ("language", "encoding", "name"),
    [
        ("fr", "cp1252", "cp1252"),
        ("de", "latin-1", "latin-1"),
        ("is", "latin-1", "latin-1"),
        ("pl", "cp1250", "cp1250"),
        ("tr", "cp1254", "cp1254"),
        ("ru", "cp1251", "cp1251"),
        ("ru", "koi8-r", "koi8_r"),
        ("el", "cp1253", "cp1253"),
        ("zh", "gbk", "gb18030"),
        ("zh", "gb18030", "gb18030"),
        ("zh-TW", "big5", "big5"),
        ("ja", "shift_jis", "cp932"),
        ("ja", "euc_jp", "euc_jp"),
        ("ko", "euc_kr", "cp949"),
    ],
)
def test_encodings_from_before_unicode_are_guessed_and_said_to_be(read, language, encoding, name):
    table = read(table_text(language).encode(encoding))
    assert table.info.encoding == name
    assert table.rows[0][1] == f"{SENTENCES[language]} 0"
    assert table.info.encoding_guessed
    assert "The encoding is a guess" in table.info.warnings[0]


def test_a_few_accents_among_ascii_are_western(read):
    table = read(b"id,text\n" + b"1,plain text\n" * 500 + b"2,caf\xe9\n")
    assert table.info.encoding == "latin-1"
    assert table.rows[-1][1] == "café"


@pytest.mark.parametrize(
    ("broken", "offset"),
    [
        (b"abc \xed\xa0\x80 def\n", 36),
        (b"abc \xc0\xaf def\n", 36),
        (b"cut at the end \xe2\x82", 47),
        (b"cut at the end \xf0\x9f\x98", 47),
        ("né à Noël, où, là, déjà, été\n".encode() + b"3,\xff\n", 36 - 4 + 36 + 3),
    ],
)
def test_damaged_utf8_is_refused_with_offset_and_line(read, broken, offset):
    data = b"id,text\n1,first plain line\n2,   " + broken
    with pytest.raises(UndecodableText) as caught:
        read(data)
    found = int(caught.value.metadata["byte_offset"])
    with pytest.raises(UnicodeDecodeError) as expected:
        data.decode()
    assert found == expected.value.start
    assert caught.value.metadata["line"] == str(1 + data[:found].count(b"\n"))


def test_utf16_with_half_a_surrogate_pair_is_refused(read):
    data = (
        b"\xff\xfe" + "id,text\n1,x".encode("utf-16-le") + b"\x00\xd8" + "y\n".encode("utf-16-le")
    )
    with pytest.raises(UndecodableText) as caught:
        read(data)
    assert caught.value.metadata["line"] == "2"
    assert caught.value.metadata["byte_offset"] == "24"


def test_utf16_cut_in_the_middle_of_a_unit_is_refused(read):
    with pytest.raises(UndecodableText):
        read("id,text\n1,hello\n".encode("utf-16") + b"x")


def test_a_bad_byte_behind_the_first_block_has_its_own_offset(read):
    data = b"id,text\n" + "1,héllo wörld ünd mehr\n".encode() * 60_000 + b"2,\xff\n"
    with pytest.raises(UndecodableText) as caught:
        read(data)
    assert caught.value.metadata["byte_offset"] == str(data.index(b"\xff"))
    assert caught.value.metadata["line"] == "60,002".replace(",", "")
