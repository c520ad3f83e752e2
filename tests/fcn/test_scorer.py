import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from fcn import ArtifactError, DataError, DataFolder, Item, Outfit, OutfitScorer, Profile
from fcn.wardrobe import FoundSlot

PROFILE = "body_figure=triangle,skin_color=fair,height=low"


@pytest.fixture(scope="module")
def outfits(small_sample):
    return [list(outfit.item_ids) for outfit in DataFolder.open(small_sample).outfit_list("test")]


def numbers(result):
    return np.array([result.score, result.coherence, result.personal, result.familiarity, *result.labels.values()])


def test_result_is_complete_and_consistent(scorer, outfits):
    result = scorer.score(outfits[0], PROFILE)
    assert 0 <= result.score <= 1 and result.score == pytest.approx(result.coherence * result.personal)
    assert list(result.labels) == scorer.vocabulary.outfit_labels and all(0 <= p <= 1 for p in result.labels.values())
    assert [e.label for e in result.evidence] == ["body_figure=triangle", "height=low", "skin_color=fair"]
    data = result.to_json()
    assert (
        data["items"] == outfits[0] and data["score"] == result.score and data["profile"][0] == "body_figure=triangle"
    )


def test_batch_equals_one_by_one(scorer, outfits):
    together = scorer.score([*outfits, outfits[0][:1]], PROFILE)
    alone = [scorer.score(outfit, PROFILE) for outfit in [*outfits, outfits[0][:1]]]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(numbers(a), numbers(b), atol=1e-6, rtol=0)


def test_order_does_not_matter_even_within_a_slot(scorer, outfits, small_sample):
    catalog = scorer.catalog
    accessories = catalog.ids.filter(catalog.slots == 6).to_pylist()[:2]
    own = [*outfits[0], *accessories]
    mixed = [*own, small_sample / catalog[3].image, small_sample / catalog[4].image]
    rng = np.random.default_rng(0)
    for outfit, rounding in ((own, 0), (mixed, 1e-6)):  # pictures are encoded in the order given: rounding differs
        first = numbers(scorer.score(outfit, PROFILE))
        for _ in range(5):
            turned = [outfit[i] for i in rng.permutation(len(outfit))]
            np.testing.assert_allclose(numbers(scorer.score(turned, PROFILE)), first, rtol=0, atol=rounding)


def logit(p):
    return np.log(p / (1 - p))


def test_evidence_and_what_is_not_stated_add_up_to_the_personal_fit(scorer, outfits):
    result = scorer.score(outfits[0], "body_figure=triangle,body_figure=round,hair_color=black")
    assert [e.polarity for e in result.evidence] == ["unsuits", "unsuits", "suits"]
    slope = scorer.personal.slope
    assert slope > 0
    for evidence, weight in zip(result.evidence, (-0.5, -0.5, 1), strict=True):
        assert evidence.probability == pytest.approx(result.labels[evidence.label], abs=1e-9)
        assert evidence.effect == pytest.approx(slope * weight * (evidence.probability - evidence.base_rate), abs=1e-9)
    assert logit(result.personal) == pytest.approx(sum(e.effect for e in result.evidence) + result.unstated, abs=1e-6)


def test_nothing_stated_is_the_average_person(scorer, outfits, small_sample):
    """People who state everything, each as often as in people.parquet: their mean log-odds are those of nobody."""
    groups = {g.name: g.values for g in scorer.vocabulary.groups if g.polarity is not None}
    population = dict(zip(scorer.labels, scorer.personal.population, strict=True))
    nobody = scorer.score(outfits[0])
    assert nobody.evidence == () and nobody.silent == {}
    mean = sum(
        population[f"{group}={value}"] * logit(scorer.score(outfits[0], f"{group}={value}").personal)
        for group, values in list(groups.items())[:1]
        for value in values
    )
    assert mean == pytest.approx(logit(nobody.personal), abs=1e-6)


def test_pieces_from_another_world_make_it_unsure_and_its_own_do_not(scorer, outfits):
    own = scorer.score(outfits)
    assert np.median([result.familiarity for result in own]) > 0.1
    words = ("diesel generator, 40 kVA", "box of nails", "motor oil 5W-30")
    alien = scorer.score([Item(f"x{i}", text, "hardware", "other") for i, text in enumerate(words)])
    assert alien.familiarity == min(result.familiarity for result in [*own, alien]) and not alien.sure
    assert alien.to_json()["familiarity"] == alien.familiarity and alien.to_json()["sure"] is False
    assert "UNSURE" in str(alien.explain(swaps=0))


def test_a_picture_alone_is_judged_by_its_look(scorer, small_sample):
    """Its text features are a guess of the encoder's, no evidence of being familiar."""
    picture = small_sample / scorer.catalog[0].image
    wardrobe = scorer.wardrobe([(picture,)])
    by_look = scorer.familiarity.of_items(wardrobe.extra, np.array([[True, False]]))
    expected = scorer.familiarity.of_outfit(by_look, np.array([[True, False]]))
    assert scorer.score([picture]).familiarity == expected


