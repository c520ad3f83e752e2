import numpy as np
import pyarrow as pa
import pytest

from fcn import ArtifactError, Catalog, Item
from fcn.cooccurrence import FEATURES, CoOccurrence, folds_of
from fcn.outfits import pad

BOTH, TOGETHER, COUNT, PMI, KNOWN, COMPANY = 0, 1, 2, 3, 11, 10
# 0 and 1 twice together, 2 with each of them once, 3 and 4 apart from all; 5 is worn by nobody
OUTFITS = pad([np.array(o) for o in ([0, 1], [0, 1, 2], [3, 4])])


def catalog(ids):
    return Catalog.from_items([Item(i, "red dress", "dress", "onepiece") for i in ids])


def of_pair(evidence, a, b, part=0):
    return evidence.pairs(np.array([[a, b]]), np.array([part]))[0, 0]


def test_known_counts():
    evidence = CoOccurrence.fit(OUTFITS, 6)
    pair = of_pair(evidence, 0, 1)
    assert pair[BOTH] == 1 and pair[TOGETHER] == 1 and pair[KNOWN] == 2
    assert pair[COUNT] == pytest.approx(np.log1p(2))
    assert pair[PMI] == pytest.approx(np.log(2 / (2 * 2 / 3)) / 4)
    apart = of_pair(evidence, 0, 3)
    assert apart[BOTH] == 1 and apart[TOGETHER] == 0 and apart[COUNT] == 0 and apart[PMI] == 0
    np.testing.assert_array_equal(of_pair(evidence, 1, 0), pair)


@pytest.mark.parametrize("stranger", [5, 17, -1])  # worn by nobody, beyond the catalogue, padding
def test_an_unknown_item_contributes_nothing_but_that_it_is_unknown(stranger):
    evidence = CoOccurrence.fit(OUTFITS, 6)
    pair = of_pair(evidence, 0, stranger)
    assert pair[KNOWN] == 1 and (np.delete(pair, KNOWN) == 0).all()


def test_items_with_like_company_are_alike_though_never_worn_together():
    rng = np.random.default_rng(0)
    worlds = [np.array([w * 10 + i for i in rng.choice(10, 3, replace=False)]) for w in rng.integers(2, size=80)]
    rows = pad(worlds)
    evidence = CoOccurrence.fit(rows, 20)
    apart = [(a, b) for a in range(10) for b in range(a) if of_pair(evidence, a, b)[TOGETHER] == 0]
    across = np.mean([of_pair(evidence, a, b)[COMPANY] for a in range(10) for b in range(10, 20)])
    within = np.mean([of_pair(evidence, a, b)[COMPANY] for a in range(10) for b in range(a)])
    assert within > 0.3 + across
    assert all(of_pair(evidence, a, b)[COMPANY] > across for a, b in apart)


def test_a_fold_is_not_counted_for_itself():
    folds = np.array([0, 1, 1])
    evidence = CoOccurrence.fit(OUTFITS, 6, folds)
    for fold in (0, 1):
        alone = CoOccurrence.fit(OUTFITS[folds != fold], 6)
        for a, b in ((0, 1), (0, 2), (3, 4), (1, 3)):
            got, expected = of_pair(evidence, a, b, fold), of_pair(alone, a, b)
            if not (alone.codes[[a, b]] >= 0).all():
                expected[COMPANY] = got[COMPANY] = 0
            np.testing.assert_allclose(got, expected, atol=1e-5)


def test_outfits_of_the_same_items_share_a_fold():
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(0, 12, (400, 3)), axis=1)
    folds = folds_of(rows, seed=1)
    by_items = {}
    for row, fold in zip(rows, folds, strict=True):
        assert by_items.setdefault(tuple(row), fold) == fold
    assert set(folds) == set(range(8))
    np.testing.assert_array_equal(folds, folds_of(rows, seed=1))
    assert folds_of(rows[:20], seed=0).max() == 0  # too few to divide
    assert folds_of(rows[:0], seed=0).shape == (0,)


def test_order_padding_and_company_in_the_batch_do_not_matter():
    evidence = CoOccurrence.fit(OUTFITS, 6)
    alone = evidence.pairs(np.array([[2, 0, 1]]))
    batch = evidence.pairs(np.array([[0, 1, 2, -1], [3, 4, -1, -1]]))
    assert batch.shape == (2, 6, FEATURES)
    pairs = [(0, 1), (0, 2), (1, 2)]
    place = {frozenset(p): k for k, p in enumerate(zip(*np.triu_indices(4, k=1), strict=True))}
    mixed = {0: 1, 1: 2, 2: 0}  # item -> position in the outfit given as 2, 0, 1
    small = {frozenset(p): k for k, p in enumerate(pairs)}
    for a, b in pairs:
        np.testing.assert_array_equal(
            batch[0, place[frozenset((a, b))]], alone[0, small[frozenset((mixed[a], mixed[b]))]]
        )


def test_saved_and_loaded_it_says_the_same(tmp_path):
    evidence = CoOccurrence.fit(OUTFITS, 6)
    evidence.save(tmp_path)
    again = CoOccurrence.load(tmp_path, 6)
    rows = np.array([[0, 1, 2, 3, 5]])
    np.testing.assert_array_equal(again.pairs(rows), evidence.pairs(rows))
    with pytest.raises(ArtifactError, match="catalogue"):
        CoOccurrence.load(tmp_path, 7)
    broken = CoOccurrence(**{**vars(evidence), "keys": evidence.keys[::-1].copy()})
    broken.save(tmp_path)
    with pytest.raises(ArtifactError, match="do not fit"):
        CoOccurrence.load(tmp_path, 6)
    (tmp_path / "cooccurrence.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match="cannot be read"):
        CoOccurrence.load(tmp_path, 6)


def test_another_catalogue_is_matched_by_id():
    evidence = CoOccurrence.fit(OUTFITS, 6)
    before = pa.array(["a", "b", "c", "d", "e", "f"])
    after = evidence.attach(before, catalog(["new", "b", "f", "a"]))
    np.testing.assert_array_equal(of_pair(after, 3, 1), of_pair(evidence, 0, 1))
    assert of_pair(after, 0, 1)[KNOWN] == 1 and of_pair(after, 0, 2)[KNOWN] == 0


def test_no_outfit_and_single_items():
    nothing = CoOccurrence.fit(np.full((0, 3), -1), 4)
    assert (nothing.pairs(np.array([[0, 1, -1]])) == 0).all()
    lone = CoOccurrence.fit(np.array([[0], [1]]), 4)
    assert lone.pairs(np.array([[0]])).shape == (1, 0, FEATURES)
    assert (lone.pairs(np.array([[0, 1]])) == 0).all()
