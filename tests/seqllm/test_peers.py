"""Peers: what people of the same stated features, or for the same occasion, chose more often."""

import numpy as np
import pytest
import scipy.sparse as sp

from fcn import LabelGroup, LabelVocabulary, Profile
from seqllm.peers import ALPHA, OFTEN, Peers

VOCABULARY = LabelVocabulary([LabelGroup("size", ("s", "m"), None), LabelGroup("age", ("young", "old"), None)])
PROFILES = [Profile({"size": "s"}), Profile({"size": "m", "age": "old"}), Profile()]


def peers(occasions=None, texts=()):
    """Person 0 (s) chose item 0 thirty times and item 1 ten times; person 1 (m, old) item 1 twenty times; 2 item 2."""
    users = np.repeat([0, 0, 1, 2], [30, 10, 20, 5])
    items = np.repeat([0, 1, 1, 2], [30, 10, 20, 5])
    occasions = np.full(65, -1) if occasions is None else occasions
    return Peers.fit(users, items, occasions, PROFILES, list(texts), VOCABULARY, 4)


def test_lift_is_the_smoothed_log_ratio_of_shares():
    lift = peers().lift()
    share = (40 + 1) / (60 + 2)  # of size=s among the choices whose size is known
    expected = np.log((10 + ALPHA * share) / (30 + ALPHA) / share)
    assert lift[1, VOCABULARY.index("size=s")] == pytest.approx(expected, rel=1e-5)
    assert lift[0, VOCABULARY.index("size=s")] > 0 > lift[0, VOCABULARY.index("size=m")]


def test_what_nothing_is_known_of_says_nothing():
    lift = peers().lift()
    np.testing.assert_allclose(lift[[2, 3]], 0, atol=1e-6)  # chosen by a silent person; never chosen
    assert not peers().told([Profile()], [None]).any()


def test_scores_add_up_over_what_is_stated():
    made = peers()
    told = made.told([PROFILES[1]], [None])
    both = VOCABULARY.index("size=m"), VOCABULARY.index("age=old")
    np.testing.assert_allclose((told @ made.lift().T)[0], made.lift()[:, both].sum(1), rtol=1e-6)


def test_common_occasions_count_whatever_their_case_and_rare_ones_do_not():
    codes = np.full(65, -1)
    codes[: OFTEN - 5], codes[30:35], codes[60:] = 0, 1, 2
    made = peers(codes, ["Wedding", " wedding ", "court  hearing"])
    assert made.occasions == ["wedding"]
    assert made.told([Profile()] * 3, ["WEDDING", "court hearing", None])[:, -1].tolist() == [1, 0, 0]
    lift = made.lift()[:, -1]
    assert lift.shape == (4,) and np.isfinite(lift).all()


def test_an_occasion_favours_what_is_worn_for_it():
    codes = np.repeat([0, 1, 1, -1], [30, 10, 20, 5])
    made = peers(codes, ["party", "work"])
    wanted = made.told([Profile()] * 2, ["party", "work"]) @ made.lift().T
    assert wanted[0].argmax() == 0 and wanted[1].argmax() == 1


def test_a_catalogue_without_labels_or_occasions_has_nothing_to_say():
    made = Peers.fit(np.array([0]), np.array([1]), np.array([-1]), [Profile()], [], LabelVocabulary([]), 3)
    assert made.lift().shape == (3, 0) and made.told([Profile()], ["party"]).shape == (1, 0)


def test_saved_and_loaded_and_rearranged():
    codes = np.repeat([0, 1, 1, -1], [30, 10, 20, 5])
    made = peers(codes, ["party", "work"])
    again = Peers.from_state(VOCABULARY, made.occasions, made.state())
    np.testing.assert_array_equal(again.lift(), made.lift())
    place = np.array([3, 0, 4, 1])
    moved = made.rearranged(place, 6)
    np.testing.assert_array_equal(moved.lift()[place], made.lift())
    assert sp.issparse(moved.counts) and moved.counts.shape == (6, 6)
