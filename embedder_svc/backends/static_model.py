"""Static models: a table of token vectors, summed over a text's tokens.

The file format is that of model2vec (https://github.com/MinishLab/model2vec): model.safetensors
with "embeddings" (and, where the table is shared between tokens, "mapping" and "weights"),
tokenizer.json and config.json. They are read here rather than by that library: its one call
tokenises and encodes at once, cuts texts by characters first, and rounds sums to the table's type.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import scipy
import scipy.sparse
from numpy.typing import NDArray

from embedder_svc.hardware import thread_count
from embedder_svc.model import Backend, LoadOptions, ModelInfo, Precision, TokenisedText
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.tokenising import read_tokenizer, unknown_id
from embedder_svc.weights import ModelFolder

BATCH_SIZE = 256
MAX_TOKEN_COUNT = 2**18
"""The whole of any text that is read at all: 256 KiB hold no more tokens."""

_SMALLEST_NORM = np.float32(1e-12)


class StaticModel:
    """A static model on the CPU: no layers, so a hundred times as fast as what it came from.

    A text's vector is the sum of its tokens' at unit length, and depends on no other text. A text
    without any token that the model knows has the vector of the unknown token.

    Parameters
    ----------
    folder
        The model's files, in the layout of model2vec.
    options
        What can be chosen.

    Raises
    ------
    ModelNotLoaded
        A file is missing or broken, or a precision other than float32 was asked for.
    """

    def __init__(self, folder: ModelFolder, options: LoadOptions) -> None:
        files = read_model_files(folder)
        if options.precision not in (Precision.AUTO, Precision.FLOAT32):
            raise files.refuse(
                f"a static model does not compute in {options.precision}; set "
                "LEVEL_EMBEDDER_PRECISION to float32 or auto"
            )
        self._tokenizer = read_tokenizer(files)
        self._tokenizer.enable_truncation(MAX_TOKEN_COUNT)
        self._table = _load_table(files, self._tokenizer.get_vocab_size())
        self._unknown_id = unknown_id(self._tokenizer)
        self.info = _describe(files, self._table.shape[1], thread_count(options.threads))

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text but for unknown ones, in order."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [
            TokenisedText(
                self._known(code.ids), tuple(self._known(piece.ids) for piece in code.overflowing)
            )
            for code in encodings
        ]

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count)."""
        starts = np.cumsum([0, *map(len, batch)])
        token_ids = np.concatenate([np.asarray(ids, dtype=np.int32) for ids in batch])
        ones = np.ones(len(token_ids), dtype=np.float32)
        counts = scipy.sparse.csr_array(
            (ones, token_ids, starts), shape=(len(batch), len(self._table))
        )
        # Row by row in the order of the tokens, so no sum depends on another text.
        sums = counts @ self._table
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        vectors: NDArray[np.float32] = sums / np.maximum(norms, _SMALLEST_NORM)
        return vectors

    def _known(self, token_ids: list[int]) -> list[int]:
        known = [token_id for token_id in token_ids if token_id != self._unknown_id]
        return known or [self._unknown_id]


def _describe(files: ModelFiles, dimension_count: int, threads: int) -> ModelInfo:
    return ModelInfo(
        model_id=files.folder.model_id,
        revision=files.folder.revision,
        fingerprint=files.fingerprint(Backend.STATIC, str(MAX_TOKEN_COUNT)),
        dimension_count=dimension_count,
        max_token_count=MAX_TOKEN_COUNT,
        device="cpu",
        backend=Backend.STATIC,
        precision=Precision.FLOAT32,
        runtime=f"scipy {scipy.__version__}",
        # Sums of products with 1 in a fixed order round alike everywhere.
        instruction_set="",
        safe_batch_size=BATCH_SIZE,
        batch_token_count=MAX_TOKEN_COUNT,
        query_prefix=files.query_prefix,
        parallel_batch_count=threads,
        document_prefix=files.document_prefix,
    )


def _load_table(files: ModelFiles, token_count: int) -> NDArray[np.float32]:
    """Return the vector of each token, float32 of shape (tokens, dimensions)."""
    path = files.transformer_path / "model.safetensors"
    try:
        tensors = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise files.refuse(f"{path} is damaged or incomplete; fetch the file again") from error
    table = tensors.get("embeddings", tensors.get("embedding.weight"))
    if table is None or table.ndim != 2:
        raise files.refuse(f"{path} holds no table of token vectors; fetch the file again")
    return _spread(files, path, table.astype(np.float32), tensors, token_count)


def _spread(
    files: ModelFiles,
    path: Path,
    table: NDArray[np.float32],
    tensors: dict[str, NDArray[Any]],
    token_count: int,
) -> NDArray[np.float32]:
    """Return one row for each token of a table that tokens may share."""
    try:
        if "mapping" in tensors:
            table = table[tensors["mapping"]]
        if "weights" in tensors:
            table = table * tensors["weights"].astype(np.float32)[:, None]
    except (IndexError, ValueError) as error:
        raise files.refuse(f"the tables in {path} do not fit; fetch the file again") from error
    if len(table) < token_count:
        raise files.refuse(
            f"{path} has {len(table)} token vectors for a tokenizer of {token_count} tokens; fetch "
            "both files again"
        )
    return table