def test_pictures_paths_and_items_in_any_mixture(scorer, outfits, small_sample):
    catalog = scorer.catalog
    row = catalog.row(outfits[0][0])
    path = small_sample / catalog[row].image
    by_path, by_text = scorer.score([path, outfits[0][1]]), scorer.score([str(path), outfits[0][1]])
    opened = scorer.score([Image.open(path), outfits[0][1]])
    np.testing.assert_array_equal(numbers(by_path), numbers(by_text))
    np.testing.assert_array_equal(numbers(by_path), numbers(opened))
    assert by_path.items == (str(path), outfits[0][1]) and opened.items == ("picture 1", outfits[0][1])
    guessed = by_path.to_json()["slots"][0]
    assert guessed["source"] == "predicted" and 0 < guessed["probability"] <= 1
    assert by_path.slots[1] == FoundSlot(catalog.get(outfits[0][1]).slot, "catalogue", None)
    known = catalog[row]
    assert scorer.score([known]).slots == (FoundSlot(known.slot, "given", None),)
    same = Item("mine", known.title, known.category, known.slot, str(path.resolve()), known.attributes)
    np.testing.assert_allclose(numbers(scorer.score([same])), numbers(scorer.score([known.item_id])), atol=1e-6)


def test_posterior_embedding_and_outfit_objects(scorer, outfits):
    posterior = scorer.label_posterior(outfits)
    assert posterior.shape == (len(outfits), len(scorer.labels))
    np.testing.assert_allclose(posterior[1], list(scorer.score(outfits[1]).labels.values()), atol=1e-6)
    assert scorer.embed(outfits).shape == (len(outfits), scorer.model.out_dim)
    assert scorer.score(Outfit("o", tuple(outfits[1]))).items == tuple(outfits[1])
    assert scorer.label_posterior([]).shape == (0, len(scorer.labels))


@pytest.mark.parametrize(
    ("outfit", "profile", "said"),
    [
        (["i0000"], "", "did you mean"),
        ([], "", "at least one item"),
        ([["i00001"], []], "", "at least one item"),
        (["i00001"], "body_figure=triangel", "triangle"),
        (["i00001"], "body=triangle", "label group"),
        (["i00001", "nowhere.png"], "", "nowhere.png"),
        (["i00001", 7], "", "int is no item"),
        ("i00001", "", "one text is not an outfit"),
    ],
)
def test_bad_input_gives_one_clear_error(scorer, outfit, profile, said):
    with pytest.raises(DataError, match=said):
        scorer.score(outfit, profile)


def test_an_empty_picture_is_refused(scorer, tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(DataError, match=r"empty\.png.*0 bytes"):
        scorer.score([tmp_path / "empty.png"])


def test_another_catalogue_can_be_attached(tiny_run, toy_folder, tmp_path):
    scorer = OutfitScorer.from_pretrained(tiny_run[0]).use(toy_folder, tmp_path / "cache")
    assert scorer.score(["i00", "i04", "i11"]).items == ("i00", "i04", "i11")
    with pytest.raises(DataError, match="i00001"):
        scorer.score(["i00001"])


def test_loading_gives_the_same_numbers(tiny_run, scorer, outfits):
    again = OutfitScorer.from_pretrained(str(tiny_run[0]))
    for a, b in zip(scorer.score(outfits, PROFILE), again.score(outfits, PROFILE), strict=True):
        np.testing.assert_array_equal(numbers(a), numbers(b))


def test_silent_labels_are_named_with_the_reason_and_move_nothing(tiny_run):
    scorer = OutfitScorer.from_pretrained(tiny_run[0])
    groups = scorer.vocabulary.to_json() + [{"name": "age", "values": ["young", "old"], "polarity": None}]
    silent = {"skin_color=fair": "no training outfit carries it"}
    scorer.personal = dataclasses.replace(
        scorer.personal, vocabulary=type(scorer.vocabulary).from_json(groups), silent=silent
    )
    scorer.vocabulary = scorer.personal.vocabulary
    item = scorer.catalog[0].item_id
    result = scorer.score([item], Profile.parse("age=young,height=low,skin_color=fair"))
    assert result.silent == {"age=young": "describes people, no outfit is labelled with it", **silent}
    assert [e.label for e in result.evidence] == ["height=low"]
    assert result.personal == scorer.score([item], "height=low").personal
    assert "skin_color=fair says nothing: no training outfit carries it" in str(result.explain(swaps=0))


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "artifact.json", "label_graph.json", "features.npy", "items.parquet", "familiarity.json"],
)
def test_a_damaged_or_missing_file_is_named(tiny_run, tmp_path, name):
    copy = tmp_path / "model"
    shutil.copytree(tiny_run[0], copy, ignore=shutil.ignore_patterns("cache"))
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        OutfitScorer.from_pretrained(copy)
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=name.replace(".", r"\.")):
        OutfitScorer.from_pretrained(copy)
