import numpy as np
import pytest

from fcn.evaluate import coherence_of, complementary_retrieval, hidden_item_ranks, retrieval_metrics
from fcn.outfits import OutfitSet, canonical

KINDS = np.array([0, 0, 0, 0, 1, 1, 1, 2])  # four tops, three skirts, one hat


def outfit_set(rows):
    rows = np.array(rows)
    targets = np.zeros((len(rows), 0), np.uint8)
    return OutfitSet("test", [f"o{i}" for i in range(len(rows))], rows, targets, KINDS, np.arange(len(KINDS)))


def by_row(rows):
    """Outfits of high row numbers score high."""
    return np.where(rows >= 0, rows, 0).sum(1).astype(float)


def test_a_perfect_and_a_reversed_scorer():
    outfits = outfit_set([[3, 6, -1]] * 5)
    ranks, sizes = hidden_item_ranks(by_row, outfits)
    np.testing.assert_array_equal(ranks, np.ones(5))
    worst, _ = hidden_item_ranks(lambda rows: -by_row(rows), outfits)
    np.testing.assert_array_equal(worst, sizes)
    assert set(sizes) <= {3, 4}  # the whole of the hidden item's kind


def test_ties_count_half():
    ranks, sizes = hidden_item_ranks(lambda rows: np.zeros(len(rows)), outfit_set([[0, 4, -1], [1, 5, -1]]))
    np.testing.assert_allclose(ranks, (sizes + 1) / 2)


def test_worn_items_are_no_candidates_and_lonely_ones_ask_nothing():
    _, sizes = hidden_item_ranks(by_row, outfit_set([[0, 1, 2]] * 4))  # one of three tops hidden: the fourth is left
    np.testing.assert_array_equal(sizes, [2, 2, 2, 2])
    assert len(hidden_item_ranks(by_row, outfit_set([[0, -1]]))[0]) == 0
    only = hidden_item_ranks(by_row, outfit_set([[0, 4]] * 9), pool=np.array([0, 4]))  # no other in the pool
    assert len(only[0]) == 0 and retrieval_metrics(*only) == {"questions": 0}


def test_candidates_come_from_the_pool_and_kind_asked_for():
    seen = []

    def score(rows):
        seen.append(rows)
        return by_row(rows)

    hidden_item_ranks(score, outfit_set([[0, 4, -1]] * 6), pool=np.array([0, 1, 4, 6]))
    assert set(np.unique(np.concatenate(seen))) == {-1, 0, 1, 4, 6}
    _, sizes = hidden_item_ranks(by_row, outfit_set([[0, 4, -1]]), kinds=np.zeros(8, int))
    np.testing.assert_array_equal(sizes, [7])  # all but what is still worn


def test_a_limit_asks_the_first_of_the_same_questions():
    outfits = outfit_set([[i, j, -1] for i in range(4) for j in range(4, 7)])
    ranks, sizes = hidden_item_ranks(by_row, outfits)
    again, _ = hidden_item_ranks(by_row, outfits)
    np.testing.assert_array_equal(ranks, again)
    some, _ = hidden_item_ranks(by_row, outfits, questions=5)
    np.testing.assert_array_equal(some, ranks[:5])
    bounded, counts = hidden_item_ranks(by_row, outfits, most=int(sizes[:3].sum()))
    np.testing.assert_array_equal(bounded, ranks[:3])
    assert counts.sum() == sizes[:3].sum()


def test_metrics_of_known_ranks():
    found = retrieval_metrics(np.array([1, 10.5, 40, 60]), np.array([100, 100, 20, 100]))
    assert found["recall@10"] == 0.25 and found["recall@30"] == 0.5 and found["recall@50"] == 0.75
    assert found["median_rank"] == pytest.approx(25.25) and found["mean_candidates"] == 80
    assert found["chance_recall@10"] == pytest.approx((0.1 * 3 + 0.5) / 4)
    assert found["chance_median_rank"] == pytest.approx(50.5) and found["questions"] == 4


def test_batches_of_questions_are_ranked_as_the_model_ranks_them_one_by_one(scorer, small_sample):
    from fcn import DataFolder

    outfits = OutfitSet.from_folder(DataFolder.open(small_sample), "test")
    score = coherence_of(scorer.model, scorer.features)
    ranks, sizes = hidden_item_ranks(score, outfits, questions=6)
    rng = np.random.default_rng(0)
    for rank, size, at in zip(ranks, sizes, rng.permutation(len(outfits)), strict=False):
        rows = outfits.rows[at]
        place = int(rng.integers((rows >= 0).sum()))
        alike = np.flatnonzero(outfits.categories == outfits.categories[rows[place]])
        candidates = [row for row in alike if row not in rows]
        filled = np.repeat(rows[None], len(candidates) + 1, 0)
        filled[1:, place] = candidates
        scores = np.array([score(canonical(one[None], outfits.ranks))[0] for one in filled])
        assert size == len(filled) and rank == pytest.approx(1 + (scores[1:] > scores[0]).sum(), abs=1)
    report = complementary_retrieval(score, outfits, questions=6)
    assert report["questions"] == 6 and report["median_rank"] == np.median(ranks)


def test_the_report_of_a_training_holds_what_diagrams_and_promises_need(tiny_run, scorer, small_sample):
    from fcn import DataFolder

    folder, report = DataFolder.open(small_sample), tiny_run[1]
    groups = [group.name for group in folder.vocabulary.groups if group.polarity is not None]
    for split in ("val", "test"):
        outfits = OutfitSet.from_folder(folder, split)
        found = report["reliability"][split]
        assert list(found) == [*groups, "all", "coherence", "personal"]
        assert found["all"]["ece"] == pytest.approx(report[split]["ece"], abs=1e-6)
        assert found["all"]["ece_raw"] == pytest.approx(report[split]["ece_raw"], abs=1e-6)
        assert found["coherence"]["ece"] == pytest.approx(report[split]["coherence_ece"], abs=1e-6)
        assert sum(found["all"]["counts"]) == outfits.targets.size
        assert all(
            len(part["edges"]) == len(part["counts"]) + 1 == len(part["observed"]) + 1 for part in found.values()
        )
        assert found["height"]["method"] == scorer.calibration.groups["height"].method
        sure = [result.sure for result in scorer.score([list(o.item_ids) for o in folder.outfit_list(split)])]
        assert report["unsure"][split] == pytest.approx(1 - np.mean(sure))
    assert report["retrieval"]["test"]["questions"] > 0
    assert report["silent_labels"] == scorer.personal.silent
