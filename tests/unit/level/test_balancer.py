"""The estimator, on vectors: no model is loaded."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from level import LevelBalancer
from levelling.errors import InvalidTarget

SIZES = (150, 80, 40, 20)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(len(SIZES), 24))
    spread = rng.normal(size=(sum(SIZES), 24))
    return (np.repeat(centres, SIZES, axis=0) + 0.25 * spread).astype(np.float32)


@pytest.fixture(scope="module")
def classes():
    return np.repeat(np.arange(len(SIZES)), SIZES)


@pytest.fixture(scope="module")
def texts():
    return [f"row number {row} of its own" for row in range(sum(SIZES))]


@pytest.fixture(scope="module")
def budgeted(vectors, texts):
    balancer = LevelBalancer(budget=80, target_distribution="uniform", noise="drop")
    return balancer.fit(texts, embeddings=vectors)


def test_parameters_are_those_of_an_estimator():
    balancer = LevelBalancer(target_flatness=0.7, noise="cap=0.1")
    copy = clone(balancer)
    assert copy.get_params() == balancer.get_params()
    assert copy.set_params(budget=9).budget == 9
    assert repr(balancer) == "LevelBalancer(noise='cap=0.1', target_flatness=0.7)"


def test_attributes_fit_together(budgeted, classes):
    rows = classes.size
    assert budgeted.labels_.shape == budgeted.copies_.shape == (rows,)
    assert budgeted.sample_weight_.shape == budgeted.near_dup_groups_.shape == (rows,)
    assert budgeted.n_features_in_ == 24
    assert budgeted.copies_.sum() == budgeted.sample_indices_.size == 80
    kept = budgeted.copies_ > 0
    assert budgeted.sample_weight_[kept].mean() == pytest.approx(1)
    assert not budgeted.sample_weight_[~kept].any()
    counts = np.bincount(budgeted.sample_indices_, minlength=rows)
    assert counts.tolist() == budgeted.copies_.tolist()


def test_clusters_become_level(budgeted):
    chosen = budgeted.labels_[budgeted.sample_indices_]
    assert np.bincount(chosen).tolist() == [20, 20, 20, 20]
    assert budgeted.balance_.after.gini < budgeted.balance_.before.gini
    sizes = np.bincount(budgeted.labels_[budgeted.labels_ >= 0]).tolist()
    assert [info.size for info in budgeted.cluster_info_] == sizes
    assert [info.effective_size for info in budgeted.cluster_info_] == [20] * 4
    assert budgeted.cluster_info_[0].weight == pytest.approx(20 / sizes[0])
    assert all(0 <= info.coverage <= 1 for info in budgeted.cluster_info_)


def test_rows_come_back_as_what_they_came_as(vectors, texts, classes, budgeted):
    balancer = clone(budgeted)
    table = pd.DataFrame({"text": texts, "class": classes}, index=np.arange(1000, 1290))
    level = balancer.fit_resample(table, embeddings=vectors)
    assert level.equals(table.iloc[budgeted.sample_indices_])
    chosen, labels = balancer.fit_resample(texts, classes.tolist(), embeddings=vectors)
    assert isinstance(chosen, list) and isinstance(labels, list)
    assert chosen == level["text"].tolist() and labels == level["class"].tolist()
    again = clone(balancer).fit_resample(vectors)
    assert isinstance(again, np.ndarray) and again.shape == (80, 24)


def test_without_a_budget_every_row_stays_and_is_weighed(vectors):
    balancer = LevelBalancer(target_flatness=0.9).fit(vectors)
    assert (balancer.copies_ == 1).all()
    assert balancer.sample_weight_.mean() == pytest.approx(1)
    assert balancer.balance_.after.flatness >= 0.9 - 1e-6
    assert balancer.coverage_ is None
    assert balancer.sample_indices_.tolist() == list(range(sum(SIZES)))


def test_near_duplicates_are_found_by_texts_too(vectors, texts):
    twins = [*texts[:-1], texts[0].upper() + "!"]
    balancer = LevelBalancer(near_duplicates="drop", budget=200).fit(twins, embeddings=vectors)
    groups = balancer.near_dup_groups_
    assert groups[0] == groups[-1]
    assert balancer.copies_[[0, -1]].sum() <= 1


def test_new_rows_get_the_clusters_of_rows_like_them(vectors, budgeted):
    balancer = LevelBalancer().fit(vectors)
    labels = balancer.predict(vectors + np.float32(1e-4))
    assert (labels == balancer.labels_).mean() > 0.95
    with pytest.raises(ValueError, match="vectors"):
        balancer.predict(["a text"])
    with pytest.raises(ValueError, match="dimensions"):
        balancer.predict(vectors[:, :5])


def test_curve_and_noise_effects_tell_of_the_same_rows(budgeted, vectors):
    balancer = LevelBalancer().fit(vectors)
    curve = balancer.curve(steps=5)
    assert curve.flatness.size == 5 and (np.diff(curve.flatness) > -1e-9).all()
    assert curve.flatness[0] == pytest.approx(balancer.balance_.before.flatness)
    kinds = [str(effect.policy.kind) for effect in balancer.noise_effects()]
    assert kinds == ["keep", "cap", "assign", "drop"]
    assert budgeted.noise_effects()[0].dropped == 0


def test_it_works_beside_a_running_loop_and_in_threads(vectors, budgeted):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: clone(budgeted).fit(vectors).labels_, range(2)))
    assert (found[0] == found[1]).all()


async def test_it_works_in_a_notebook(vectors, budgeted):
    assert (clone(budgeted).fit(vectors).labels_ == budgeted.labels_).all()


def test_it_can_be_kept(budgeted, vectors):
    kept = pickle.loads(pickle.dumps(budgeted))
    assert (kept.predict(vectors) == budgeted.predict(vectors)).all()


def test_equal_seeds_give_equal_rows(vectors, budgeted):
    again = clone(budgeted).fit(vectors)
    other = clone(budgeted).set_params(sampling_strategy="random")
    assert (again.copies_ == budgeted.copies_).all()
    first, second = (clone(other).set_params(random_state=n).fit(vectors) for n in (1, 2))
    assert (first.copies_ != second.copies_).any()
    drawn = clone(other).set_params(random_state=np.random.RandomState(5)).fit(vectors)
    same = clone(other).set_params(random_state=np.random.RandomState(5)).fit(vectors)
    assert (drawn.copies_ == same.copies_).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"target_flatness": 2},
        {"target_flatness": 0.5, "temper_alpha": 0.5},
        {"target_distribution": "nonsense"},
        {"target_distribution": {99: 1.0}},
        {"budget": 0},
        {"budget": 50, "mode": "weights"},
        {"mode": "nonsense"},
        {"noise": "nonsense"},
        {"near_duplicates": "nonsense"},
        {"near_duplicate_distance": 7},
        {"sampling_strategy": "nonsense"},
        {"layer": 99},
        {"pinned": {99: 1.0}},
        {"floor": -1},
        {"floor": {99: 1}},
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(vectors, parameters):
    with pytest.raises(InvalidTarget) as error:
        LevelBalancer(**parameters).fit(vectors)
    assert str(error.value)


def test_a_target_that_cannot_be_met_is_told_of_and_the_nearest_given(vectors):
    balancer = LevelBalancer(target_distribution="uniform", budget=200).fit(vectors)
    assert not balancer.plan_.solution.is_met
    assert set(balancer.plan_.solution.unmet) <= set(balancer.plan_.notes)
    assert balancer.copies_.max() == 1


def test_what_is_asked_before_fit_is_refused():
    for ask in (lambda one: one.predict(["a"]), lambda one: one.curve()):
        with pytest.raises(NotFittedError):
            ask(LevelBalancer())


def test_tokens_cannot_be_counted_without_texts(vectors):
    with pytest.raises(ValueError, match="texts"):
        LevelBalancer(budget=100, budget_unit="tokens").fit(vectors)


def test_few_rows_are_enough():
    balancer = LevelBalancer().fit(np.eye(3, dtype=np.float32))
    assert balancer.labels_.shape == (3,)


def test_y_of_another_length_is_refused(vectors):
    with pytest.raises(ValueError, match="X and y"):
        LevelBalancer().fit_resample(vectors, [1, 2])
