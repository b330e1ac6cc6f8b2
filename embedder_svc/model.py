"""What an embedding model is to this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embedder_svc.errors import ModelMismatch

DEFAULT_CACHE_DIR = Path("~/.cache/level")


class Backend(StrEnum):
    """The libraries that can run a model."""

    AUTO = "auto"
    ONNX = "onnxruntime"
    TORCH = "sentence-transformers"
    STATIC = "model2vec"


class Precision(StrEnum):
    """How a model computes."""

    AUTO = "auto"
    INT8 = "int8"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class LoadOptions:
    """What can be chosen about a model besides which one.

    Parameters
    ----------
    precision
        "auto": the fastest that keeps clusters and neighbours what they are in fp32.
    threads
        Threads that compute on a CPU; 0 takes all cores that this process may use.
    dimension_count
        Vectors are cut to this length where the model was trained for it (Matryoshka); 0: whole.
    cache_dir
        Where what is built from a model's weights is kept.
    """

    precision: Precision = Precision.AUTO
    threads: int = 0
    dimension_count: int = 0
    cache_dir: Path = DEFAULT_CACHE_DIR


@dataclass(frozen=True)
class ModelInfo:
    """A model as loaded: equal texts give equal vectors for equal fingerprints.

    Parameters
    ----------
    model_id
        For example "sentence-transformers/all-MiniLM-L6-v2"; a folder's name for a local model.
    revision
        The revision of its files, empty where their source names none.
    fingerprint
        Hexadecimal digest over the weights, the tokenizer and every option that changes vectors.
    dimension_count
        The length of each vector.
    max_token_count
        Longer texts are cut at this many tokens.
    device
        "cpu" or "cuda:0", for example.
    backend
        The library that runs it.
    precision
        How it computes.
    runtime
        That library's name and version.
    instruction_set
        The processor's instruction set that rounding may depend on, empty where unknown.
    safe_batch_size
        Texts in a batch that the device is expected to hold.
    batch_token_count
        Tokens in a batch, padding included, beyond which a larger batch is slower; 0 where the
        device has no such limit.
    query_prefix
        What the model wants before a text that searches rather than is searched, often empty.
    parallel_batch_count
        Batches that `EmbeddingModel.encode` may be given at once, from as many threads.
    choice_reason
        Why this model, backend and precision were chosen, in words.
    document_prefix
        What the model wants before a text that is searched or compared, most often empty.
    flop_per_token
        Floating-point operations to read one token, about; 0 where it is next to nothing.
    padding_share
        How much of ``batch_token_count`` may be padding: with more, two batches are faster.
    """

    model_id: str
    revision: str
    fingerprint: str
    dimension_count: int
    max_token_count: int
    device: str
    backend: str
    precision: str
    runtime: str
    instruction_set: str
    safe_batch_size: int
    batch_token_count: int
    query_prefix: str
    parallel_batch_count: int = 1
    choice_reason: str = ""
    document_prefix: str = ""
    padding_share: float = 1 / 64
    flop_per_token: float = 0.0


def check_fingerprint(info: ModelInfo, expected: str) -> None:
    """Raise ModelMismatch unless the model has the expected fingerprint, empty for any."""
    if expected not in ("", info.fingerprint):
        raise ModelMismatch(
            f"the loaded model {info.model_id} has the fingerprint {info.fingerprint}, not"
            f" {expected}; start the service with the model that the other vectors came from, or"
            " embed all anew",
            expected=expected,
            loaded=info.fingerprint,
        )


@dataclass(frozen=True)
class TokenisedText:
    """A text as a model reads it.

    Parameters
    ----------
    token_ids
        At most ``max_token_count`` numbers, special tokens included; never empty.
    rest
        The pieces that follow where the text has more tokens than the model reads, each of
        at most ``max_token_count`` tokens, special ones included; without overlap.
    """

    token_ids: Sequence[int]
    rest: tuple[Sequence[int], ...] = ()

    @property
    def truncated(self) -> bool:
        """True where ``token_ids`` are not the whole text."""
        return bool(self.rest)


class EmbeddingModel(Protocol):
    """A loaded model.

    `tokenise` may be called while `encode` runs, and `encode` by `parallel_batch_count` threads.
    """

    @property
    def info(self) -> ModelInfo:
        """What was loaded."""
        ...

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order."""
        ...

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            The device has no room for this batch.
        """
        ...
