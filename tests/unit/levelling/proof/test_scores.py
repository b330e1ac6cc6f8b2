import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from levelling.proof.intervals import compare
from levelling.proof.scores import count_answers, score


@pytest.fixture
def answered():
    generator = np.random.default_rng(0)
    truth = generator.choice(5, 300, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    answers = np.where(generator.random(300) < 0.7, truth, generator.integers(0, 5, 300))
    clusters = generator.integers(-1, 4, 300)
    return truth, answers, clusters


def test_figures_are_those_of_scikit_learn(answered):
    truth, answers, clusters = answered
    counted = count_answers(truth, answers, clusters, 5, 4)
    np.testing.assert_array_equal(counted.confusion, confusion_matrix(truth, answers))
    found = score(counted)
    assert found.accuracy == pytest.approx(accuracy_score(truth, answers))
    assert found.macro_accuracy == pytest.approx(balanced_accuracy_score(truth, answers))
    assert found.macro_f1 == pytest.approx(f1_score(truth, answers, average="macro"))
    balance = 1 / np.bincount(truth)[truth]
    assert found.balanced_macro_f1 == pytest.approx(
        f1_score(truth, answers, average="macro", sample_weight=balance)
    )
    hits = truth == answers
    assert found.worst_class == pytest.approx(min(hits[truth == code].mean() for code in range(5)))
    assert found.worst_cluster == pytest.approx(
        min(hits[clusters == cluster].mean() for cluster in range(4))
    )


def test_classes_that_were_not_held_out_do_not_count():
    counted = count_answers(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]), np.full(4, -1), 3, 0)
    found = score(counted)
    assert found.macro_accuracy == 0.75
    assert found.worst_cluster == found.accuracy == 0.75
    assert found.worst_class == 0.5


def test_a_part_of_few_rows_is_not_the_worst_where_others_have_more():
    truth = np.array([0] * 10 + [1] * 2)
    answers = np.array([0] * 9 + [1] + [0] * 2)
    assert score(count_answers(truth, answers, truth, 2, 2)).worst_class == 0.9


def test_the_interval_is_the_corrected_resampled_t():
    before, after = [0.5, 0.52, 0.49, 0.51], [0.55, 0.56, 0.56, 0.54]
    found = compare(before, after, test_share=0.2)
    differences = np.subtract(after, before)
    error = np.sqrt((1 / 4 + 0.2 / 0.8) * differences.var(ddof=1))
    reach = stats.t.ppf(0.975, 3) * error
    assert found.difference == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx(
        (differences.mean() - reach, differences.mean() + reach)
    )
    assert compare(before[:1], after[:1], 0.2).low is None
