"""Vectors cut to a shorter length, for models whose first numbers were trained to stand alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model import EmbeddingModel, TokenisedText
from embedder_svc.model_files import read_json
from embedder_svc.weights import ModelFolder

_SMALLEST_NORM = 1e-12

# Published lengths of models whose files do not name them, from the models' own pages.
_PUBLISHED: dict[str, tuple[int, ...]] = {
    "Snowflake/snowflake-arctic-embed-m-v1.5": (256,),
    "Snowflake/snowflake-arctic-embed-m-v2.0": (256,),
    "Snowflake/snowflake-arctic-embed-l-v2.0": (256,),
    "google/embeddinggemma-300m": (128, 256, 512),
    "mixedbread-ai/mxbai-embed-large-v1": (512,),
    "nomic-ai/modernbert-embed-base": (256,),
    "nomic-ai/nomic-embed-text-v1.5": (64, 128, 256, 512),
}


class MatryoshkaModel:
    """A model whose vectors are cut to ``dimension_count`` and brought back to unit length.

    The method is that of Kusupati et al., "Matryoshka Representation Learning" (2022).

    Parameters
    ----------
    model
        The model whose vectors are cut.
    dimension_count
        1 to the model's own.
    """

    def __init__(self, model: EmbeddingModel, dimension_count: int) -> None:
        self._model = model
        whole = model.info.fingerprint
        fingerprint = hashlib.sha256(f"{whole}\0{dimension_count}".encode()).hexdigest()[:32]
        self.info = replace(model.info, dimension_count=dimension_count, fingerprint=fingerprint)

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order."""
        return self._model.tokenise(texts)

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            The device has no room for this batch.
        """
        start = self._model.encode(batch)[:, : self.info.dimension_count]
        norms = np.linalg.norm(start, axis=1, keepdims=True)
        vectors: NDArray[np.float32] = start / np.maximum(norms, np.float32(_SMALLEST_NORM))
        return vectors


def cut_vectors(model: EmbeddingModel, folder: ModelFolder, dimension_count: int) -> EmbeddingModel:
    """Return ``model`` with vectors of ``dimension_count``, the model itself where they are whole.

    For 0 they have the length that the model's files ask for (``truncate_dim``), else the whole.

    Raises
    ------
    ModelNotLoaded
        The model was not trained for that length; the message says for which it was.
    """
    whole = model.info.dimension_count
    options = read_json(folder, folder.path / "config_sentence_transformers.json", default={})
    dimension_count = dimension_count or int(options.get("truncate_dim") or whole)
    if dimension_count == whole:
        return model
    lengths = _trained_lengths(folder, options, whole)
    if dimension_count not in lengths:
        raise ModelNotLoaded(
            folder.model_id,
            f"its vectors cannot be cut to {dimension_count}: {_allowed(lengths, whole)}; set "
            "LEVEL_EMBEDDER_DIMENSIONS to one of these, or to 0 for the model's own length",
        )
    return MatryoshkaModel(model, dimension_count)


def _trained_lengths(folder: ModelFolder, options: dict[str, Any], whole: int) -> Sequence[int]:
    """Return the lengths below ``whole`` that the files name, else the published ones."""
    config = read_json(folder, folder.path / "config.json", default={})
    if config.get("apply_pca"):
        # A distilled static model: principal components, each adding less than the one before.
        return range(1, whole)
    named = config.get("matryoshka_dimensions") or options.get("matryoshka_dimensions") or []
    lengths = {*named, options.get("truncate_dim"), *_PUBLISHED.get(folder.model_id, ())}
    return sorted(length for length in lengths if isinstance(length, int) and 0 < length < whole)


def _allowed(lengths: Sequence[int], whole: int) -> str:
    if not lengths:
        return f"it was trained for {whole} alone"
    if isinstance(lengths, range):
        return f"it takes 1 to {whole}"
    return f"it was trained for {', '.join(map(str, [*lengths, whole]))}"
