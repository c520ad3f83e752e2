import numpy as np
import pytest

from fcn.familiarity import Familiarity

COLUMNS = {"image": slice(0, 8), "text": slice(8, 16), "slot": slice(16, 17), "flags": slice(17, 19)}
RNG = np.random.default_rng(0)


def items(count, centre=1.0, rng=RNG):
    """Pictures and texts around one direction; `centre` turns them round."""
    features = np.zeros((count, 19), np.float32)
    for part in ("image", "text"):
        features[:, COLUMNS[part]] = centre * np.eye(8)[0] + 0.3 * rng.normal(size=(count, 8))
    return features


def fitted(features, outfits):
    return Familiarity.fit(features, COLUMNS, np.arange(200), outfits, seed=0)


def test_the_promise_holds_for_outfits_of_the_same_world():
    """Conformal validity: a share of at most e, but for chance, has a value below e."""
    features = items(1000)
    outfits = RNG.integers(200, 1000, (900, 3))
    found = fitted(features, outfits[:400]).of_rows(features, outfits[400:])
    for level in (0.05, 0.2, 0.5, 0.8):
        assert (found < level).mean() == pytest.approx(level, abs=0.08)
    assert found.min() >= 1 / 401 and found.max() <= 1


def test_another_world_is_strange_by_picture_by_text_and_by_both():
    familiarity = fitted(items(500), RNG.integers(200, 500, (200, 3)))
    alien = items(3, centre=-1.0)
    for shown in ([True, False], [False, True], [True, True]):
        shown = np.tile(shown, (3, 1))
        assert familiarity.of_outfit(familiarity.of_items(alien, shown), shown) == 1 / 201
        own = items(3)
        assert familiarity.of_outfit(familiarity.of_items(own, shown), shown) > 1 / 201


def test_what_is_not_shown_does_not_count():
    familiarity = fitted(items(500), RNG.integers(200, 500, (200, 3)))
    mixed = items(1)
    before = familiarity.of_items(mixed, np.array([[True, False]]))
    mixed[:, COLUMNS["text"]] *= -1
    np.testing.assert_array_equal(familiarity.of_items(mixed, np.array([[True, False]])), before)
    bare = np.zeros((1, 19), np.float32)
    assert np.isinf(familiarity.of_items(bare)).all()
    assert familiarity.of_outfit(familiarity.of_items(bare), familiarity.shown(bare)) == 1 / 201


def test_a_training_item_is_compared_with_the_others():
    features = items(300)
    familiarity = fitted(features, RNG.integers(200, 300, (50, 3)))
    own, fresh = familiarity.of_items(features[:200]), familiarity.of_items(features[200:])
    assert own.min() > 0 and own.mean() == pytest.approx(fresh.mean(), rel=0.2)


def test_padding_and_order_do_not_matter():
    features = items(300)
    familiarity = fitted(features, RNG.integers(200, 300, (50, 3)))
    outfits = np.array([[210, 220, -1, -1], [220, 210, -1, -1]])
    np.testing.assert_allclose(
        familiarity.of_rows(features, outfits), familiarity.of_rows(features, outfits[::-1, [1, 0]])
    )


def test_saved_and_loaded_it_says_the_same(tmp_path):
    features = items(500)
    familiarity = fitted(features, RNG.integers(200, 500, (200, 3)))
    familiarity.save(tmp_path)
    again = Familiarity.load(tmp_path, COLUMNS)
    outfits = RNG.integers(0, 500, (100, 4))
    np.testing.assert_array_equal(again.of_rows(features, outfits), familiarity.of_rows(features, outfits))


def test_without_pictures_texts_decide():
    features = items(300)[:, 8:]
    columns = {"image": slice(0, 0), "text": slice(0, 8)}
    familiarity = Familiarity.fit(features, columns, np.arange(200), RNG.integers(200, 300, (50, 3)), seed=0)
    alien = items(2, centre=-1.0)[:, 8:]
    assert familiarity.of_outfit(familiarity.of_items(alien), familiarity.shown(alien)) == 1 / 51


def test_rounding_decides_nothing_even_where_all_pictures_look_alike():
    features = items(300)
    features[:, COLUMNS["image"]] = np.eye(8)[0] + 1e-3 * RNG.normal(size=(300, 8))
    outfits = RNG.integers(200, 300, (100, 3))
    familiarity = fitted(features, outfits)
    again = features + np.float32(1e-7) * RNG.normal(size=features.shape).astype(np.float32)
    before, after = (familiarity.of_rows(some, outfits) for some in (features, again))
    np.testing.assert_allclose(after, before, atol=0.011)  # one outfit more or less of a hundred
