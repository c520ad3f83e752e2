"""The card: nothing overlaps or leaves the page, whatever the outfit holds and whatever its texts say."""

import dataclasses

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from fcn import Catalog, DataError, Item, OutfitScorer, write_folder
from fcn.card import WIDTH, compose, draw_card
from fcn.explain import ItemEffect, Swap

PROFILE = "body_figure=triangle,height=low,hair_color=black"
HOSTILE = [
    r"$\frac{1}{0}$ dress for 20$ or 30$",
    r"\usepackage {x} ^_^ % & # ~",
    "ドレス 赤い 長袖 👗✨ 裙子",
    "فستان أحمر <b>bold</b> [SEP]",
    "x" * 3000,
    "a very long title " * 200,
    "tab\tand\x07bell\u202eturned",
    "\U0001f9e6 e\u0301 \ufffd \ud7a3",
]


@pytest.fixture(scope="module")
def hostile(tiny_run, scorer, tmp_path_factory):
    """The trained model with a catalogue whose texts mean harm; its first piece has no picture."""
    base = tmp_path_factory.mktemp("hostile")
    (base / "raw" / "images").mkdir(parents=True)
    Image.new("RGB", (30, 90), "navy").save(base / "raw" / "images" / "a.png")
    items = [
        Item(f"h{i}", title, "dress $x$" if i else "shoes_{2", "shoes" if i == 0 else "upper",
             "images/a.png" if i else None, {}, 1e6 + i)
        for i, title in enumerate(HOSTILE)
    ]  # fmt: skip
    info = {"name": "hostile", "licence": "CC0-1.0", "source": "tests", "description": "", "made": True,
            "label_groups": scorer.vocabulary.to_json()}  # fmt: skip
    write_folder(base / "data", info, items, images_from=base / "raw")
    return OutfitScorer.from_pretrained(tiny_run[0]).use(base / "data", base / "cache")


def boxes(sheet, height):
    """(text, x0, y0, x1, y1) of every line of text, in pixels from the bottom left."""
    sheet.figure.set_size_inches(WIDTH / sheet.figure.dpi, round(height) / sheet.figure.dpi)
    sheet.axes.set(xlim=(0, WIDTH), ylim=(round(height), 0))
    renderer = FigureCanvasAgg(sheet.figure).get_renderer()
    return [(t.get_text(), *t.get_window_extent(renderer).extents) for t in sheet.axes.texts]


def assert_laid_out(sheet, height):
    found = boxes(sheet, height)
    for text, x0, y0, x1, y1 in found:
        assert x0 >= 0 and x1 <= WIDTH and y0 >= 0 and y1 <= height, text
    for k, (text, x0, y0, x1, y1) in enumerate(found):
        for other, u0, v0, u1, v1 in found[k + 1 :]:
            apart = x1 <= u0 + 1 or u1 <= x0 + 1 or y1 <= v0 + 3 or v1 <= y0 + 3  # boxes hold the descenders
            assert apart, (text, other)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 13])
def test_nothing_overlaps_or_leaves_the_page(scorer, small_sample, count):
    ids = scorer.catalog.ids.to_pylist()[:count]
    if count > 2:
        ids[1] = small_sample / scorer.catalog[1].image
    result = scorer.score(ids, PROFILE if count % 2 else "")
    sheet, height = compose(result, result.explain())
    assert_laid_out(sheet, height)
    drawn = " ".join(text for text, *_ in boxes(sheet, height))
    assert "of 100" in drawn and ("suits hair color black" in drawn) == bool(count % 2)


def test_texts_of_a_catalogue_are_data(hostile, tmp_path, recwarn):
    result = hostile.score([f"h{i}" for i in range(len(HOSTILE))], PROFILE)
    explanation = result.explain()
    draw_card(result, explanation, tmp_path / "card.png")
    sheet, height = compose(result, explanation)
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    with Image.open(tmp_path / "card.png") as card:
        assert card.size == (WIDTH, round(height))
    assert_laid_out(sheet, height)
    assert not any(text.get_parse_math() for text in sheet.axes.texts)
    drawn = [text.get_text() for text in sheet.axes.texts]
    assert any(text.startswith(r"$\frac{1}{0}$") for text in drawn) and any("…" in text for text in drawn)
    assert "tab and bellturned" in drawn  # the mark that turns the direction is gone
    assert "shoes_{2" in drawn  # the tile of the piece without a picture


