import json

import numpy as np
import pyarrow as pa
import pytest

from fcn import LabelGroup, LabelVocabulary, Profile
from fcn.calibration import sigmoid
from fcn.metrics import reliability
from fcn.personal import PersonalFit, frequencies, silent_labels

VOCABULARY = LabelVocabulary(
    [
        LabelGroup("body", ("triangle", "round"), "unsuits"),
        LabelGroup("hair", ("black", "red", "grey"), "suits"),
        LabelGroup("age", ("young", "old"), None),
    ]
)
BASE = np.array([0.4, 0.2, 0.5, 0.1, 0.1])
POPULATION = np.array([0.75, 0.25, 0.5, 0.3, 0.2])
FIT = PersonalFit(VOCABULARY, BASE, POPULATION, 2.0, {})
OUTFIT = np.array([[0.9, 0.2, 0.7, 0.1, 0.0]])  # (label probabilities of one outfit)


def log_odds(profile, fit=FIT, probability=OUTFIT):
    p = fit.fit_of(probability, Profile.parse(profile))
    return float(np.log(p / (1 - p))[0])


# against triangles .5 more than usual, indifferent to the round; for black hair .2 more, against grey .1
BODY, HAIR = -0.5 * 0.75, 0.2 * 0.5 - 0.1 * 0.2


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("", BODY + HAIR),
        ("body=triangle", -0.5 + HAIR),
        ("body=round", 0 + HAIR),
        ("hair=black", BODY + 0.2),
        ("body=triangle,hair=grey", -0.5 - 0.1),
        ("body=triangle,body=round,hair=red", -0.25),
        ("hair=red,body=round,body=triangle", -0.25),
    ],
)
def test_hand_made_probabilities_give_the_known_fit(profile, expected):
    assert log_odds(profile) == pytest.approx(2 * expected)


def test_the_average_outfit_is_one_half_for_everybody():
    for profile in ("", "body=triangle", "body=round,hair=grey", "age=old"):
        assert log_odds(profile, probability=BASE[None]) == pytest.approx(0, abs=1e-12)


def test_nothing_stated_is_the_mean_over_people():
    people = [
        (p * q, log_odds(f"body={body},hair={hair}"))
        for body, p in zip(("triangle", "round"), POPULATION[:2], strict=True)
        for hair, q in zip(("black", "red", "grey"), POPULATION[2:], strict=True)
    ]
    assert log_odds("") == pytest.approx(sum(weight * value for weight, value in people))


def test_what_stating_a_group_changes_does_not_depend_on_how_many_groups_there_are():
    more = [LabelGroup(f"g{i}", ("a", "b"), "suits") for i in range(20)]
    wide = PersonalFit(
        LabelVocabulary([*VOCABULARY.groups, *more]),
        np.concatenate([BASE, np.full(40, 0.3)]),
        np.concatenate([POPULATION, np.full(40, 0.5)]),
        2.0,
        {},
    )
    outfit = np.concatenate([OUTFIT, np.random.default_rng(0).random((1, 40))], 1)
    change = log_odds("body=triangle", wide, outfit) - log_odds("", wide, outfit)
    assert change == pytest.approx(log_odds("body=triangle") - log_odds(""))
    # an uninformative group, one whose probabilities are its base rates, changes nothing, stated or not
    outfit = np.concatenate([OUTFIT, np.full((1, 40), 0.3)], 1)
    for profile in ("", "body=triangle", "body=triangle,g0=a,g7=b"):
        assert log_odds(profile, wide, outfit) == pytest.approx(log_odds(profile.partition(",g0")[0]))


def test_silent_labels_say_nothing_and_the_rest_of_their_group_stands_in():
    reason = "no training outfit carries it"
    silent = {"hair=black": reason}
    population = frequencies(VOCABULARY, people(["hair=black", "hair=red", "hair=red", "hair=grey"]), silent)
    np.testing.assert_allclose(population[2:], [0, 2 / 3, 1 / 3])
    fit = PersonalFit(VOCABULARY, BASE, population, 2.0, silent)
    assert log_odds("hair=black", fit) == log_odds("", fit)
    assert log_odds("hair=black,hair=grey", fit) == log_odds("hair=grey", fit)
    assert fit.silence(Profile.parse("hair=black,age=old,hair=red")) == {
        "age=old": "describes people, no outfit is labelled with it",
        "hair=black": reason,
    }
    whole = {label: reason for label in VOCABULARY.labels if label.startswith("hair")}
    fit = PersonalFit(VOCABULARY, BASE, frequencies(VOCABULARY, None, whole), 2.0, whole)
    assert log_odds("hair=grey", fit) == log_odds("", fit) == pytest.approx(2 * -0.5 / 2)


