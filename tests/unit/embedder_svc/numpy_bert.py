"""A BERT sentence encoder in plain NumPy, one text at a time, to compare the ONNX graph with."""

import numpy as np
from scipy.special import erf, softmax


def encode(weights, token_ids, *, layer_count, head_count, pooling):
    """Return the unit vector of one text, float64 of shape (n_dimensions,)."""
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    hidden = (
        weights["embeddings.word_embeddings.weight"][token_ids]
        + weights["embeddings.position_embeddings.weight"][: len(token_ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = _norm(weights, "embeddings", hidden)
    for layer in range(layer_count):
        hidden = _layer(weights, f"encoder.layer.{layer}", hidden, head_count)
    pooled = hidden.mean(axis=0) if pooling == "mean" else hidden[0]
    return pooled / np.linalg.norm(pooled)


def _layer(weights, prefix, hidden, head_count):
    attended = _attention(weights, f"{prefix}.attention.self", hidden, head_count)
    mixed = _dense(weights, f"{prefix}.attention.output.dense", attended)
    mixed = _norm(weights, f"{prefix}.attention.output", mixed + hidden)
    inner = _dense(weights, f"{prefix}.intermediate.dense", mixed)
    activated = inner * (1 + erf(inner / np.sqrt(2))) / 2
    output = _dense(weights, f"{prefix}.output.dense", activated)
    return _norm(weights, f"{prefix}.output", output + mixed)


def _attention(weights, prefix, hidden, head_count):
    query, key, value = (
        np.stack(np.split(_dense(weights, f"{prefix}.{part}", hidden), head_count, axis=1))
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    return np.concatenate(softmax(scores, axis=-1) @ value, axis=1)


def _dense(weights, name, values):
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(weights, name, values):
    centred = values - values.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]
