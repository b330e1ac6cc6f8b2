"""Weights and activations of dense layers in 8 bits, with scales that no input changes.

Weights get a scale for each output, activations one for all that ever pass, fixed beforehand from
what a model makes of the calibration texts. A text's vector so never depends on its batch mates, as
it would with scales taken from each batch.

A few channels of a transformer reach values far beyond all others and would take the 8 bits for
themselves. They are divided, and their rows of the weights multiplied, as in SmoothQuant (Xiao and
others, 2023, arXiv:2211.10438); by how much is searched for each layer, as in AWQ (Lin and others,
2024, arXiv:2306.00978), by the error of its output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Two products of 8 by 7 bits fit the 16 bits in which processors without VNNI add them up, so those
# give the same whole numbers as the rest. An eighth bit would change no vector for the better.
_LARGEST_WEIGHT = 63
_LARGEST_ACTIVATION = 255
# Keeps the divisions finite where a channel is silent.
_SMALLEST = 1e-9

# The largest channel after smoothing, as a share of the largest before.
_CEILINGS = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3, 0.22, 0.16, 0.11, 0.08)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Observed:
    """What a dense layer was given while the calibration texts were read.

    Parameters
    ----------
    lowest, highest : ndarray of shape (n_inputs,), float32
        The least and the greatest value of each channel.
    sample : ndarray of shape (n_tokens, n_inputs), float32
        Some of what was given, to measure errors on.
    """

    lowest: Floats
    highest: Floats
    sample: Floats


@dataclass(frozen=True)
class QuantisedDense:
    """A dense layer that multiplies 8-bit whole numbers.

    Parameters
    ----------
    factors : ndarray of shape (n_inputs,), float32
        What the input is multiplied by, above 0 and at most 1, before it is rounded.
    scale : float32
        The width of a step of the input.
    zero_point : uint8
        The step that stands for 0.
    weights : ndarray of shape (n_inputs, n_outputs), int8
        From -63 to 63.
    weight_scales : ndarray of shape (n_outputs,), float32
        The width of a step of each output's weights.
    """

    factors: Floats
    scale: np.float32
    zero_point: np.uint8
    weights: NDArray[np.int8]
    weight_scales: Floats

    def apply(self, values: Floats) -> Floats:
        """Return the layer's output, float32 of shape (n_tokens, n_outputs), without a bias."""
        steps = np.rint(values * (self.factors / self.scale)) + np.float32(self.zero_point)
        np.clip(steps, 0, _LARGEST_ACTIVATION, out=steps)
        # Exact: sums of products of whole numbers, below 2**24 for up to a thousand inputs.
        products = (steps - np.float32(self.zero_point)) @ self.weights.astype(np.float32)
        result: Floats = products * (self.scale * self.weight_scales)
        return result


def choose_factors(observed: Observed, weights: Floats) -> Floats:
    """Return the factors, of shape (n_inputs,), with which the layer's error is least.

    Parameters
    ----------
    observed
        What the layer is given.
    weights : ndarray of shape (n_inputs, n_outputs), float32
        What it multiplies that by.
    """
    expected = observed.sample @ weights
    errors = []
    for factors in (candidates := _candidates(observed)):
        found = quantise_dense(observed, weights, factors).apply(observed.sample)
        errors.append(float(np.square(found - expected).mean()))
    return candidates[int(np.argmin(errors))]


def quantise_dense(observed: Observed, weights: Floats, factors: Floats) -> QuantisedDense:
    """Return the layer in 8 bits, its input multiplied by ``factors`` and its weights divided."""
    lowest = min(float((observed.lowest * factors).min()), 0.0)
    highest = max(float((observed.highest * factors).max()), 0.0)
    scale = np.float32(max((highest - lowest) / _LARGEST_ACTIVATION, _SMALLEST))
    divided = weights / factors[:, None]
    weight_scales = np.maximum(np.abs(divided).max(axis=0) / _LARGEST_WEIGHT, _SMALLEST)
    return QuantisedDense(
        factors=factors,
        scale=scale,
        zero_point=np.uint8(np.clip(np.rint(-lowest / scale), 0, _LARGEST_ACTIVATION)),
        weights=np.rint(divided / weight_scales).astype(np.int8),
        weight_scales=weight_scales.astype(np.float32),
    )


def _candidates(observed: Observed) -> list[Floats]:
    """Return factors that lower the largest channels to ever lower ceilings; the first are 1."""
    largest = np.maximum(np.maximum(-observed.lowest, observed.highest), np.float32(_SMALLEST))
    ceilings = (np.float32(share) * largest.max() for share in _CEILINGS)
    return [np.minimum(np.float32(1), ceiling / largest) for ceiling in ceilings]