def people(profiles):
    return pa.table(
        {"profile": pa.chunked_array([[p.split(",") if p else None for p in profiles]], pa.list_(pa.string()))}
    )


def test_population_counts_people_not_words():
    found = frequencies(VOCABULARY, people(["body=triangle", "body=triangle,body=round,age=old", "", "hair=red"]), {})
    np.testing.assert_allclose(found, [0.75, 0.25, 0, 1, 0])
    np.testing.assert_allclose(frequencies(VOCABULARY, None, {}), [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])


def made_outfits(count, seed):
    """Probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    probability = sigmoid(np.log(BASE / (1 - BASE)) + rng.normal(0, 1.5, (count, 5)))
    return probability, (rng.random(probability.shape) < probability).astype(float)


def test_the_slope_keeps_its_promise_on_outfits_it_was_not_fitted_on():
    probability, targets = made_outfits(3000, 0)
    fit = PersonalFit.fit(VOCABULARY, targets.mean(0), None, {}, probability, targets, seed=0)
    assert fit.slope > 0.5
    excess, share = fit.judged(*made_outfits(1000, 1), seed=1)
    assert share.mean() == pytest.approx(0.5) and excess.shape == share.shape == (200, 1000)
    stated = sigmoid(fit.slope * excess)
    assert reliability(stated, share).error < 0.02
    assert stated.std() > 0.05
    red = Profile.parse("hair=red")
    again = PersonalFit.from_json(json.loads(json.dumps(fit.to_json())), VOCABULARY, fit.base_rates.tolist())
    np.testing.assert_array_equal(again.fit_of(probability, red), fit.fit_of(probability, red))


def test_a_model_that_knows_nothing_says_one_half():
    probability, _ = made_outfits(2000, 0)
    _, targets = made_outfits(2000, 9)
    fit = PersonalFit.fit(VOCABULARY, BASE, None, {}, probability, targets, seed=0)
    assert fit.fit_of(probability, Profile.parse("body=round")).std() < 0.02


def test_a_vocabulary_without_outfit_labels():
    vocabulary = LabelVocabulary([LabelGroup("age", ("young", "old"), None)])
    nothing = np.zeros((7, 0))
    silent = silent_labels(vocabulary, nothing, nothing, nothing)
    fit = PersonalFit.fit(vocabulary, np.zeros(0), people(["age=old"]), silent, nothing, nothing, seed=0)
    np.testing.assert_array_equal(fit.fit_of(nothing, Profile.parse("age=old")), np.full(7, 0.5))


def test_no_evidence_is_found_out():
    _, training = made_outfits(2000, 0)
    probability, targets = made_outfits(600, 1)
    logits = np.log(probability / (1 - probability))
    assert silent_labels(VOCABULARY, training, logits, targets) == {}
    training[:, 3] = 0
    assert silent_labels(VOCABULARY, training, logits, targets) == {"hair=red": "no training outfit carries it"}
    noise = logits.copy()
    noise[:, :2] = np.random.default_rng(2).normal(size=(600, 2)) * 3
    found = silent_labels(VOCABULARY, training, noise, targets)
    assert set(found) == {"body=triangle", "body=round", "hair=red"} and "no better" in found["body=round"]
    assert set(silent_labels(VOCABULARY, training, noise[:99], targets[:99])) == {"hair=red"}  # too few to show it


def test_numbers_that_do_not_fit_the_labels_are_refused():
    with pytest.raises(ValueError, match="one number for each label"):
        PersonalFit.from_json({"population": [1.0], "slope": 1.0, "silent": {}}, VOCABULARY, BASE.tolist())
