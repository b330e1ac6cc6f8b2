import json
import shutil

import numpy as np
import pytest

from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model
from embedder_svc.model import Backend


@pytest.fixture(params=[Backend.ONNX, pytest.param(Backend.TORCH, marks=pytest.mark.torch)])
def model(request, tiny_folder, cache_dir, tmp_path):
    """A model whose tokenizer adds no special tokens."""
    folder = tmp_path / "model"
    if request.param is Backend.TORCH:
        pytest.importorskip("sentence_transformers", reason="the extra torch is not installed")
        from tests.unit.embedder_svc.torch_models import write_torch_model

        write_torch_model(folder, "qwen3")
    else:
        shutil.copytree(tiny_folder, folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"post_processor": None}))
    return load_model(str(folder), backend=request.param, threads=1, cache_dir=cache_dir)


def test_no_text_is_without_tokens_where_the_tokenizer_adds_none(model):
    texts = ["", " ", "\0", "card"]
    assert [len(text.token_ids) for text in model.tokenise(texts)] == [1, 1, 1, 1]
    vectors = embed_texts(model, texts).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
