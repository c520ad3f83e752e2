import json

import numpy as np
import pytest
from scipy.special import expit

from fcn.calibration import (
    Calibration,
    Isotonic,
    Logistic,
    columns_of_groups,
    curve_from_json,
    fit_curve,
    fit_temperature,
    held_out,
    isotonic,
    platt,
    temperature,
)
from fcn.metrics import expected_calibration_error

RNG = np.random.default_rng(0)
TRUE = RNG.normal(0, 1.5, 6000)
TARGETS = (RNG.random(6000) < expit(TRUE)).astype(float)
# Beliefs of three kinds of distortion of the true log-odds: too sure; too sure and off; flat where it should rise.
DISTORTED = {"temperature": 3 * TRUE, "platt": 2 * TRUE - 3, "isotonic": np.where(TRUE > 0, TRUE**3, TRUE / 9)}


@pytest.mark.parametrize("method", DISTORTED)
def test_each_distortion_is_mended_by_the_curve_made_for_it(method):
    logits = DISTORTED[method]
    curve = fit_curve(logits, TARGETS)
    found = curve(logits)
    assert expected_calibration_error(found, TARGETS) < 0.02 < expected_calibration_error(expit(logits), TARGETS)
    assert np.abs(found - expit(TRUE)).mean() < 0.03
    if method == "isotonic":
        assert curve.method == "isotonic"
    else:
        assert curve(np.array([0.0, 6.0])) == pytest.approx(
            expit({"temperature": [0, 2], "platt": [1.5, 4.5]}[method]), abs=0.06
        )


def test_the_numbers_of_temperature_and_platt_are_found():
    assert fit_temperature(3 * TRUE, TARGETS) == pytest.approx(3, rel=0.1)
    found = platt(2 * TRUE - 3, TARGETS)
    assert found.temperature == pytest.approx(2, rel=0.1) and found.bias == pytest.approx(1.5, abs=0.1)
    assert temperature(3 * TRUE, TARGETS).method == "temperature" and found.method == "platt"


@pytest.mark.parametrize("method", [temperature, platt, isotonic])
@pytest.mark.parametrize("size", [5, 50, 6000])
def test_curves_rise_strictly_even_beyond_what_they_saw_and_survive_json(method, size):
    curve = method(DISTORTED["isotonic"][:size], TARGETS[:size])
    grid = np.linspace(-12, 12, 2001)
    p = curve(grid)
    inside = (p > 1e-9) & (p < 1 - 1e-9)
    assert inside.sum() > 20 and (np.diff(p[inside]) > 0).all() and (np.diff(p) >= 0).all()
    again = curve_from_json(json.loads(json.dumps(curve.to_json())))
    assert again == curve
    np.testing.assert_array_equal(again(grid), p)


def test_known_isotonic_points():
    # blocks {-2, -1} with no and {1, 2} with only positives, bounded by 1 / (4 + 2)
    curve = isotonic(np.array([-2.0, -1, 1, 2]), np.array([0, 0, 1, 1]))
    assert isinstance(curve, Isotonic)
    np.testing.assert_allclose(curve(np.array([-1.5, 0, 1.5])), [1 / 6, 1 / 2, 5 / 6])


def test_few_examples_get_a_temperature_and_one_class_none():
    few = slice(0, 150)
    assert fit_curve(DISTORTED["platt"][few], TARGETS[few]).method == "temperature"
    assert fit_curve(TRUE, np.zeros(6000)) == Logistic(1.0)
    assert platt(TRUE, np.zeros(6000)) == Logistic(1.0)


def test_logits_that_speak_against_the_targets_do_not_turn_the_curve_round():
    assert platt(-TRUE, TARGETS).temperature > 0
    assert (np.diff(fit_curve(-TRUE, TARGETS)(np.linspace(-3, 3, 99))) > 0).all()


def test_held_out_probabilities_never_saw_their_row():
    """A curve that returns the share of positives it was fitted on tells whether the row itself was among them."""
    targets = np.zeros(5)
    targets[2] = 1
    found = held_out(lambda logits, some: lambda rows: np.full(rows.shape, some.mean()), np.zeros(5), targets)
    np.testing.assert_allclose(found, [0.25, 0.25, 0, 0.25, 0.25])


def test_groups_get_their_own_curves():
    labels = ["g=a", "h=a", "g=b"]
    logits = np.stack([3 * TRUE, TRUE, 3 * TRUE], 1)
    targets = np.stack([TARGETS] * 3, 1)
    fitted = Calibration.fit(labels, logits, targets, 2 * TRUE, TARGETS)
    np.testing.assert_allclose(fitted.label_probability(labels, logits), expit(np.stack([TRUE] * 3, 1)), atol=0.05)
    np.testing.assert_allclose(fitted.coherence_probability(2 * TRUE), expit(TRUE), atol=0.05)
    assert fitted.error(labels, logits, targets) < 0.02
    assert Calibration.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted
    assert {g: c.tolist() for g, c in columns_of_groups(labels).items()} == {"g": [0, 2], "h": [1]}


def test_a_network_without_labels_is_calibrated_for_coherence_alone():
    nothing = np.zeros((6000, 0))
    fitted = Calibration.fit([], nothing, nothing, 2 * TRUE, TARGETS)
    assert fitted.groups == {} and fitted.label_probability([], nothing).shape == (6000, 0)
