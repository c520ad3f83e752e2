"""datasets/ifashion: lines, outfits, items, clicks and their order, on files written in the published format."""

from __future__ import annotations

import gzip
import importlib.util
import random
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "ifashion" / "prepare.py"
spec = importlib.util.spec_from_file_location("ifashion_prepare", SCRIPT)
ifashion = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = ifashion
spec.loader.exec_module(ifashion)
lines_module, slots_module = sys.modules["ifashion_lines"], sys.modules["ifashion_slots"]

TITLES = {"50": "春季新款碎花连衣裙", "60": "真皮高跟鞋女, 白色", "70": "斜挎包 小方包 包邮", "80": "礼盒"}
ITEM_LINES = [
    *(f"i{n},{50 + 10 * (n % 3)},//img.alicdn.com/{n}.jpg,{TITLES[str(50 + 10 * (n % 3))]} {n}" for n in range(9)),
    "i9,80,//img.alicdn.com/9.jpg,",
]
OUTFIT_LINES = ["o1,i0;i1;i2", "o2,i3;i4", "o3,i5;i6;i7;"]
USER_LINES = ["u1,i8;i3,o1", "u2,i0,o2", "u1,i9;i8,o3"]


def write_release(folder: Path, outfits=OUTFIT_LINES, items=ITEM_LINES, users=USER_LINES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("outfit_data", outfits), ("item_data", items), ("user_data", users)):
        if lines is not None:
            (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


def test_outfits_and_items(tmp_path):
    counts = ifashion.prepare(write_release(tmp_path / "raw"), tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out")
    assert {outfit.outfit_id: outfit.item_ids for outfit in folder.outfit_list()} == {
        "o1": ("i0", "i1", "i2"), "o2": ("i3", "i4"), "o3": ("i5", "i6", "i7"),
    }  # fmt: skip
    assert all(outfit.labels == () for outfit in folder.outfit_list()) and folder.info["label_groups"] == []
    dress, shoes, bag, box = (folder.catalog.get(name) for name in ("i0", "i1", "i2", "i9"))
    assert (dress.title, dress.category, dress.slot) == ("春季新款碎花连衣裙 0", "50", "onepiece")
    assert (shoes.title, shoes.slot) == ("真皮高跟鞋女, 白色 1", "shoes")  # the comma is the title's
    assert bag.slot == "bag" and (box.title, box.slot) == ("80", "other")
    assert not box.attributes and box.image is None and box.price is None
    assert "alicdn" not in str(folder.catalog.table.to_pylist())
    assert counts["items"] == 10 and counts["outfits"] == 3 and counts["items of slot other"] == 1


def test_order_of_clicks_moments_and_splits(tmp_path):
    counts = ifashion.prepare(write_release(tmp_path / "raw"), tmp_path / "out")
    rows = DataFolder.open(tmp_path / "out").interactions.to_pylist()
    moments = defaultdict(lambda: defaultdict(list))
    for row in rows:
        assert row["event"] == "view" and row["query"] is None and row["rating"] is None
        moment = (row["timestamp"] - datetime(1970, 1, 1)) // timedelta(seconds=1)
        moments[row["user_id"]][moment, row["split"]].append(row["item_id"])
    # u1's two lines in file order; i8 is not seen twice; each outfit is one moment of all its items
    assert dict(moments["u1"]) == {
        (0, "train"): ["i8"], (1, "train"): ["i3"], (2, "train"): ["i0", "i1", "i2"], (3, "val"): ["i9"],
        (4, "test"): ["i5", "i6", "i7"],
    }  # fmt: skip
    assert dict(moments["u2"]) == {(0, "train"): ["i0"], (1, "test"): ["i3", "i4"]}
    assert counts["people"] == 2 and counts["events"] == 12 and counts["items clicked before"] == 1
    assert (counts["events in train"], counts["events in val"], counts["events in test"]) == (6, 1, 5)


def test_what_does_not_hang_together_is_left_out_and_counted(tmp_path):
    outfits = [*OUTFIT_LINES, "o4,i1;gone", "o5,i1;i1", "o1,i7;i8", "", "o6,i2;i4;i2"]
    users = ["u1,i0;lost,o4", "u2,,o2", "u3,i1;i1,nowhere"]
    counts = ifashion.prepare(write_release(tmp_path / "raw", outfits, [*ITEM_LINES, ITEM_LINES[0]], users),
                              tmp_path / "out")  # fmt: skip
    folder = DataFolder.open(tmp_path / "out")
    found = {outfit.outfit_id: outfit.item_ids for outfit in folder.outfit_list()}
    assert set(found) == {"o1", "o2", "o3", "o6"} and found["o1"] == ("i0", "i1", "i2") and found["o6"] == ("i2", "i4")
    assert counts["outfits with an item that item_data does not have, left out"] == 1
    assert counts["outfits of fewer than two items, left out"] == 1
    assert counts["outfit ids that come again, left out"] == counts["item ids that come again, left out"] == 1
    assert counts["items named but not in item_data"] == 2
    assert counts["clicks on unknown items"] == 1 and counts["clicks on unknown outfits"] == 2
    events = [(row["user_id"], row["item_id"], row["split"]) for row in folder.interactions.to_pylist()]
    # with one moment there is nothing to predict from
    assert events == [("u1", "i0", "train"), ("u2", "i3", "train"), ("u2", "i4", "train"), ("u3", "i1", "train")]


@pytest.mark.parametrize(
    ("file", "bad", "message"),
    [
        ("outfits", "o9", "not 2 fields"),
        ("outfits", ",i1;i2", "not a usable outfit_id"),
        ("outfits", "o9,i1;i2,i3", "not a usable item_ids"),
        ("items", "i77,50,//x.jpg", "not 4 fields"),
        ("items", "i 77,50,//x.jpg,title", "not a usable item_id"),
        ("items", "i77,,//x.jpg,title", "not a usable cate_id"),
        ("users", "u9,i1;i2", "not 3 fields"),
        ("users", "u9,i1;i2,o1,o2", "not a usable outfit_id"),
        ("users", "u9,i1;i2,", "not a usable outfit_id"),
    ],
)
def test_a_bad_line_is_one_error_or_counted(tmp_path, file, bad, message):
    good = {"outfits": OUTFIT_LINES, "items": ITEM_LINES, "users": USER_LINES}
    raw = write_release(tmp_path / "raw", **good | {file: [good[file][0], "", bad, *good[file][1:]]})
    with pytest.raises(DataError, match=message) as caught:
        ifashion.prepare(raw, tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.row == 2 and "line 3" in problem.message and file[:-1] in problem.file.replace("_data", "")
    assert not (tmp_path / "out").exists()
    counts = ifashion.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts[f"bad lines of {file[:-1]}_data"] == 1
    ifashion.prepare(write_release(tmp_path / "clean"), tmp_path / "wanted")
    assert DataFolder.open(tmp_path / "out").fingerprint == DataFolder.open(tmp_path / "wanted").fingerprint


def test_packed_files_read_the_same_and_broken_ones_are_named(tmp_path):
    raw = write_release(tmp_path / "raw")
    ifashion.prepare(raw, tmp_path / "out")
    for path in list(raw.iterdir()):
        other = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
        (raw / f"{path.name}.gz").write_bytes(gzip.compress(other))
        path.unlink()
    ifashion.prepare(raw, tmp_path / "packed")
    assert DataFolder.open(tmp_path / "out").fingerprint == DataFolder.open(tmp_path / "packed").fingerprint
    broken = raw / "item_data.txt.gz"
    broken.write_bytes(broken.read_bytes()[:-12])
    with pytest.raises(DataError, match="truncated or damaged"):
        ifashion.prepare(raw, tmp_path / "packed")


def test_command_line_and_missing_files(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", users=None)
    command = ["--raw", str(raw), "--out", str(tmp_path / "out")]
    (raw / "user_data.7z").write_bytes(b"7z")
    assert ifashion.main(command) == 2
    assert "unpack user_data.7z" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert ifashion.main([*command, "--people", "0"]) == 0
    assert "outfits in train" in capsys.readouterr().out
    assert DataFolder.open(tmp_path / "out").interactions is None
    assert ifashion.main([*command, "--people", "-1"]) == 2 and "--people" in capsys.readouterr().err
    (raw / "item_data.txt").unlink()
    assert ifashion.main([*command, "--people", "0"]) == 2
    assert "item_data.txt" in (error := capsys.readouterr().err) and "wenyuer/POG" in error
    (raw / "item_data.txt").touch()
    assert ifashion.main([*command, "--people", "0"]) == 2 and "0 bytes" in capsys.readouterr().err
    (raw / "item_data.txt").write_text("i99,50,//x.jpg,title\n")
    assert ifashion.main([*command, "--people", "0"]) == 2
    assert "files of one release" in capsys.readouterr().err


def test_local_pictures(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8), "red").save(pictures / "i0.jpg")
    Image.new("RGB", (8, 8), "blue").save(pictures / "i4.PNG")
    (pictures / "i1.txt").write_text("no picture")
    raw = write_release(tmp_path / "raw")
    assert ifashion.prepare(raw, tmp_path / "out", images=pictures)["items with a picture"] == 2
    folder = DataFolder.open(tmp_path / "out", images="full")
    found = {item.item_id: item.image for item in folder.catalog if item.image}
    assert found == {"i0": "pictures/i0.jpg", "i4": "pictures/i4.PNG"}
    with pytest.raises(DataError, match="no such folder"):
        ifashion.prepare(raw, tmp_path / "other", images=tmp_path / "none")


def big_release(folder: Path, outfits: int, people: int, seed: int = 0) -> Path:
    rng = random.Random(seed)
    items = [f"{n:032x}" for n in range(2 * outfits)]
    write_release(
        folder,
        [f"o{n},{';'.join(rng.sample(items, rng.randint(3, 5)))}" for n in range(outfits)],
        [f"{item},{n % 90},//img.alicdn.com/{item}.jpg,秋冬女装{'裙裤鞋包'[n % 4]}" for n, item in enumerate(items)],
        [f"u{n % (people - 5)},{';'.join(rng.sample(items, 8))},o{rng.randrange(outfits)}" for n in range(people)],
    )
    return folder


def test_draws_are_random_nested_and_keep_what_was_clicked(tmp_path):
    raw = big_release(tmp_path / "raw", 600, 200)
    made = {}
    for name, options in {
        "few": {"outfits": 50, "people": 10}, "more": {"outfits": 150, "people": 40}, "all": {},
        "seed": {"outfits": 50, "people": 10, "seed": 1},
    }.items():  # fmt: skip
        ifashion.prepare(raw, tmp_path / name, **options)
        folder = DataFolder.open(tmp_path / name)
        made[name] = ({outfit.outfit_id for outfit in folder.outfit_list()}, set(folder.user_ids))
    assert len(made["few"][1]) == 10 and len(made["more"][1]) == 40 and len(made["all"][1]) == 195
    assert made["few"][1] < made["more"][1] < made["all"][1] and made["few"][0] < made["more"][0] < made["all"][0]
    assert made["few"][1] != made["seed"][1] and made["few"][0] != made["seed"][0]
    clicked = {line.split(",")[2] for line in (raw / "user_data.txt").read_text().splitlines()
               if line.split(",")[0] in made["few"][1]}  # fmt: skip
    assert clicked <= made["few"][0] and 50 <= len(made["few"][0]) <= 50 + len(clicked)
    # both of a person's lines come, or neither: 5 people have two
    lines = [line.split(",")[0] for line in (raw / "user_data.txt").read_text().splitlines()]
    assert sum(user in made["few"][1] for user in lines) >= 10


def test_outfits_of_the_same_items_share_a_split_and_shares_hold(tmp_path):
    raw = big_release(tmp_path / "raw", 600, 20)
    lines = (raw / "outfit_data.txt").read_text().splitlines()
    turned = [f"twin{line.split(',')[0]}," + ";".join(line.split(",")[1].split(";")[::-1]) for line in lines]
    (raw / "outfit_data.txt").write_text("\n".join(lines + turned))
    ifashion.prepare(raw, tmp_path / "out", people=0)
    split = {outfit.outfit_id: outfit.split for outfit in DataFolder.open(tmp_path / "out").outfit_list()}
    assert all(split[f"twin{line.split(',')[0]}"] == split[line.split(",")[0]] for line in lines)
    shares = [np.mean([name == part for name in split.values()]) for part in ("train", "val", "test")]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.04)


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_blocks_cut_lines_anywhere(tmp_path, monkeypatch, block):
    """Lines, numbers of lines and Chinese letters survive a cut of the file at any byte."""
    path = tmp_path / "items.txt"
    path.write_bytes("\n".join([*ITEM_LINES, "", "bad line", *ITEM_LINES]).encode())
    monkeypatch.setattr(lines_module, "BLOCK", block)
    stream = lines_module.CommaLines(path, ifashion.ITEMS, free_text=True, skip_bad=True)
    rows = pa.concat_tables(stream).to_pylist()
    assert [",".join(row.values()) for row in rows] == [line.strip() for line in [*ITEM_LINES, *ITEM_LINES]]
    assert stream.lines == 22 and stream.rejected == 1
    with pytest.raises(DataError, match="line 12: "):
        list(lines_module.CommaLines(path, ifashion.ITEMS, free_text=True))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected(tmp_path, content):
    path = tmp_path / "any.txt"
    path.write_bytes(content + b"u1,i1;i2,o1")
    stream = lines_module.CommaLines(path, ifashion.USERS, skip_bad=True)
    rows = [row for table in stream for row in table.to_pylist()]
    written = [line for line in path.read_bytes().decode("utf-8", "replace").split("\n") if line.strip()]
    assert len(rows) + stream.rejected == len(written)
    assert all("," not in row["item_ids"] and row["user_id"] and row["outfit_id"] for row in rows)


ids = st.text(st.sampled_from("abc01"), min_size=1, max_size=3)


@given(st.lists(st.lists(ids, max_size=5), max_size=6))
def test_split_ids(lists):
    rows, found = lines_module.split_ids(pa.array([" ; ".join(one) + ";" for one in lists], pa.string()))
    wanted = [(row, item) for row, one in enumerate(lists) for item in dict.fromkeys(one)]
    assert list(zip(rows.tolist(), found.to_pylist(), strict=True)) == wanted


@given(st.lists(st.lists(st.integers(0, 60).map(str), max_size=30), max_size=5), st.integers(1, 20))
def test_smallest_draws_the_same_whatever_the_blocks(blocks, count):
    whole = [name for block in blocks for name in block]
    drawn = lines_module.Smallest(count)
    for block in blocks:
        drawn.add(lines_module.hashes(pa.array(block, pa.string()), 3))
    once = lines_module.Smallest(count)
    once.add(lines_module.hashes(pa.array(whole[::-1], pa.string()), 3))
    numbers = lines_module.hashes(pa.array(whole, pa.string()), 3)
    assert (drawn.holds(numbers) == once.holds(numbers)).all()
    kept = {name for name, held in zip(whole, drawn.holds(numbers), strict=True) if held}
    assert len(kept) == min(count, len(set(whole)))


@pytest.mark.parametrize(
    ("title", "slot"),
    [
        ("2019春季新款碎花连衣裙", "onepiece"),
        ("复古高腰牛仔裤女", "bottom"),
        ("黑色包臀裙", "bottom"),
        ("斜挎包女 包邮", "bag"),
        ("配裙子的短靴", "shoes"),
        ("连体裤", "onepiece"),
        ("包邮", None),
        ("", None),
        ("red dress", None),
    ],
)
def test_slot_of_a_chinese_title(title, slot):
    assert slots_module.slot_of_title(title) == slot


def test_a_categorys_slot_is_the_one_most_titles_name():
    items = [("1", "毛衣"), ("1", "毛衣配短裙"), ("1", "针织衫"), ("2", "礼盒"), ("3", "鞋"), ("3", "包")]
    assert slots_module.slots_of_categories(items) == {"1": "upper", "2": "other", "3": "shoes"}
    assert set(slots_module.WORDS) - {""} <= set(SLOTS)


def test_memory_does_not_grow_with_the_files(tmp_path):
    """A draw from 55 MB of 200,000 people and items costs little more than the same from a hundredth of them."""
    peaks = []
    for name, count in (("small", 2_000), ("large", 200_000)):
        raw = tmp_path / name
        raw.mkdir()
        with open(raw / "item_data.txt", "w") as items, open(raw / "user_data.txt", "w") as users:
            for n in range(count):
                items.write(f"{n:032x},{n % 90},//img.alicdn.com/imgextra/{n:064x}.jpg,{'秋冬新款女装连衣裙' * 2}\n")
                users.write(f"{n:032x},{n % 300:032x};{n % 299:032x},o{n % 100}\n")
        lines = [f"o{n},{n:032x};{n + 1:032x}\n" for n in range(100)]
        (raw / "outfit_data.txt").write_text("".join(lines))
        command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(raw / "out"), "--people", "100"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        figures = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
        assert figures["people"] == "100" and figures["lines of item_data"] == f"{count:,}"
        peaks.append(int(figures["peak memory, MiB"].replace(",", "")))
    size = sum(path.stat().st_size for path in (tmp_path / "large").glob("*.txt")) >> 20
    assert size >= 55 and peaks[1] - peaks[0] < 120, (size, peaks)
