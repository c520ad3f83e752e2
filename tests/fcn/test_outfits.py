import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn import DataFolder
from fcn.outfit_encoder import canonical_order
from fcn.outfits import (
    CoherenceTest,
    Corruptor,
    Modalities,
    OutfitSet,
    TrainingCollator,
    canonical,
    canonical_ranks,
    gather,
    pad,
)

CATEGORIES = np.repeat(np.arange(5), 8)  # 40 items in 5 categories

HIDE_NOTHING = Modalities(slice(0, 0), slice(0, 0), slice(0, 0), np.zeros((5, 0), np.float32))


def outfit_set(count=50, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 6, count)
    rows = pad([np.sort(c[:n] * 8 + rng.integers(8, size=n)) for c, n in ((rng.permutation(5), n) for n in lengths)])
    return OutfitSet(
        "train",
        [str(i) for i in range(count)],
        rows,
        rng.integers(0, 2, (count, 3)).astype(np.uint8),
        CATEGORIES,
        np.arange(40),
    )


def test_reads_a_split_in_canonical_order(toy_folder):
    folder = DataFolder.open(toy_folder)
    outfits = OutfitSet.from_folder(folder, "train")
    assert outfits.ids == ["o0", "o1", "o2", "o3", "o4"]
    np.testing.assert_array_equal(outfits.rows[0], [0, 1, 4, 6, 8])
    np.testing.assert_array_equal(outfits.rows[3], [3, 7, 9, -1, -1])
    labels = folder.vocabulary.outfit_labels
    assert [labels[c] for c in np.flatnonzero(outfits.targets[1])] == [
        "body_figure=triangle",
        "occasion=work",
    ]
    assert not any(label.startswith("age") for label in labels)
    np.testing.assert_array_equal(outfits.items(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])


def test_ranks_agree_with_canonical_order(toy_folder):
    catalog = DataFolder.open(toy_folder).catalog
    ids, ranks = catalog.ids.to_pylist(), canonical_ranks(catalog)
    rows = [9, 3, 8, 0, 7, 6]
    expected = [rows[i] for i in canonical_order([catalog.slots[r] for r in rows], [ids[r] for r in rows])]
    np.testing.assert_array_equal(canonical(np.array([[*rows, -1]]), ranks), [[*expected, -1]])


@given(st.permutations(range(6)))
@settings(max_examples=25)
def test_any_order_gives_the_same_batch(order):
    features, ranks = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.arange(40)
    rows = np.array([3, 9, 10, 20, 33, -1])
    straight = gather(features, canonical(rows[None], ranks))
    turned = gather(features, canonical(rows[list(order)][None], ranks))
    assert torch.equal(straight[0], turned[0]) and torch.equal(straight[1], turned[1])


def test_gather_fills_padding_with_zeros():
    features = np.arange(8, dtype=np.float32).reshape(4, 2) + 1
    batch, mask = gather(features, np.array([[2, -1], [0, 3]]))
    assert batch.tolist() == [[[5, 6], [0, 0]], [[1, 2], [7, 8]]]
    assert mask.tolist() == [[True, False], [True, True]]


def test_corruption_replaces_one_or_two_by_the_same_category_from_the_pool():
    outfits = outfit_set(400)
    pool = np.arange(0, 40, 2)  # also rows that are not in the pool can be replaced
    corruptor = Corruptor(pool, CATEGORIES)
    corrupted, changed = corruptor.corrupt(outfits.rows, np.random.default_rng(0), two=0.25)
    assert set(changed.sum(1)) == {1, 2} and 0.15 < (changed.sum(1) == 2).mean() < 0.35
    assert (corrupted[changed] != outfits.rows[changed]).all() and np.isin(corrupted[changed], pool).all()
    np.testing.assert_array_equal(CATEGORIES[corrupted[changed]], CATEGORIES[outfits.rows[changed]])
    np.testing.assert_array_equal(corrupted[~changed], outfits.rows[~changed])


def test_replacements_are_uniform_over_the_others():
    corruptor = Corruptor(np.arange(8), CATEGORIES)
    drawn = corruptor.draw(np.full(7000, 3), np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=8)
    assert counts[3] == 0 and (np.delete(counts, 3) > 850).all()


def test_a_lone_item_is_never_an_incoherent_outfit():
    corruptor = Corruptor(np.arange(40), CATEGORIES)
    rows = np.array([[0, -1, -1], [0, 8, -1]])
    assert corruptor.replaceable(rows).tolist() == [[False, False, False], [True, True, False]]
    _, changed = corruptor.corrupt(rows, np.random.default_rng(0))
    assert changed.any(1).tolist() == [False, True]


