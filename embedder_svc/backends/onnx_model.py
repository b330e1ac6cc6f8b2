"""BERT encoders on ONNX Runtime: the CPU's models, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from tokenizers import Tokenizer

from embedder_svc.backends.graph_cache import cached_graph
from embedder_svc.backends.onnx_export import (
    ATTENTION_MASK,
    EXPORT_VERSION,
    TOKEN_IDS,
    VECTORS,
    check_supported,
    export_bert,
)
from embedder_svc.errors import OutOfMemory
from embedder_svc.hardware import instruction_set, thread_count
from embedder_svc.model import Backend, LoadOptions, ModelInfo, Precision, TokenisedText
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.weights import ModelFolder

BATCH_SIZE = 32
BATCH_TOKEN_COUNT = 1024
"""Measured best: the activations of more tokens no longer fit the processor's cache."""


class OnnxModel:
    """A BERT encoder on the CPU, in fp32.

    Parameters
    ----------
    folder
        The model's files.
    options
        What can be chosen.

    Raises
    ------
    ModelNotLoaded
        A file is missing, broken, or not of such an encoder; or the cache cannot be written.
    """

    def __init__(self, folder: ModelFolder, options: LoadOptions) -> None:
        files = read_model_files(folder)
        check_supported(files)
        self.info = _describe(files)
        self._tokenizer = _load_tokenizer(files)
        self._session = _open_session(
            files, _cached(files, self.info, options.cache_dir), options.threads
        )

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order, cut at the model's limit."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [
            TokenisedText(code.ids, tuple(piece.ids for piece in code.overflowing))
            for code in encodings
        ]

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            Memory does not suffice for this batch.
        """
        inputs = _pad(batch)
        try:
            vectors: NDArray[np.float32] = self._session.run([VECTORS], inputs)[0]
        except MemoryError as error:
            raise OutOfMemory from error
        except (ort_errors.RuntimeException, ort_errors.Fail) as error:
            # ONNX Runtime has no error of its own for this, only these words.
            if "alloc" in str(error).lower():
                raise OutOfMemory from error
            raise
        return vectors


def _describe(files: ModelFiles) -> ModelInfo:
    return ModelInfo(
        model_id=files.folder.model_id,
        revision=files.folder.revision,
        fingerprint=files.fingerprint(Backend.ONNX, "float32", EXPORT_VERSION),
        dimension_count=int(files.config["hidden_size"]),
        max_token_count=files.max_token_count,
        device="cpu",
        backend=Backend.ONNX,
        precision=Precision.FLOAT32,
        runtime=f"onnxruntime {onnxruntime.__version__}",
        instruction_set=instruction_set(),
        safe_batch_size=BATCH_SIZE,
        batch_token_count=BATCH_TOKEN_COUNT,
        query_prefix=files.query_prefix,
    )


def _load_tokenizer(files: ModelFiles) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer_path))
    # The library raises plain Exception for a file that it cannot read.
    except Exception as error:
        problem = f"{files.tokenizer_path} is missing or broken; fetch the file again"
        raise files.refuse(problem) from error
    # The file's own padding and truncation were left there by its last user.
    tokenizer.no_padding()
    tokenizer.enable_truncation(files.max_token_count)
    return tokenizer


def _cached(files: ModelFiles, info: ModelInfo, cache_dir: Path) -> Path:
    folder = cache_dir / "onnx"
    try:
        return cached_graph(folder, info.fingerprint, lambda: export_bert(files))
    except OSError as error:
        problem = f"{folder} cannot be written; set LEVEL_CACHE_DIR to a folder that can"
        raise files.refuse(problem) from error


def _open_session(files: ModelFiles, graph: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count(threads)
    options.inter_op_num_threads = 1
    # Spinning threads burn the cores that the other services of the machine need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Patterns are kept per input shape, and here nearly every batch has a shape of its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.RuntimeException) as error:
        problem = f"ONNX Runtime refuses the graph built from it; delete {graph} and start again"
        raise files.refuse(problem) from error


def _pad(batch: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    width = max(map(len, batch))
    token_ids = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros_like(token_ids)
    for row, ids in enumerate(batch):
        token_ids[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    return {TOKEN_IDS: token_ids, ATTENTION_MASK: mask}
