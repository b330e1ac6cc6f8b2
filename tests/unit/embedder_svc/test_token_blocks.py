import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.backends.on_ray.token_blocks import (
    pack_texts,
    pack_tokens,
    unpack_texts,
    unpack_tokens,
)
from embedder_svc.model import TokenisedText

sequences = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20)


@given(st.lists(sequences, max_size=10))
def test_sequences_come_back(batch):
    block = pack_tokens(batch)
    assert block.token_ids.dtype == block.lengths.dtype == np.int32
    assert block.lengths.sum() == len(block.token_ids)
    assert unpack_tokens(block) == batch


@given(st.lists(st.builds(TokenisedText, sequences, st.lists(sequences).map(tuple)), max_size=8))
def test_texts_come_back(texts):
    assert unpack_texts(pack_texts(texts)) == texts
