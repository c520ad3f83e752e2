import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

import train_fcn
from fcn import ArtifactError, DataError, DataFolder, OutfitScorer
from fcn.label_graph import LabelGraph
from fcn.train import Splits, TrainOptions, item_encoder, train


def test_the_run_leaves_a_model_and_its_report(tiny_run, small_sample):
    out, report = tiny_run
    names = {p.name for p in out.iterdir()}
    assert {
        "artifact.json",
        "model.safetensors",
        "metrics.json",
        "history.json",
        "curves.png",
        "label_graph.png",
        "reliability.png",
        "items.parquet",
    } <= names
    assert "checkpoints" not in names
    assert json.loads((out / "metrics.json").read_text()) == report
    wanted = {"map", "cf1", "of1", "of1_top3", "coherence_auc", "fitb", "ece"}
    for split in ("val", "test"):
        assert wanted <= set(report[split]) and {"map", "cf1"} <= set(report["prior"][split])
    assert report["made"] is True and report["seed"] == 0
    assert 0 <= report["test"]["coherence_auc"] <= 1 and 0 <= report["test"]["fitb"] <= 1
    assert len(json.loads((out / "history.json").read_text())["rows"]) == 2


def test_the_same_seed_gives_the_same_numbers(tiny_run, small_sample, tiny_image_encoder, tmp_path):
    out, report = tiny_run
    sizes = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}  # as those of tiny_run
    again = train(TrainOptions(small_sample, tmp_path, image_encoder=str(tiny_image_encoder), epochs=2, sizes=sizes))
    assert again["val"] == report["val"] and again["test"] == report["test"]
    first, second = (load_file(folder / "model.safetensors") for folder in (out, tmp_path))
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def test_the_prior_ranks_every_outfit_alike(tiny_run, small_sample):
    test = Splits.read(DataFolder.open(small_sample)).test
    share = test.targets.mean(0)
    assert tiny_run[1]["prior"]["test"]["map"] == pytest.approx(share[share > 0].mean())


def test_training_data_alone_shape_graph_and_encoders(small_sample, tiny_image_encoder, tmp_path):
    """Other outfits and other titles in the test split: graph, base rates and encoders stay the same."""
    other = tmp_path / "other"
    shutil.copytree(small_sample, other)
    outfits = pq.read_table(other / "outfits.parquet").to_pylist()
    worn = {i for o in outfits if o["split"] != "test" for i in o["item_ids"]}
    for outfit in outfits:
        if outfit["split"] == "test":
            outfit["labels"] = ["height=low"]
    schema = pq.read_schema(other / "outfits.parquet")
    pq.write_table(pq.read_table(other / "outfits.parquet").from_pylist(outfits, schema), other / "outfits.parquet")
    items = pq.read_table(other / "items.parquet").to_pylist()
    for item in items:
        if item["item_id"] not in worn:
            item["title"] = "an altogether unheard-of zyzzyva"
    table = pq.read_table(other / "items.parquet")
    pq.write_table(table.from_pylist(items, table.schema), other / "items.parquet")
    found = []
    for data in (small_sample, other):
        folder = DataFolder.open(data)
        splits = Splits.read(folder)
        graph = LabelGraph.from_labels(folder.vocabulary.outfit_labels, splits.train.targets)
        options = TrainOptions(data, tmp_path / data.name, image_encoder=str(tiny_image_encoder))
        found.append((graph.to_json(), item_encoder(options, folder, splits.train).fingerprint))
    assert found[0] == found[1]


def test_a_folder_without_outfits_or_labels_is_refused(toy_folder, tmp_path):
    (toy_folder / "outfits.parquet").unlink()
    with pytest.raises(DataError, match=r"outfits\.parquet"):
        train(TrainOptions(toy_folder, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_killed_runs_resume(small_sample, tiny_image_encoder, tmp_path, repo_root, monkeypatch, capsys):
    """SIGKILL once there is a checkpoint; the same command then goes on from it and finishes."""
    out = tmp_path / "fcn"
    command = [sys.executable, str(repo_root / "train_fcn.py"), "--data", str(small_sample), "--out", str(out)]
    command += ["--image-encoder", str(tiny_image_encoder), "--epochs", "4", "--batch-size", "32"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 60
    while not list(out.glob("checkpoints/checkpoint-*/complete.json")):
        assert run.poll() is None and time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (out / "artifact.json").exists()
    monkeypatch.setattr(sys, "argv", command[1:])
    assert train_fcn.main() == 0
    assert "resuming from" in "".join(capsys.readouterr())
    epochs = [row["epoch"] for row in json.loads((out / "history.json").read_text())["rows"]]
    assert epochs == list(range(1, len(epochs) + 1))
    assert np.isfinite(
        OutfitScorer.from_pretrained(out).score([DataFolder.open(small_sample).catalog[0].item_id]).score
    )


@pytest.mark.parametrize("head", ["linear", "query"])
def test_the_other_heads_train_and_load_too(head, small_sample, tiny_image_encoder, tmp_path):
    sizes = {"hidden": 8, "filters": 4, "pair_dim": 4}
    options = TrainOptions(small_sample, tmp_path / "fcn", image_encoder=str(tiny_image_encoder), head=head)
    report = train(dataclasses.replace(options, epochs=1, loss="asl", sizes=sizes))
    scorer = OutfitScorer.from_pretrained(tmp_path / "fcn")
    assert 0 < report["val"]["map"] < 1 and scorer.model.settings.head == head
    assert 0 < scorer.score([scorer.catalog[0].item_id]).score < 1


def test_bad_data_end_with_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    command = ["train_fcn.py", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", command)
    assert train_fcn.main() == 2
    error = capsys.readouterr().err
    assert "no such folder" in error and error.count("\n") == 1


def test_a_run_with_other_options_does_not_resume_silently(small_sample, tiny_image_encoder, tmp_path):
    (tmp_path / "fcn" / "checkpoints").mkdir(parents=True)
    (tmp_path / "fcn" / "checkpoints" / "run.json").write_text('{"seed": 7}')
    options = TrainOptions(small_sample, tmp_path / "fcn", image_encoder=str(tiny_image_encoder), epochs=1)
    with pytest.raises(ArtifactError, match="--restart"):
        train(options)
