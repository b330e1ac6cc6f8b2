"""Datasets whose answer is known: whether levelling must help is built in."""

import numpy as np

from levelling.proof import ProofData


def make_classes(sizes, *, dimensions=24, spread=0.35, seed=0):
    """Rows of one class each around a random direction; the clusters are the classes."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(len(sizes), dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    classes = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = generator.normal(size=(len(classes), dimensions)) * spread
    return (centres[classes] + noise).astype(np.float32), classes


def named(classes):
    return [f"class {code:02d}" for code in classes]


def make_data(sizes, **options):
    vectors, classes = make_classes(sizes, **options)
    return ProofData(vectors, classes.astype(np.int32), None, named(classes))


def long_tail(class_count=24, largest=300, least=12):
    return [max(least, round(largest / (1 + rank))) for rank in range(class_count)]


def flat_weights(clusters):
    """The weight of each row that makes all clusters equally heavy."""
    _, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    return 1.0 / sizes[index]
