"""What a model makes of the calibration texts: ranges to fit 8 bits to, and how well they fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from embedder_svc.backends.onnx_export import INPUT_SUFFIX, export_bert
from embedder_svc.backends.onnx_graph import with_metadata
from embedder_svc.backends.onnx_quantised import export_quantised_bert
from embedder_svc.backends.onnx_support import MEAN_COSINE, VECTORS
from embedder_svc.backends.quantisation import Observed
from embedder_svc.model_files import ModelFiles

# For each dense layer: enough to choose between a few ceilings, and a large model's fit in memory.
_SAMPLED_TOKENS = 512

Outputs = Mapping[str, NDArray[np.float32]]
OpenGraph = Callable[[bytes], Callable[[Sequence[int]], Outputs]]


def build_quantised(
    files: ModelFiles, texts: Sequence[Sequence[int]], open_graph: OpenGraph
) -> bytes:
    """Return the ONNX model of ``files`` in 8 bits, its likeness to fp32 noted in its metadata.

    Parameters
    ----------
    files
        Of a model that `onnx_support.check_supported` takes.
    texts
        The token ids of the calibration texts.
    open_graph
        Returns, for a serialised graph, what computes its outputs by name for one text.

    Raises
    ------
    ModelNotLoaded
        The weights are broken, or not those of such an encoder.
    """
    observer = _Observer(sum(map(len, texts)))
    run = open_graph(export_bert(files, with_dense_inputs=True))
    expected = [observer.take(run(text)) for text in texts]
    if not np.isfinite(expected).all():
        raise files.refuse("its weights give vectors that are not finite; fetch its files again")
    del run
    graph = export_quantised_bert(files, observer.observed())
    run = open_graph(graph)
    found = [run(text)[VECTORS][0] for text in texts]
    cosine = float(np.einsum("td,td->t", np.array(expected), np.array(found)).mean())
    return with_metadata(graph, **{MEAN_COSINE: f"{cosine:.4f}"})


class _Observer:
    def __init__(self, token_count: int) -> None:
        chance = np.random.default_rng(0)
        sampled = min(_SAMPLED_TOKENS, token_count)
        self._is_sampled = np.zeros(token_count, dtype=bool)
        self._is_sampled[chance.choice(token_count, sampled, replace=False)] = True
        self._position = 0
        self._ranges: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._samples: dict[str, list[NDArray[np.float32]]] = {}

    def take(self, outputs: Outputs) -> NDArray[np.float32]:
        """Note what the layers were given for one text, and return the text's vector."""
        chosen = slice(0, 0)
        for name, values in outputs.items():
            if not name.endswith(INPUT_SUFFIX):
                continue
            tokens = values[0]
            chosen = slice(self._position, self._position + len(tokens))
            self._note(name.removesuffix(INPUT_SUFFIX), tokens, self._is_sampled[chosen])
        self._position = chosen.stop
        vector: NDArray[np.float32] = outputs[VECTORS][0]
        return vector

    def observed(self) -> dict[str, Observed]:
        """Return what was noted, by the layers' names."""
        return {
            name: Observed(*self._ranges[name], np.concatenate(parts))
            for name, parts in self._samples.items()
        }

    def _note(self, name: str, tokens: NDArray[np.float32], is_sampled: NDArray[np.bool_]) -> None:
        lowest, highest = tokens.min(axis=0), tokens.max(axis=0)
        known = self._ranges.get(name, (lowest, highest))
        self._ranges[name] = (np.minimum(known[0], lowest), np.maximum(known[1], highest))
        self._samples.setdefault(name, []).append(tokens[is_sampled])
