import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from levelling.errors import ProofNotInstalled
from levelling.proof import MODELS, models
from tests.unit.levelling.proof.made_data import make_classes


@pytest.fixture(scope="module")
def rows():
    vectors, classes = make_classes([90, 60, 40, 30, 20, 20], spread=0.45)
    return unit(vectors), classes.astype(np.int64)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def anywhere(count, like):
    return unit(np.random.default_rng(2).normal(size=(count, like.shape[1])).astype(np.float32))


def test_the_nearest_mean_is_by_cosine(rows):
    vectors, classes = rows
    means = unit(np.stack([vectors[classes == code].mean(axis=0) for code in range(6)]))
    test = anywhere(500, vectors)
    ours = MODELS["nearest_mean"].answer(vectors, classes, np.ones(len(classes)), test)
    np.testing.assert_array_equal(ours, cdist(test, means, "cosine").argmin(axis=1))


def test_five_neighbours_answer_as_scikit_learns_where_votes_are_not_equal(rows):
    vectors, classes = rows
    theirs = KNeighborsClassifier(5, metric="cosine").fit(vectors, classes)
    test = anywhere(2000, vectors)
    ours = MODELS["neighbors"].answer(vectors, classes, np.ones(len(classes)), test)
    votes = np.sort(theirs.predict_proba(test), axis=1)
    clear = votes[:, -1] > votes[:, -2]
    assert clear.sum() > 500
    np.testing.assert_array_equal(ours[clear], theirs.predict(test[clear]))


def test_a_weight_outvotes_nearer_neighbours():
    vectors = unit(np.array([[1, 0.0], [1, 0.1], [1, 0.5]], dtype=np.float32))
    weights = np.array([1.0, 1.0, 3.0])
    answers = MODELS["neighbors"].answer(vectors, np.array([0, 0, 1]), weights, vectors[:1])
    assert answers.tolist() == [1]


@pytest.mark.parametrize("name", ["logistic_regression", "ridge", "nearest_mean"])
def test_a_weight_of_two_is_a_row_that_stands_there_twice(rows, name):
    vectors, classes = rows
    doubled = np.concatenate([np.arange(len(classes)), np.flatnonzero(classes > 2)])
    weights = np.where(classes > 2, 2.0, 1.0)
    test = anywhere(1000, vectors)
    once = MODELS[name].answer(vectors, classes, weights, test)
    twice = MODELS[name].answer(vectors[doubled], classes[doubled], np.ones(len(doubled)), test)
    assert np.mean(once == twice) > 0.99


@pytest.mark.parametrize("name", MODELS)
def test_one_class_is_the_only_answer(name):
    vectors = np.eye(4, dtype=np.float32)
    classes = np.zeros(4, dtype=np.int64)
    answers = MODELS[name].answer(vectors, classes, np.ones(4), vectors)
    np.testing.assert_array_equal(answers, classes)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    with pytest.raises(ProofNotInstalled, match=r"level\[proof\]"):
        models.require_models()
