"""The simple models that a proof can train, by name: scikit-learn's, imported when one is trained.

Each learns from vectors of length 1 and weights, fast enough to be trained dozens of times.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from levelling.errors import ProofNotInstalled

# Vectors have length 1, so that a weak penalty is what lets classes apart.
INVERSE_PENALTY = 10.0
MAX_STEPS = 300
RIDGE_PENALTY = 1.0
NEIGHBOR_COUNT = 5

Vectors = NDArray[np.float32]
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Predictor = Callable[[Vectors], Codes]
Trainer = Callable[[Vectors, Codes, Floats], Predictor]
"""From vectors (n, d), classes 0..k-1, k at least 2, that all occur, and weights above 0."""


@dataclass(frozen=True)
class Model:
    """A model that a proof can train.

    Attributes
    ----------
    name : str
        By which it is asked for.
    title : str
        Its name for people.
    trainer : Trainer
    """

    name: str
    title: str
    trainer: Trainer

    def answer(
        self, vectors: Vectors, classes: Codes, weights: Floats, questions: Vectors
    ) -> Codes:
        """Return the answers to questions, int64 of shape (m,), after training on the rest.

        Matrix products run on one thread: the last bits depend on how many there are, and so
        small ones are slower on several where there is other work.
        """
        from threadpoolctl import threadpool_limits

        if len(np.unique(classes)) == 1:
            return np.full(len(questions), classes[0])
        with threadpool_limits(1, "blas"):
            return self.trainer(vectors, classes, weights)(questions)


def require_models() -> None:
    """Refuse a proof with labels where there is nothing to train.

    Raises
    ------
    ProofNotInstalled
        If scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        message = "a proof trains models, which needs the extra proof: pip install 'level[proof]'"
        raise ProofNotInstalled(message, extra="proof")


def train_logistic_regression(vectors: Vectors, classes: Codes, weights: Floats) -> Predictor:
    """Return multinomial logistic regression with C = 10."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_STEPS)
    with warnings.catch_warnings():
        # After so many steps no more than single answers change.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, classes, sample_weight=weights)
    return lambda rows: np.asarray(model.predict(rows), dtype=np.int64)


def train_ridge(vectors: Vectors, classes: Codes, weights: Floats) -> Predictor:
    """Return the ridge classifier: least squares on classes coded as -1 and 1."""
    from sklearn.linear_model import RidgeClassifier

    model = RidgeClassifier(alpha=RIDGE_PENALTY).fit(vectors, classes, sample_weight=weights)
    return lambda rows: np.asarray(model.predict(rows), dtype=np.int64)


def train_nearest_mean(vectors: Vectors, classes: Codes, weights: Floats) -> Predictor:
    """Return the classifier by the nearest weighted mean of a class, by cosine.

    scikit-learn's takes no weights.
    """
    means = np.zeros((int(classes.max()) + 1, vectors.shape[1]))
    np.add.at(means, classes, vectors * weights[:, None])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return lambda rows: np.argmax(rows @ means.T, axis=1)


def train_neighbors(vectors: Vectors, classes: Codes, weights: Floats) -> Predictor:
    """Return the classifier by the 5 nearest rows by cosine, whose votes are their weights."""
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOR_COUNT, len(vectors))
    search = NearestNeighbors(n_neighbors=count, metric="cosine").fit(vectors)

    def predict(rows: Vectors) -> Codes:
        distances, nearest = search.kneighbors(rows)
        votes = np.zeros((len(rows), int(classes.max()) + 1))
        # Of equal votes the nearer wins: distances are too small to outvote a weight.
        strengths = weights[nearest] * (1 - 1e-6 * distances)
        np.add.at(votes, (np.arange(len(rows))[:, None], classes[nearest]), strengths)
        found: Codes = votes.argmax(axis=1)
        return found

    return predict


DEFAULT_MODEL = "logistic_regression"
MODELS = {
    model.name: model
    for model in (
        Model(DEFAULT_MODEL, "Logistic regression", train_logistic_regression),
        Model("ridge", "Ridge classifier", train_ridge),
        Model("nearest_mean", "Nearest class mean", train_nearest_mean),
        Model("neighbors", f"{NEIGHBOR_COUNT} nearest neighbours", train_neighbors),
    )
}
"""Every model, by name."""
