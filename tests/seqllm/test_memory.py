"""Query-product memory: known answers, and what is forgotten."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqllm.memory import FLOOR, NEAREST, PRIOR, QueryMemory, normalised

#             red    blue   reddish (cosine .8 with red)
WORDS = {"red": [1, 0, 0], "blue": [0, 1, 0], "reddish": [0.8, 0, 0.6], "secret": [0, 0, 1]}


def encode(texts):
    return np.array([WORDS[text] for text in texts], np.float32)


def asked(*events, min_people=3, n_items=5, encode=encode):
    """events: (user, text or None, item)."""
    texts = list(dict.fromkeys(text for _, text, _ in events if text is not None))
    codes = [-1 if text is None else texts.index(text) for _, text, _ in events]
    users, items = [e[0] for e in events], [e[2] for e in events]
    return QueryMemory.fit(users, codes, items, texts, n_items, encode, min_people)


RED = [(user, "red", item) for user, item in ((0, 1), (1, 1), (2, 2))]


def test_the_share_of_people_who_chose_it_after_the_search():
    made = asked(*RED, (3, None, 4))
    scores = made.scores(encode(["red", "blue"])).toarray()
    assert scores.shape == (2, 5) and scores.dtype == np.float32
    assert scores[0] == pytest.approx([0, 2 / (3 + PRIOR), 1 / (3 + PRIOR), 0, 0])
    assert not scores[1].any()


def test_a_like_search_votes_by_how_like_it_is():
    made = asked(*RED, *[(user, "reddish", 3) for user in range(10, 15)])
    weight = ((0.8 - FLOOR) / (1 - FLOOR)) ** 2
    votes = np.array([0, 2, 1, weight * 5, 0])
    assert made.scores(encode(["red"])).toarray()[0] == pytest.approx(votes / (3 + weight * 5 + PRIOR), rel=1e-5)
    # The length of a vector means nothing, and a row of zeros is no search.
    both = np.array([[7.0, 0, 0], [0, 0, 0]], np.float32)
    assert made.scores(both).toarray()[0] == pytest.approx(votes / (3 + weight * 5 + PRIOR), rel=1e-5)
    assert made.scores(both)[1].nnz == 0


def test_below_the_floor_nothing_votes():
    made = asked(*RED)
    across = np.sqrt(1 - (FLOOR - 1e-4) ** 2)
    assert made.scores(np.array([[FLOOR - 1e-4, across, 0]], np.float32)).nnz == 0
    assert made.scores(np.array([[-1, 0, 0]], np.float32)).nnz == 0


def test_a_person_counts_once_however_often_she_asks():
    again = [*RED, *[(0, "red", 1)] * 50, *[(0, "secret", 4)] * 50]
    made, once = asked(*again), asked(*RED)
    assert (made.scores(encode(["red"])) != once.scores(encode(["red"]))).nnz == 0
    assert len(made) == 1  # fifty askings of one person are one


def test_case_and_white_space_make_no_other_search():
    made = asked((0, "Red", 1), (1, " red ", 1), (2, "RED\n", 2), (3, "  ", 4))
    assert len(made) == 1 and made.people.tolist() == [3]
    assert normalised(" A\tred  Dress ") == "a red dress"


def test_a_rare_search_leaves_no_trace():
    told = []

    def listening(texts):
        told.extend(texts)
        return encode(texts)

    rare = [(0, "secret", 4), (1, "secret", 4)]
    made, without = asked(*RED, *rare, encode=listening), asked(*RED)
    assert told == ["red"]  # not even embedded
    kept, expected = made.tensors(), without.tensors()
    for name, value in expected.items():
        np.testing.assert_array_equal(kept[name], value)
    assert made.scores(encode(["secret"])).nnz == 0
    assert len(asked(*RED, *rare, min_people=2)) == 2
    assert not any(value.dtype.kind in "USO" for value in kept.values())  # no text of any search


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_what_is_kept_was_asked_by_enough_people_and_scores_are_shares(seed, least):
    rng = np.random.default_rng(seed)
    n, texts = int(rng.integers(0, 60)), [f"q{k}" for k in range(8)]
    users, queries, items = rng.integers(0, 6, n), rng.integers(-1, 8, n), rng.integers(0, 7, n)
    table = rng.normal(size=(8, 4)).astype(np.float32)
    made = QueryMemory.fit(users, queries, items, texts, 7, lambda ts: table[[int(t[1]) for t in ts]], least)
    people = [len({int(u) for u, q in zip(users, queries, strict=True) if q == k}) for k in range(8)]
    assert sorted(made.people.tolist()) == sorted(p for p in people if p >= least)
    scores = made.scores(table)
    assert scores.shape == (8, 7)
    assert (scores.data >= 0).all() and (scores.data < 1).all()
    # More people with this search never lower the share of what they chose.
    alone = np.stack([made.scores(row[None]).toarray()[0] for row in table])
    np.testing.assert_allclose(scores.toarray(), alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("remembered", [30, 6000])
def test_scores_are_those_of_the_formula_over_the_nearest(remembered):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(remembered // 10, 24))
    vectors = np.repeat(centres, 10, 0) + 0.6 * rng.normal(size=(remembered, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    users, queries = np.tile(np.arange(3), remembered), np.repeat(np.arange(remembered), 3)
    items = rng.integers(0, 40, len(users))
    made = QueryMemory.fit(users, queries, items, [f"q{k}" for k in range(remembered)], 40, lambda _: vectors)
    asking = rng.normal(size=(50, 24)) * 0.3 + centres[rng.integers(0, len(centres), 50)]
    asking[7] = 0
    chosen = np.zeros((remembered, 40))
    np.add.at(chosen, tuple(np.unique(np.stack([queries, items, users]), axis=1)[:2]), 1)
    expected = np.zeros((50, 40))
    for b, vector in enumerate(asking):
        cosine = vectors @ vector / max(np.linalg.norm(vector), 1e-12)
        near = np.argsort(-cosine)[:NEAREST]
        weight = np.clip((cosine[near] - FLOOR) / (1 - FLOOR), 0, 1) ** 2
        expected[b] = weight @ chosen[near] / (3 * weight.sum() + PRIOR)
    assert (expected > 0).sum() > 500 and not expected[7].any()
    np.testing.assert_allclose(made.scores(asking).toarray(), expected, rtol=1e-4, atol=1e-6)


def test_saved_and_moved_it_says_the_same():
    made = asked(*RED, *[(user, "blue", 0) for user in range(4)])
    back = QueryMemory.from_tensors({name: value.copy() for name, value in made.tensors().items()})
    questions = encode(["red", "blue", "reddish"])
    assert (back.scores(questions) != made.scores(questions)).nnz == 0 and back.n_items == 5
    place = np.array([6, 0, 3, 1, 2])
    moved = made.rearranged(place, 8)
    expected = np.zeros((3, 8), np.float32)
    expected[:, place] = made.scores(questions).toarray()
    np.testing.assert_array_equal(moved.scores(questions).toarray(), expected)


@pytest.mark.parametrize("events", [[], [(0, None, 1)], RED[:2]])
def test_without_a_remembered_search_nothing_votes(events):
    made = asked(*events)
    assert len(made) == 0 and made.scores(encode(["red"])).shape == (1, 5)
    assert made.scores(encode(["red"])).nnz == 0
    back = QueryMemory.from_tensors(made.tensors()).rearranged(np.arange(5), 9)
    assert back.scores(np.zeros((2, 3), np.float32)).shape == (2, 9)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="equal length"):
        QueryMemory.fit([0], [0, 1], [0], ["red"], 5, encode)
    with pytest.raises(ValueError, match="row 5 does not exist"):
        QueryMemory.fit([0], [0], [5], ["red"], 5, encode)
    with pytest.raises(ValueError, match="codes from -1 to 0"):
        QueryMemory.fit([0], [3], [0], ["red"], 5, encode)
    with pytest.raises(ValueError, match="min_people = 0"):
        asked(*RED, min_people=0)
