"""Trainings without labels: no label group of the folder has a polarity."""

import json
import sys

import numpy as np
import pytest

import train_fcn
from fcn import ArtifactError, DataFolder, Item, Outfit, OutfitScorer, write_folder
from fcn.train import TrainOptions, train

SIZES = {"hidden": 16, "filters": 8, "pair_dim": 8}
KINDS = {"upper": "sweater", "bottom": "trousers", "shoes": "boots"}
COLOURS = ("black", "white", "red", "navy", "mustard")


def items(each=3):
    return [
        Item(f"{colour}-{kind}-{i}", f"{colour} {kind}", kind, slot, attributes={"colour": colour})
        for slot, kind in KINDS.items()
        for colour in COLOURS
        for i in range(each)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Outfits of one colour, text only; the group `mood` has no polarity, so that no outfit carries it."""
    rng = np.random.default_rng(0)
    outfits = []
    for k in range(160):
        colour = COLOURS[rng.integers(len(COLOURS))]
        worn = [f"{colour}-{kind}-{rng.integers(3)}" for kind in KINDS.values()]
        outfits.append(Outfit(f"o{k}", worn, (), "train" if k < 100 else "val" if k < 130 else "test"))
    groups = [{"name": "mood", "values": ["calm"], "polarity": None}]
    info = {"name": "one colour", "licence": "made", "source": "made", "label_groups": groups, "made": True}
    return write_folder(tmp_path_factory.mktemp("bare") / "data", info, items(), outfits).path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("bare") / "fcn"
    return out, train(TrainOptions(folder, out, epochs=6, sizes=SIZES))


def test_coherence_alone_is_learnt_and_reported(run):
    out, report = run
    assert not {"map", "of1", "ece"} & set(report["test"])
    assert report["test"]["coherence_auc"] > 0.7 and report["test"]["fitb"] > 0.6
    assert set(report["prior"]["test"]) == {"coherence_auc", "fitb"}
    assert set(report["experts"]) == {"outfit", "colours", "evidence"}
    lengths = report["by_length"]["test"]
    assert set(lengths) == {"3"} and lengths["3"]["outfits"] == 30
    assert lengths["3"]["fitb"] == pytest.approx(report["test"]["fitb"])
    assert json.loads((out / "metrics.json").read_text()) == report


def test_personal_fit_says_nothing(run):
    scorer = OutfitScorer.from_pretrained(run[0])
    outfit = ["red-sweater-0", "red-trousers-1", "red-boots-0"]
    result = scorer.score(outfit, "mood=calm")
    assert result.personal == 0.5 and result.labels == {} and result.evidence == ()
    assert result.score == pytest.approx(result.coherence / 2)
    mixed = scorer.score(["red-sweater-0", "navy-trousers-1", "mustard-boots-0"])
    assert mixed.coherence < result.coherence
    assert "coherence" in str(result.explain(swaps=1))


def test_loading_order_batch_and_a_changed_catalogue_keep_the_score(run, folder, tmp_path):
    scorer = OutfitScorer.from_pretrained(run[0])
    outfits = [["red-sweater-0", "red-trousers-1", "navy-boots-0"], ["black-boots-2", "white-sweater-1"]]
    # to rounding: a matrix product adds up in another order when the batch is of another size
    alone = pytest.approx([scorer.score(outfit).coherence for outfit in outfits], abs=1e-6)
    assert [one.coherence for one in scorer.score([list(reversed(o)) for o in outfits])] == alone
    assert [one.coherence for one in OutfitScorer.from_pretrained(run[0]).score(outfits)] == alone
    # the same items in another order, one gone, others new
    changed = [Item("new", "pink boots", "boots", "shoes", attributes={"colour": "pink"}), *reversed(items()[1:])]
    info = DataFolder.open(folder).info
    other = write_folder(tmp_path / "other", {key: info[key] for key in info if key != "format"}, changed)
    kept = OutfitScorer.from_pretrained(run[0]).use(other, tmp_path / "cache")
    known = [["red-sweater-2", "red-trousers-1", "navy-boots-0"], outfits[1]]
    before, after = scorer.score(known), kept.score(known)
    assert [one.coherence for one in after] == pytest.approx([one.coherence for one in before], abs=1e-6)
    rows = np.array([kept.catalog.rows(["new", "red-sweater-2"])])
    assert kept.cooccurrence.pairs(rows)[0, 0, -1] == 1  # of the two, the new one is unknown


def test_damaged_evidence_is_refused(run, tmp_path):
    import shutil

    copy = tmp_path / "fcn"
    shutil.copytree(run[0], copy)
    (copy / "cooccurrence.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="cooccurrence"):
        OutfitScorer.from_pretrained(copy)


@pytest.mark.parametrize("head", ["pooled", "conv", "set-transformer"])
def test_the_other_heads_train_load_and_print(folder, tmp_path, head, monkeypatch, capsys):
    out = tmp_path / "fcn"
    command = ["train_fcn.py", "--data", str(folder), "--out", str(out), "--coherence", head, "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", command)
    assert train_fcn.main() == 0
    assert "coherence alone" in capsys.readouterr().out
    scorer = OutfitScorer.from_pretrained(out)
    assert scorer.model.settings.coherence == head and not (out / "cooccurrence.safetensors").exists()
    assert 0 < scorer.score(["red-sweater-0", "red-boots-1"]).coherence < 1