def test_the_spoiling_piece_and_the_swap_are_shown(scorer):
    ids = scorer.catalog.ids.to_pylist()
    result = scorer.score(ids[:3], PROFILE)
    found = dataclasses.replace(
        result.explain(), score=0.4, coherence=0.5, personal=0.8,
        items=(ItemEffect(ids[1], "", 0.2, 0.1, 0.1), ItemEffect(ids[0], "", 0.001, 0, 0),
               ItemEffect(ids[2], "", -0.3, 0, 0)),
        swaps=(Swap(ids[1], ids[9], "", 1234.5, 0.75, 0.35),),
    )  # fmt: skip

    def drawn(explanation):
        return [text.get_text() for text in compose(result, explanation)[0].axes.texts]

    texts = drawn(found)
    assert texts.count("spoils it") == 1 and "without it 60 (+20)" in texts and "without it 10 (−30)" in texts
    assert "without it still 40" in texts and "1,234.50" in texts and "40 → 75 (+35)" in texts
    none = dataclasses.replace(found, items=tuple(dataclasses.replace(e, score=-0.1) for e in found.items), swaps=())
    assert "spoils it" not in drawn(none) and "Best swap" not in drawn(none)


def test_polarity_is_said_in_words(scorer):
    result = scorer.score([scorer.catalog[0].item_id], "body_figure=triangle,hair_color=black")
    texts = [text.get_text() for text in compose(result, result.explain())[0].axes.texts]
    assert "does not suit body figure triangle" in texts and "suits hair color black" in texts


def test_it_says_how_sure_it_is_and_what_it_cannot_say(scorer):
    result = scorer.score([scorer.catalog[0].item_id], "height=low")
    silent = {"age=middle_aged": "no training outfit carries it"}
    for sure, word in ((True, "✓ sure"), (False, "? unsure, take it with care")):
        found = dataclasses.replace(result.explain(), sure=sure, familiarity=0.02, silent=silent)
        texts = " ".join(text.get_text() for text in compose(result, found)[0].axes.texts)
        assert word in texts and "than 2% of known outfits" in texts
        assert "age middle aged says nothing: no training outfit carries it" in texts


def test_a_model_without_labels_says_nothing_of_the_wearer(scorer):
    result = scorer.score([scorer.catalog[0].item_id])
    explanation = result.explain(swaps=0)

    def drawn(result):
        sheet, height = compose(result, explanation)
        assert_laid_out(sheet, height)
        return [text.get_text() for text in sheet.axes.texts]

    assert "× suits the wearer" in drawn(result)
    assert not any("wearer" in text for text in drawn(dataclasses.replace(result, labels={})))


def test_pictures_that_did_not_come_along_become_tiles(tiny_run, tmp_path):
    moved = OutfitScorer.from_pretrained(tiny_run[0])
    for root in (None, tmp_path / "gone"):
        moved.catalog = Catalog(moved.catalog.table, root)
        result = moved.score([moved.catalog[0].item_id], PROFILE)
        sheet, _ = compose(result, result.explain(swaps=0))
        assert not sheet.axes.images and moved.catalog[0].category in {t.get_text() for t in sheet.axes.texts}


@pytest.mark.parametrize("name", ["card.png", "card.pdf", "card.svg", "new/folder/card.PNG"])
def test_the_ending_names_the_kind(scorer, tmp_path, name):
    result = scorer.score([scorer.catalog[0].item_id])
    draw_card(result, result.explain(swaps=0), tmp_path / name)
    heads = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert (tmp_path / name).read_bytes().startswith(heads[name[-3:].lower()])
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_an_unknown_ending_is_refused(scorer, tmp_path):
    result = scorer.score([scorer.catalog[0].item_id])
    for name in ("card.docx", "card"):
        with pytest.raises(DataError, match=r"no kind of picture; end it in one of .*png"):
            draw_card(result, result.explain(swaps=0), tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        draw_card(result, result.explain(swaps=0), tmp_path / "file" / "card.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
