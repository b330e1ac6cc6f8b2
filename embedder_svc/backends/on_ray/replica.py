"""A model in other processes: what runs there, and what several of them are together.

Knows nothing of how calls reach it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from embedder_svc.backends.on_ray.token_blocks import (
    TextBlock,
    TokenBlock,
    pack_texts,
    unpack_tokens,
)
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model import EmbeddingModel, ModelInfo


class Replica:
    """A model that is loaded when first asked for; several threads may call it.

    Parameters
    ----------
    load
        Loads the model.
    """

    def __init__(self, load: Callable[[], EmbeddingModel]) -> None:
        self._load = load

    def load(self, level_version: str) -> ModelInfo:
        """Load the model and return what was loaded.

        Raises
        ------
        ModelNotLoaded
            It cannot be loaded here, or this machine has another version of Level.
        """
        if version("level") != level_version:
            problem = f"a node has Level {version('level')}, the embedder {level_version}"
            raise ModelNotLoaded("on several machines", f"{problem}; install the same on all")
        self._model = self._load()
        self._turns = threading.BoundedSemaphore(self._model.info.parallel_batch_count)
        return self._model.info

    def tokenise(self, texts: Sequence[str]) -> TextBlock:
        """Return the tokens of each text, in order."""
        return pack_texts(self._model.tokenise(texts))

    def encode(self, batch: TokenBlock) -> NDArray[np.float32]:
        """Return the unit vectors of a batch, float32 of shape (n_sequences, dimension_count).

        No more batches run at once than the model takes; further calls wait for their turn.

        Raises
        ------
        OutOfMemory
            The device has no room for this batch.
        """
        sequences = unpack_tokens(batch)
        with self._turns:
            return self._model.encode(sequences)


def check_same(infos: Sequence[ModelInfo]) -> None:
    """Raise ModelNotLoaded where replicas have loaded different models."""
    fingerprints = sorted({info.fingerprint for info in infos})
    if len(fingerprints) > 1:
        raise ModelNotLoaded(
            infos[0].model_id,
            f"nodes have loaded different ones ({', '.join(fingerprints)}); give each node the same"
            " files, extras and kind of processor, or name model, backend and precision",
        )


def combined_info(infos: Sequence[ModelInfo], where: str) -> ModelInfo:
    """Return what replicas of one model are together.

    Parameters
    ----------
    infos
        Of each, at least one.
    where
        What they run on, in words.
    """
    first = infos[0]
    reasons = (first.choice_reason, f"{len(infos)} actors on {where}")
    return replace(
        first,
        device=f"ray: {len(infos)} x {first.device}",
        instruction_set=", ".join(sorted({info.instruction_set for info in infos})),
        safe_batch_size=min(info.safe_batch_size for info in infos),
        # Twice: the next batch is on its way to a replica while it computes.
        parallel_batch_count=2 * sum(info.parallel_batch_count for info in infos),
        choice_reason="; ".join(filter(None, reasons)),
    )
