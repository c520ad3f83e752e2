"""Profile inference: right on made people, silent without evidence, never over what is stated."""

import numpy as np
import pytest

from fcn import LabelGroup, LabelVocabulary, Profile
from seqllm.profiles import ProfileInference, posteriors

VOCABULARY = LabelVocabulary(
    [
        LabelGroup("body", ("pear", "apple"), "unsuits"),
        LabelGroup("height", ("low", "tall"), "suits"),
        LabelGroup("age", ("young", "old"), None),
    ]
)
N = 40


@pytest.fixture
def world():
    """Items 0-19 do not suit pears and suit the low; 20-39 the other way round. Pears choose the latter."""
    posterior = np.full((N, 4), 0.5)
    posterior[:20] = [0.8, 0.2, 0.7, 0.3]
    posterior[20:] = [0.2, 0.8, 0.3, 0.7]
    rng = np.random.default_rng(0)
    histories, profiles = [], []
    for person in range(60):
        pear = person % 2
        histories.append(rng.integers(0, 20, 5) + 20 * pear)
        profiles.append(Profile.parse("body=pear,height=tall" if pear else "body=apple,height=low"))
    return posterior, histories, profiles


def test_what_a_person_chose_tells_her_profile(world):
    inference = ProfileInference.fit(world[0], VOCABULARY, world[1], world[2])
    assert inference.strength > 0
    right = sum(inference.infer(h) == p for h, p in zip(world[1], world[2], strict=True))
    assert right == 60  # both polarities; age is never inferred


def test_without_items_nothing_is_inferred(world):
    inference = ProfileInference.fit(world[0], VOCABULARY, world[1], world[2])
    assert not inference.infer(np.zeros(0, np.int64))


def test_evidence_that_does_not_fit_people_is_given_no_weight(world):
    rng = np.random.default_rng(1)
    profiles = [world[2][k] for k in rng.permutation(60)]
    inference = ProfileInference.fit(rng.uniform(0.2, 0.8, (N, 4)), VOCABULARY, world[1], profiles)
    assert inference.strength <= 0.25


def test_posteriors_sum_to_one_within_a_group(world):
    p = ProfileInference.fit(world[0], VOCABULARY, world[1], world[2]).posterior(world[1][0])
    assert p[:2].sum() == pytest.approx(1) and p[2:4].sum() == pytest.approx(1) and not p[4:].any()


def test_state_survives(world):
    inference = ProfileInference.fit(world[0], VOCABULARY, world[1], world[2])
    again = ProfileInference.from_state(VOCABULARY, inference.state())
    np.testing.assert_array_equal(inference.posterior(world[1][0]), again.posterior(world[1][0]))


def test_another_catalogue_keeps_each_items_evidence(world):
    inference = ProfileInference.fit(world[0], VOCABULARY, world[1], world[2])
    before = inference.evidence.copy()
    inference.rearrange(np.array([39, 0, 5]), np.array([2]), world[0][[30]])
    np.testing.assert_allclose(inference.evidence[:2], before[[39, 0]])
    np.testing.assert_allclose(inference.evidence[2], before[30], atol=1e-6)


class Network:
    """A scorer with other labels than the data set's, in another order."""

    labels = ["height=tall", "weather=rain", "height=low"]

    def label_posterior(self, outfits):
        return np.array([[0.9, 0.1, 0.2]] * len(outfits))


def test_a_network_trained_on_other_labels_is_read_by_name():
    found = posteriors(Network(), ["a", "b"], VOCABULARY)
    assert found.tolist() == [[0.5, 0.5, 0.2, 0.9]] * 2


def test_a_group_the_network_does_not_know_is_never_inferred(world):
    posterior = world[0].copy()
    posterior[:, :2] = 0.5
    inference = ProfileInference.fit(posterior, VOCABULARY, world[1], [Profile({"body": "pear"})] * 59 + world[2][:1])
    inference.strength = 1.0
    assert "body" not in inference.infer(world[1][0]).groups()
