"""datasets/fashionrec: dialogues of a folder from the command line, and the published release as a folder."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fashionm3.dialogues import TASKS, read_dialogues
from fcn import DataError, DataFolder
from fcn.schema import DIALOGUES

SCRIPT = Path(__file__).parents[2] / "datasets" / "fashionrec" / "prepare.py"
spec = importlib.util.spec_from_file_location("fashionrec_prepare", SCRIPT)
fashionrec = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = fashionrec
spec.loader.exec_module(fashionrec)
from fashionrec_release import slot_of  # noqa: E402


def test_dialogues_of_a_folder_from_the_command_line(toy_folder, tmp_path, capsys):
    iq = tmp_path / "iq"
    iq.mkdir()
    (iq / "cap.dress.train.json").write_text(json.dumps([{"target": "T", "candidate": "C", "captions": ["is longer"]}]))
    out, shards = tmp_path / "out", tmp_path / "shards"
    arguments = ["--data", str(toy_folder), "--out", str(out), "--each", "all", "--fashion-iq", str(iq),
                 "--shards", str(shards)]  # fmt: skip
    assert fashionrec.main(arguments) == 0
    printed = capsys.readouterr().out
    found = list(read_dialogues(out))
    by_task = {task: sum(one.task == task for one in found) for task in TASKS}
    # pieces x sets of others: 5 x 15, 3 x 3, 4 x 7, 3 x 3 and 3 x 3 to train; 3 x 3; two of three pieces
    assert by_task["basic"] == 75 + 9 + 28 + 9 + 9 + 9 + 9 + 9
    for task, number in by_task.items():
        assert next(line for line in printed.splitlines() if line.startswith(task)).split()[-1] == f"{number:,}"
    assert len(printed.splitlines()) < 24 and "captions understood: 1" in printed
    assert (shards / "data" / "basic_recommendation" / "valid" / "000.tar").is_file()
    assert DataFolder.open(toy_folder) and not (toy_folder / DIALOGUES).exists()
    assert fashionrec.main(["--data", str(toy_folder), "--tasks", "basic", "--each", "1"]) == 0
    assert len(list(read_dialogues(toy_folder))) == 8  # by default into the folder itself, which stays valid
    assert DataFolder.open(toy_folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "no such folder"),
        (["--raw", "nowhere"], "--out: missing"),
        (["--raw", "nowhere", "--out", "x"], "no such file"),
        (["--data", "TOY", "--each", "0"], "each: 0"),
        (["--data", "TOY", "--rewrite-url", "http://127.0.0.1:9"], "give both --rewrite-url and --rewrite-model"),
        (["--data", "TOY", "--rewrite-url", "http://127.0.0.1:9", "--rewrite-model", "m"], "no answer"),
        (["--data", "TOY", "--fashion-iq", "nowhere"], "no cap.CATEGORY.SPLIT.json"),
    ],
)
def test_one_clear_error(toy_folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert fashionrec.main([str(toy_folder) if part == "TOY" else part for part in arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (toy_folder / DIALOGUES).exists() and not list(toy_folder.glob(".*"))


def test_runs_as_a_script_from_anywhere(toy_folder, tmp_path):
    command = [sys.executable, str(SCRIPT), "--data", str(toy_folder), "--out", str(tmp_path / "o"), "--each", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sum(1 for _ in read_dialogues(tmp_path / "o")) > 8


ITEMS = {"t1": ("Tops", "Shirts", "White shirt"), "b1": ("Bags", "Tote bags", "Red tote"),
         "s1": ("Shoes", "Pumps", "Black pumps"), "s2": ("Shoes", "Mules", None)}  # fmt: skip


def piece(item_id: str) -> dict:
    category, subcategory, description = ITEMS.get(item_id, ("Other", "Hats", "A hat"))
    return {"item_id": item_id, "path": f"images/{item_id}.jpg", "category": category, "subcategory": subcategory,
            "description": description}  # fmt: skip


def sample(key: str, kept: list[str], target: str, **more) -> dict:
    talk = [{"from": "human", "value": "What goes with it?"}, {"from": "gpt", "value": f"Take {target}."}]
    pieces = {"partial_outfit": [piece(one) for one in kept], "target_items": [piece(target)]}
    return {"key": key, "conversation": talk} | pieces | more


@pytest.fixture
def release(tmp_path) -> Path:
    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(raw / "images" / "b1.jpg")
    (raw / "meta").mkdir()
    rows = [(item_id, f"images/{item_id}.jpg", *about) for item_id, about in ITEMS.items()]
    names = ("item_id", "path", "category", "subcategory", "gen_description")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    pq.write_table(table, raw / "meta" / "items_lite.parquet")
    outfits = pa.table({"outfit_id": [1, 2, 3], "item_ids": ["t1,b1,s1", "t1, s2", "b1,s2"]})
    pq.write_table(outfits, raw / "meta" / "outfits_lite.parquet")
    users = pa.table({"user_id": ["u1", "u2"], "outfit_ids": ["1,2", "3"]})
    pq.write_table(users, raw / "meta" / "users_lite.parquet")
    shard(raw, "basic", "test", [sample("0000000", ["t1", "b1"], "s1")])
    shard(raw, "personalized", "valid", [sample("0000000", ["t1"], "s2", uid="u1", history=[piece("h9")])])
    shard(raw, "alternative", "train", [sample("0000000", ["b1"], "s2", changeable_items=[piece("s2"), piece("s1")])])
    return raw


def shard(raw: Path, task: str, split: str, samples: list[dict]) -> None:
    folder = raw / "data" / f"{task}_recommendation" / split
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "000.tar", "w") as tar:
        for value in samples:
            for ending, data in (("jpg", b"jpg"), ("json", json.dumps(value).encode())):
                member = tarfile.TarInfo(f"{value['key']}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def test_the_release_becomes_a_folder(release, tmp_path):
    counts, told = fashionrec.prepare_release(release, tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out", images="full")
    assert counts == {("basic", "test"): 1, ("personalized", "val"): 1, ("alternative", "train"): 1}
    shirt, hat, mules = (folder.catalog.get(name) for name in ("t1", "h9", "s2"))
    assert (shirt.title, shirt.category, shirt.slot, shirt.image) == ("White shirt", "shirts", "upper", None)
    assert (hat.title, hat.slot) == ("A hat", "accessory") and (mules.title, mules.slot) == ("Mules", "shoes")
    assert folder.catalog.get("b1").image == "images/b1.jpg"
    assert {o.outfit_id: (o.item_ids, o.split) for o in folder.outfit_list()} == {
        "1": (("t1", "b1", "s1"), "test"), "2": (("t1", "s2"), "val"), "3": (("b1", "s2"), "train")}  # fmt: skip
    assert folder.user_ids == ["u1", "u2"]
    assert [one.key for one in read_dialogues(tmp_path / "out")] == [
        "basic/test/0000000", "personalized/val/0000000", "alternative/train/0000000"]  # fmt: skip
    assert told["items only in samples"] == 1 and told["items"] == 5 and told["people with samples in two splits"] == 0


def test_leaks_of_the_release_are_counted_and_test_keeps_the_outfit(release, tmp_path):
    shard(release, "basic", "train", [sample("0000000", ["s1", "b1"], "t1", uid="u1")])
    _, told = fashionrec.prepare_release(release, tmp_path / "out")
    assert told["sets of pieces with samples in two splits"] == 1 and told["people with samples in two splits"] == 1
    assert DataFolder.open(tmp_path / "out").outfit_list("test")[0].outfit_id == "1"


def test_a_bad_release_is_one_error_or_counted(release, tmp_path):
    shard(release, "basic", "train", [sample("0000000", ["t1"], "s1"), {"key": "0000001"}])
    with pytest.raises(DataError, match="train/000.tar, row 1, conversation: missing"):
        fashionrec.prepare_release(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    counts, told = fashionrec.prepare_release(release, tmp_path / "out", skip_bad=True)
    assert counts["basic", "train"] == 1 and told["samples left out: missing"] == 1
    pq.write_table(pa.table({"outfit_id": ["1"], "item_ids": ["t1,gone"]}), release / "meta" / "outfits_lite.parquet")
    shard(release, "basic", "train", [sample("0000000", ["t1"], "s1")] * 2)
    with pytest.raises(DataError, match="000.tar, row 1, key: '0000000': the key came before"):
        fashionrec.prepare_release(release, tmp_path / "other")
    assert fashionrec.prepare_release(release, tmp_path / "other", skip_bad=True)[0]["basic", "train"] == 1
    shard(release, "basic", "train", [sample("0000000", ["t1"], "s1")])
    with pytest.raises(DataError, match="outfits_lite.parquet, row 0, item_ids: 'gone'"):
        fashionrec.prepare_release(release, tmp_path / "other")
    assert fashionrec.prepare_release(release, tmp_path / "other", skip_bad=True)[1]["outfits"] == 0
    pq.write_table(pa.table({"outfit_id": ["1"]}), release / "meta" / "outfits_lite.parquet")
    with pytest.raises(DataError, match="outfits_lite.parquet, item_ids: missing column"):
        fashionrec.prepare_release(release, tmp_path / "third", skip_bad=True)
    (release / "meta" / "items_lite.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="items_lite.parquet: not readable as parquet"):
        fashionrec.prepare_release(release, tmp_path / "third")


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd", "images/\0", "images", "meta/items_lite.parquet"])
def test_a_path_that_is_no_picture_of_the_release_is_none(release, tmp_path, path):
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.jpg")
    one = sample("0000000", ["t1"], "s1")
    one["partial_outfit"].append({"item_id": "new", "path": path, "category": "Tops"})
    shard(release, "basic", "train", [one])
    fashionrec.prepare_release(release, tmp_path / "out")
    new = DataFolder.open(tmp_path / "out").catalog.get("new")
    assert new.image is None and (new.title, new.category, new.slot) == ("Tops", "tops", "upper")


@pytest.mark.parametrize(
    ("category", "slot"),
    [("T-shirts & vests", "upper"), ("Knitwear", "upper"), ("Denim", "bottom"), ("Ballet flats", "shoes"),
     ("Skiwear", "outerwear"), ("Laptop bags & briefcases", "bag"), ("Ties & bow ties", "accessory"),
     ("Dresses", "onepiece"), ("Gizmos", "other")],
)  # fmt: skip
def test_slots(category, slot):
    assert slot_of("", category) == slot
    assert slot_of("Shoes", "Gizmos") == "shoes"