def test_what_cannot_be_replaced_stays():
    corruptor = Corruptor(np.array([0, 8]), CATEGORIES)  # one item per category
    corrupted, changed = corruptor.corrupt(np.array([[0, 8, -1]]), np.random.default_rng(0))
    assert not changed.any() and corrupted.tolist() == [[0, 8, -1]]


@pytest.mark.parametrize("item_dropout", [0.0, 1.0])
def test_training_batches(item_dropout):
    outfits = outfit_set()
    features = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    collate = TrainingCollator(outfits, features, HIDE_NOTHING, corruptions=2, item_dropout=item_dropout)
    torch.manual_seed(0)
    batch = collate(list(range(50)))
    assert len(batch["features"]) == 150 and batch["coherent"].sum() == 50 and batch["label_mask"][:50].all()
    lengths, whole = batch["mask"].sum(1).numpy(), (outfits.rows >= 0).sum(1)
    assert (batch["mask"].int().diff(dim=1) <= 0).all()  # items first, padding last
    if item_dropout:
        assert (lengths[:50] <= whole).all() and (lengths[:50] == 1).any() and (lengths[50:] >= 2).all()
    else:
        np.testing.assert_array_equal(lengths, np.tile(whole, 3))
    again = collate(list(range(50)))
    assert not torch.equal(batch["features"][50:, 0], again["features"][50:, 0])  # fresh each time
    torch.manual_seed(0)
    assert torch.equal(collate(list(range(50)))["features"], batch["features"])  # and repeatable from the seed


def test_a_changed_item_survives_item_dropout():
    outfits = outfit_set()
    collate = TrainingCollator(outfits, np.eye(40, dtype=np.float32), HIDE_NOTHING, item_dropout=1.0)
    rng = np.random.default_rng(0)
    corrupted, changed = collate.corruptors[0].corrupt(outfits.rows, rng)
    for _ in range(5):
        kept = collate.kept(corrupted, changed, rng)
        assert (
            kept[changed].all()
            and (kept.sum(1) > changed.sum(1)).sum() == ((outfits.rows >= 0).sum(1) > changed.sum(1)).sum()
        )


def test_modality_dropout_hides_pictures_or_texts_of_whole_outfits():
    outfits = outfit_set()
    bare = np.repeat(np.arange(5, dtype=np.float32)[:, None] + 10, 2, 1)
    # columns: picture 0-1, text 2-3, slot 4, has a picture 5, has a text 6
    hide = Modalities(slice(0, 2), slice(2, 4), slice(5, 7), bare)
    features = np.ones((40, 7), np.float32)
    features[:, 4] = CATEGORIES  # so that the test can tell the category
    collate = TrainingCollator(outfits, features, hide, image_dropout=0.4, text_dropout=0.4)
    batch = collate(list(range(50)))
    kinds = set()
    for outfit, mask in zip(batch["features"], batch["mask"], strict=True):
        category = outfit[mask][:, 4]
        whole = torch.ones(len(category), 7)
        whole[:, 4] = category
        no_image, no_text = whole.clone(), whole.clone()
        no_image[:, [0, 1, 5]] = 0
        no_text[:, 2:4] = category[:, None] + 10
        kinds |= {
            name
            for name, value in (("whole", whole), ("no image", no_image), ("no text", no_text))
            if torch.equal(outfit[mask], value)
        }
        assert any(torch.equal(outfit[mask], value) for value in (whole, no_image, no_text))
        assert (outfit[~mask] == 0).all()
    assert kinds == {"whole", "no image", "no text"}


def test_fixed_questions():
    outfits = outfit_set()
    test = CoherenceTest.make(outfits, seed=1)
    again = CoherenceTest.make(outfits, seed=1)
    np.testing.assert_array_equal(test.corrupted, again.corrupted)
    np.testing.assert_array_equal(test.questions, again.questions)
    assert not np.array_equal(test.corrupted, CoherenceTest.make(outfits, seed=2).corrupted)
    assert test.questions.shape[1:] == (4, 5) and len(test.questions) == 50
    np.testing.assert_array_equal(test.questions[:, 0], outfits.rows)
    for question in test.questions:
        assert len({tuple(q) for q in question}) == 4
        assert len({tuple(CATEGORIES[q[q >= 0]]) for q in question}) == 1
