from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.texts import DIGEST_BYTES, text_digester
from level_rpc.texts import prepare_text

ANY_TEXT = st.text(st.characters(categories=None))
OPTIONS = st.lists(ANY_TEXT, max_size=3)


@given(OPTIONS, ANY_TEXT, OPTIONS, ANY_TEXT)
def test_digests_agree_exactly_for_equal_texts_and_options(
    first_options, first, second_options, second
):
    digests = [
        text_digester(*options)(prepare_text(text)[1])
        for options, text in ((first_options, first), (second_options, second))
    ]
    same = first_options == second_options and prepare_text(first) == prepare_text(second)
    assert (digests[0] == digests[1]) == same
    assert {len(digest) for digest in digests} == {DIGEST_BYTES}
