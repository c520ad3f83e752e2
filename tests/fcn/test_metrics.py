import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from fcn.metrics import (
    absent_labels,
    auc,
    decisions,
    expected_calibration_error,
    fill_in_the_blank,
    label_metrics,
    mean_average_precision,
    precision_recall_f1,
    reliability,
)

TARGETS = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])


def test_perfect_reversed_and_tied_rankings():
    perfect = np.where(TARGETS, 2.0, -2.0)
    assert mean_average_precision(perfect, TARGETS) == 1
    backwards = np.array([[1, 4], [2, 1], [3, 2], [4, 3]])
    assert mean_average_precision(backwards, TARGETS) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert mean_average_precision(np.zeros((4, 2)), TARGETS) == pytest.approx(0.5)  # ties: the prevalence
    assert auc([3, 2, 1], [1, 0, 0]) == 1 and auc([1, 2, 3], [1, 0, 0]) == 0 and auc([1, 1, 1], [1, 0, 0]) == 0.5
    assert np.isnan(auc([1.0, 2.0], [1, 1]))


def test_known_precision_and_recall():
    logits = np.array([[1.0, -1], [1, -1], [1, 1], [-1, -1]])
    # label 0: 3 decided, 2 right, 2 true; label 1: 1 decided, 1 right, 2 true
    result = precision_recall_f1(logits, TARGETS)
    cp, cr, op, overall_r = (2 / 3 + 1) / 2, (1 + 0.5) / 2, 3 / 4, 3 / 4
    assert result == pytest.approx(
        {"cp": cp, "cr": cr, "cf1": 2 * cp * cr / (cp + cr), "op": op, "or": overall_r, "of1": 0.75}
    )


def test_cf1_is_not_the_mean_of_class_f1():
    logits = np.array([[1.0, 1], [1, 1], [-1, 1], [-1, 1]])
    cf1 = precision_recall_f1(logits, TARGETS)["cf1"]
    class_f1 = [1, 2 * 0.5 / 1.5]
    assert cf1 != pytest.approx(np.mean(class_f1)) and cf1 == pytest.approx(2 * 0.75 / 1.75)


def test_top_k_keeps_the_best_that_are_positive():
    logits = np.array([[3.0, 2, 1, 0.5], [-1, 2, -3, -4]])
    np.testing.assert_array_equal(decisions(logits, 3), [[1, 1, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(decisions(np.zeros((1, 2))), [[1, 1]])  # probability .5 is a yes


def test_absent_labels_are_left_out_and_listed():
    targets = np.concatenate([TARGETS, np.zeros((4, 1), int)], 1)
    logits = np.concatenate([np.where(TARGETS, 2.0, -2.0), np.full((4, 1), 9.0)], 1)
    assert absent_labels(targets, ["a", "b", "c"]) == ["c"]
    found = label_metrics(logits, targets)
    assert found["map"] == found["cf1"] == found["of1"] == 1


def test_one_label_alone_works():
    assert precision_recall_f1(np.array([[1.0], [-1]]), np.array([[1], [0]]))["cf1"] == 1


def test_fitb_counts_ties_as_chance():
    scores = np.array([[3.0, 1, 1, 1], [1, 2, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
    assert fill_in_the_blank(scores) == pytest.approx((1 + 0 + 0.5 + 0.25) / 4)


def test_calibration_error_of_known_probabilities():
    assert expected_calibration_error(np.array([[0.8] * 5]), np.array([[1, 1, 1, 1, 0]])) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(np.array([0.9, 0.9]), np.array([0, 0])) == pytest.approx(0.9, abs=1e-6)


def test_reliability_bins_hold_what_a_diagram_shows():
    found = reliability(np.array([[0.1, 0.3], [0.9, 1.0]]), np.array([[0, 1], [1, 1]]), bins=4)
    np.testing.assert_array_equal(found.edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(found.counts, [1, 1, 0, 2])
    np.testing.assert_allclose(found.stated, [0.1, 0.3, np.nan, 0.95])
    np.testing.assert_allclose(found.observed, [0, 1, np.nan, 1])
    assert found.error == pytest.approx((0.1 + 0.7 + 2 * 0.05) / 4)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0)).error)
    with pytest.raises(ValueError, match="3 probabilities and 2 targets"):
        reliability(np.zeros(3), np.zeros(2))


def test_reliability_agrees_with_the_libraries():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    targets = (rng.random(500) < p**2).astype(int)
    found = reliability(p, targets)
    assert found.counts.sum() == 500 and found.error == pytest.approx(expected_calibration_error(p, targets), abs=1e-6)
    observed, stated = calibration_curve(targets, p, n_bins=15)
    np.testing.assert_allclose(found.stated, stated)
    np.testing.assert_allclose(found.observed, observed)
