"""BERT encoders on ONNX Runtime: the CPU's models, without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from tokenizers import Tokenizer

from embedder_svc.backends.calibration_texts import calibration_texts
from embedder_svc.backends.graph_cache import cached_graph, graph_checksum
from embedder_svc.backends.onnx_support import (
    ATTENTION_MASK,
    EXPORT_VERSION,
    MEAN_COSINE,
    QUANTISATION_VERSION,
    TOKEN_IDS,
    VECTORS,
    check_supported,
)
from embedder_svc.errors import OutOfMemory
from embedder_svc.hardware import instruction_set, thread_count
from embedder_svc.model import Backend, LoadOptions, ModelInfo, Precision, TokenisedText
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.tokenising import read_tokenizer, tokenise
from embedder_svc.weights import ModelFolder

BATCH_SIZE = 32
BATCH_TOKEN_COUNTS = {Precision.INT8: 512, Precision.FLOAT32: 1024}
"""Measured best: the activations of more tokens no longer fit the processor's cache."""

# Of the calibration texts to fp32. Real encoders lie well above; below, neighbours would change.
_LEAST_COSINE = 0.985


class OnnxModel:
    """A BERT encoder on the CPU, in 8 bits or in fp32.

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
        self._tokenizer = read_tokenizer(files)
        self._tokenizer.enable_truncation(files.max_token_count)
        graphs = _Graphs(files, self._tokenizer, options.cache_dir)
        graph, reason = graphs.choose(options.precision)
        self._session = graph.session
        self.info = ModelInfo(
            model_id=files.folder.model_id,
            revision=files.folder.revision,
            fingerprint=graph.fingerprint,
            dimension_count=int(files.config["hidden_size"]),
            max_token_count=files.max_token_count,
            device="cpu",
            backend=Backend.ONNX,
            precision=graph.precision,
            runtime=f"onnxruntime {onnxruntime.__version__}",
            instruction_set=instruction_set(),
            safe_batch_size=BATCH_SIZE,
            batch_token_count=BATCH_TOKEN_COUNTS[graph.precision],
            query_prefix=files.query_prefix,
            document_prefix=files.document_prefix,
            parallel_batch_count=thread_count(options.threads),
            # Sums over padding round otherwise than without: so a text's vector is the same to the
            # last bit whatever texts it is batched with, and nothing is computed in vain.
            padding_share=0.0,
            flop_per_token=files.flop_per_token,
            choice_reason=reason,
        )

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order, cut at the model's limit."""
        return tokenise(self._tokenizer, texts)

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            Memory does not suffice for this batch.
        """
        inputs = _as_inputs(batch)
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


def _as_inputs(batch: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    width = max(map(len, batch))
    token_ids = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros_like(token_ids)
    for row, ids in enumerate(batch):
        token_ids[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    return {TOKEN_IDS: token_ids, ATTENTION_MASK: mask}


def _open_session(files: ModelFiles, graph: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Each batch runs on its caller's thread: two batches at once scale better than halves of one.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Patterns are kept per input shape, and here nearly every batch has a shape of its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    source = str(graph) if isinstance(graph, Path) else graph
    try:
        return onnxruntime.InferenceSession(
            source,
            options,
            providers=["CPUExecutionProvider"],
            # The fused operator takes several times as long as the two that it replaces.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
    except (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.RuntimeException) as error:
        where = f"delete {graph}" if isinstance(graph, Path) else "fetch its files again"
        problem = f"ONNX Runtime refuses the graph built from it; {where} and start again"
        raise files.refuse(problem) from error


@dataclass(frozen=True)
class _OpenGraph:
    """A graph that can be run, how it computes, and what stands for its vectors."""

    session: onnxruntime.InferenceSession
    precision: Precision
    fingerprint: str


class _Graphs:
    """The graphs of one model, each made once and then kept on disk."""

    def __init__(self, files: ModelFiles, tokenizer: Tokenizer, cache_dir: Path) -> None:
        self._files = files
        self._tokenizer = tokenizer
        self._folder = cache_dir / "onnx"

    def choose(self, wanted: Precision) -> tuple[_OpenGraph, str]:
        """Return a graph, and why it is another than is usual, often empty.

        Raises
        ------
        ModelNotLoaded
            It is asked to compute as it cannot here, or a file is broken.
        """
        if wanted not in (Precision.AUTO, Precision.INT8, Precision.FLOAT32):
            raise self._files.refuse(
                f"ONNX Runtime computes in int8 or float32 here, not in {wanted}; set "
                "LEVEL_EMBEDDER_PRECISION to one of these, or to auto"
            )
        if wanted is Precision.FLOAT32:
            return self._open(Precision.FLOAT32), ""
        graph = self._open(Precision.INT8)
        cosine = float(graph.session.get_modelmeta().custom_metadata_map[MEAN_COSINE])
        if cosine >= _LEAST_COSINE or wanted is Precision.INT8:
            return graph, ""
        reason = f"8 bits would turn its vectors too far, to a mean cosine of {cosine:.3f}"
        return self._open(Precision.FLOAT32), reason

    def _open(self, precision: Precision) -> _OpenGraph:
        key = _graph_key(self._files, precision)
        try:
            path = cached_graph(self._folder, key, partial(self._build, precision))
        except OSError as error:
            problem = f"{self._folder} cannot be written; set LEVEL_CACHE_DIR to a folder that can"
            raise self._files.refuse(problem) from error
        # Its ranges are measured, and another kind of processor may round them otherwise.
        is_measured = precision is Precision.INT8
        fingerprint = self._files.fingerprint(key, graph_checksum(path)) if is_measured else key
        return _OpenGraph(_open_session(self._files, path), precision, fingerprint)

    def _build(self, precision: Precision) -> bytes:
        # The library that writes graphs is slow to import, and most starts find theirs written.
        from embedder_svc.backends.onnx_export import export_bert

        if precision is Precision.FLOAT32:
            return export_bert(self._files)
        from embedder_svc.backends.calibration import build_quantised

        texts = [text.token_ids for text in tokenise(self._tokenizer, calibration_texts())]
        return build_quantised(self._files, texts, self._runner)

    def _runner(self, graph: bytes) -> Callable[[Sequence[int]], dict[str, NDArray[np.float32]]]:
        session = _open_session(self._files, graph)
        names = [output.name for output in session.get_outputs()]
        return lambda text: dict(zip(names, session.run(names, _as_inputs([text])), strict=True))


def _graph_key(files: ModelFiles, precision: Precision) -> str:
    """Return what stands for all that a graph is made from, 32 hexadecimal digits."""
    versions = [EXPORT_VERSION]
    if precision is Precision.INT8:
        versions.append(QUANTISATION_VERSION)
    return files.fingerprint(Backend.ONNX, precision, *versions)
