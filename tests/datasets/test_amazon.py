"""datasets/amazon/prepare.py: the three releases' formats in small files, and the 2014 release."""

from __future__ import annotations

import gzip
import html
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "amazon" / "prepare.py"
spec = importlib.util.spec_from_file_location("amazon_prepare", SCRIPT)
amazon = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = amazon
spec.loader.exec_module(amazon)

NAME = "Clothing_Shoes_and_Jewelry"


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def review(user: str, item: str, when: int, stars: float | None = None) -> str:
    row = {"reviewerID": user, "asin": item, "unixReviewTime": when}
    return json.dumps(row if stars is None else row | {"overall": stars})


T = 1_300_000_000
META_2014 = {
    "asin": "B1",
    "title": "Women&#39;s  <b>Suede</b> Boot &amp;amp; Lace\n",
    "price": 49.5,
    "brand": "Clarks",
    "imUrl": "http://example.com/b1.jpg",
    "categories": [["Clothing, Shoes & Jewelry", "Women", "Shoes", "Boots", "Ankle & Bootie"]],
}


def prepared(raw: Path, **options) -> tuple[DataFolder, dict]:
    out = raw.parent / "out"
    counts = amazon.prepare(raw, out, **options)
    return DataFolder.open(out), counts


@pytest.mark.parametrize("form", [json.dumps, repr])
def test_2014_json_and_python_literals(tmp_path, form):
    raw = tmp_path / "raw"
    write(raw / f"reviews_{NAME}_5.json.gz", [review("A", "B1", T, 4.0), review("A", "B2", T + 1)])
    write(
        raw / f"meta_{NAME}.json.gz", [form(META_2014), form({"asin": "B2", "title": "Wool Hat for Boots"})]
    )
    folder, counts = prepared(raw)
    boots, hat = folder.catalog.get("B1"), folder.catalog.get("B2")
    assert boots.title == "Women's Suede Boot & Lace"
    assert (boots.category, boots.slot, boots.price) == ("Ankle & Bootie", "shoes", 49.5)
    assert dict(boots.attributes) == {"brand": "Clarks"}
    assert boots.image is None
    assert (hat.category, hat.slot, hat.price) == ("hat", "accessory", None)
    first, second = folder.interactions.to_pylist()
    assert (first["event"], first["rating"], first["split"]) == ("purchase", 4.0, "train")
    assert (second["rating"], second["split"]) == (None, "test")
    assert first["timestamp"].isoformat() == "2011-03-13T07:06:40"
    assert counts["items whose category is guessed from the title"] == 1


def test_2018(tmp_path):
    raw = tmp_path / "raw"
    rows = [
        {"overall": 5.0, "reviewerID": "A", "asin": "B1", "style": {"Size:": " Large"}, "unixReviewTime": T},
        {"overall": 2.0, "reviewerID": "A", "asin": "B2", "unixReviewTime": T + 9},
    ]
    meta = [
        {
            "asin": "B1",
            "title": "Slim Jeans",
            "brand": "Levi's",
            "price": "$19.99 - $39.99",
            "category": [
                "Clothing, Shoes & Jewelry",
                "Men",
                "Clothing",
                "Jeans",
                "100% Cotton",
                "Boots style shoe.",
            ],
            "feature": ["Imported"],
            "imageURL": ["https://example.com/1.jpg"],
        },
        {
            "asin": "B2",
            "title": "var aPageStart = (new Date()).getTime();\nvar x",
            "price": ".a-box-inner{color:red}",
        },
        {"asin": "B1", "title": "A second line on the same item"},
        {"asin": "B9", "title": "Nobody bought this"},
    ]
    write(raw / f"{NAME}_5.json.gz", [json.dumps(row) for row in rows])
    write(raw / f"meta_{NAME}.json.gz", [json.dumps(row) for row in meta])
    folder, counts = prepared(raw)
    jeans = folder.catalog.get("B1")
    assert (jeans.title, jeans.category, jeans.slot, jeans.price) == ("Slim Jeans", "Jeans", "bottom", 19.99)
    assert folder.catalog.get("B2").title == ""
    assert len(folder.catalog) == 2
    assert counts["meta lines that repeat an item left out"] == 1
    assert counts["meta lines on items without events left out"] == 1
    assert counts["prices that do not read"] == 1
    assert counts["items without title"] == 1


def test_2023_milliseconds_and_parent_asin(tmp_path):
    raw = tmp_path / "raw"
    rows = [
        {"user_id": "AE", "asin": "B1X", "parent_asin": "B1", "timestamp": 1_588_687_728_923, "rating": 1.0},
        {"user_id": "AE", "asin": "B2X", "parent_asin": "B2", "timestamp": 1_588_687_728_001, "rating": 5.0},
    ]
    meta = {
        "parent_asin": "B1",
        "title": "Canvas Tote Bag with Ring",
        "store": "Acme",
        "main_category": "AMAZON FASHION",
        "categories": ["Clothing, Shoes & Jewelry", "Women", "Handbags & Wallets", "Totes"],
        "price": 24.0,
        "details": {"Color": "Dark  Green", "Material": "Canvas", "Package Dimensions": "1 x 2"},
        "images": [{"hi_res": None, "large": "https://example.com/l.jpg"}],
    }
    write(raw / f"{NAME}.jsonl.gz", [json.dumps(row) for row in rows])
    write(raw / f"meta_{NAME}.jsonl.gz", [json.dumps(meta)])
    folder, counts = prepared(raw)
    bag = folder.catalog.get("B1")
    assert (bag.category, bag.slot, bag.price) == ("Totes", "bag", 24.0)
    assert dict(bag.attributes) == {"brand": "Acme", "colour": "Dark Green", "material": "Canvas"}
    # both reviews fall into one second once milliseconds are cut off, so the file's order decides
    events = folder.interactions.to_pylist()
    assert [e["item_id"] for e in events] == ["B1", "B2"]
    assert events[0]["timestamp"].isoformat() == "2020-05-05T14:08:48"
    unknown = folder.catalog.get("B2")
    assert (unknown.title, unknown.category, unknown.slot) == ("", "other", "other")
    assert counts["items in no meta line"] == 1


def test_uncompressed_files_and_category_choice(tmp_path):
    raw = tmp_path / "raw"
    for name in (NAME, "Luxury_Beauty"):
        write(raw / f"{name}.jsonl", [review("A", name, T)])
        write(raw / f"meta_{name}.jsonl", [json.dumps({"asin": name, "title": "x"})])
    with pytest.raises(DataError, match="Luxury_Beauty.*--category"):
        prepared(raw)
    folder, _ = prepared(raw, category="Luxury_Beauty")
    assert folder.catalog[0].item_id == "Luxury_Beauty"


def test_missing_files_are_named_with_their_source(tmp_path):
    raw = tmp_path / "raw"
    with pytest.raises(DataError, match=f"no reviews file.*{NAME}_5.json.gz.*McAuley"):
        prepared(raw)
    write(raw / f"{NAME}_5.json.gz", [review("A", "B1", T)])
    with pytest.raises(DataError, match=f"no meta file.*meta_{NAME}.json.gz.*McAuley"):
        prepared(raw)
    write(raw / f"{NAME}.jsonl.gz", [review("A", "B1", T)])
    with pytest.raises(DataError, match="several reviews files"):
        prepared(raw)


def test_ties_keep_file_order_and_repeats_keep_the_first(tmp_path):
    raw = tmp_path / "raw"
    lines = [
        review("A", "late", T + 5),
        review("B", "x", T),
        review("A", "tie2", T),
        review("A", "tie1", T),
        review("A", "late", T + 1),  # the earlier of two reviews of one item
        review("A", "tie2", T + 9),
    ]
    write(raw / f"{NAME}_5.json.gz", lines)
    write(raw / f"meta_{NAME}.json.gz", [json.dumps({"asin": "x", "title": "x"})])
    folder, counts = prepared(raw)
    rows = folder.interactions.to_pylist()
    assert [(r["user_id"], r["item_id"], r["split"]) for r in rows] == [
        ("A", "tie2", "train"),
        ("A", "tie1", "val"),
        ("A", "late", "test"),
        ("B", "x", "train"),
    ]
    assert counts["repeats of an item by the same person left out"] == 2


def test_core_is_iterated(tmp_path):
    raw = tmp_path / "raw"
    # a 2-core of A, B on x, y; C keeps z alive in the first round only, because C itself falls
    pairs = ["Ax", "Ay", "Bx", "By", "Az", "Cz"]
    write(raw / f"{NAME}.jsonl", [review(p[0], p[1], T + n) for n, p in enumerate(pairs)])
    write(raw / f"meta_{NAME}.jsonl", [json.dumps({"asin": "x", "title": "x"})])
    folder, counts = prepared(raw, k=2)
    assert folder.user_ids == ["A", "B"]
    assert folder.catalog.ids.to_pylist() == ["x", "y"]
    assert counts["events outside the 2-core left out"] == 2
    with pytest.raises(DataError, match="--core"):
        prepared(raw, k=3)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40, unique=True), st.integers(0, 4))
def test_core_holds_for_everybody(pairs, k):
    user, item = (np.array(column, np.int32) for column in (zip(*pairs, strict=True) if pairs else ([], [])))
    names = [str(n) for n in range(7)]
    kept = amazon.core(amazon.Events(names, names, user, item, np.zeros(len(user)), np.zeros(len(user))), k)
    if k > 1 and len(kept):
        assert np.bincount(kept.user).min() >= k
        assert np.bincount(kept.item).min() >= k


@pytest.mark.parametrize(
    "bad",
    [
        '{"asin": "B1", "unixReviewTime": 1300000000}',
        '{"reviewerID": "A", "unixReviewTime": 1300000000}',
        '{"reviewerID": "A", "asin": "B1"}',
        '{"reviewerID": "A", "asin": "B1", "unixReviewTime": 1588687728923}',
        '{"reviewerID": "A", "asin": "B1", "unixReviewTime": "soon"}',
        '{"reviewerID": "A", "asin": "B1", "unixReviewTime": NaN}',
        '{"reviewerID": "A", "asin"',
        "[]",
    ],
)
def test_bad_review_lines(tmp_path, bad):
    raw = tmp_path / "raw"
    write(raw / f"{NAME}_5.json.gz", [review("A", "B1", T), bad])
    write(raw / f"meta_{NAME}.json.gz", [json.dumps(META_2014)])
    with pytest.raises(DataError, match=f"{NAME}_5.json.gz.*line 2"):
        prepared(raw)
    assert not (tmp_path / "out").exists()
    _, counts = prepared(raw, skip_bad=True)
    assert counts["bad review lines left out"] == 1 and counts["events"] == 1


def test_bad_meta_line_and_command_line(tmp_path, capsys):
    raw = tmp_path / "raw"
    write(raw / f"{NAME}_5.json.gz", [review("A", "B1", T)])
    write(raw / f"meta_{NAME}.json.gz", ["{'asin': open('x')}", json.dumps(META_2014)])
    arguments = ["--raw", str(raw), "--out", str(tmp_path / "out")]
    assert amazon.main(arguments) == 2
    assert "line 1" in capsys.readouterr().err
    assert amazon.main([*arguments, "--skip-bad"]) == 0
    assert re.search(r"bad meta lines left out\s+1\n", capsys.readouterr().out)


def test_interrupted_run_leaves_nothing(tmp_path, capsys, monkeypatch):
    raw = tmp_path / "raw"
    write(raw / f"{NAME}_5.json.gz", [review("A", "B1", T)])
    write(raw / f"meta_{NAME}.json.gz", [json.dumps(META_2014)])

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(amazon, "read_meta", interrupt)
    assert amazon.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.99, 12.99),
        ("12.99", 12.99),
        ("$12.99", 12.99),
        ("$1,299.00", 1299.0),
        ("$12.99 - $24.99", 12.99),
        ("from 14.99", 14.99),
        ("None", None),
        ("—", None),
        (None, None),
        (0, None),
        (True, None),
        (float("nan"), None),
        ("$12.99 a-box", None),
    ],
)
def test_prices(value, expected):
    assert amazon.parse_price(value) == expected


@given(
    st.one_of(
        st.none(), st.integers(), st.floats(), st.text(), st.from_regex(r"\$?[\d,]{1,9}\.?\d*( - \$\d*)?")
    )
)
def test_prices_never_crash(value):
    price = amazon.parse_price(value)
    assert price is None or 0 < price < 1e7


@given(st.text())
def test_text_is_one_line_that_can_be_written(text):
    clean = amazon.clean_text(text)
    assert clean == " ".join(clean.split())
    clean.encode("utf-8")


def test_category_path_without_a_garment_keeps_its_leaf():
    path = amazon.category_path([["Clothing, Shoes & Jewelry", "Novelty", "Band & Music Fan"]])
    assert amazon.place_item(path, "Beatles Tee") == ("Band & Music Fan", "upper")
    assert amazon.place_item(["Clothing, Shoes & Jewelry"], "Beatles Tee") == ("t-shirt", "upper")
    assert amazon.category_path("Clothing") == amazon.category_path(None) == amazon.category_path([[]]) == []


@pytest.fixture(scope="module")
def release(shared_data, tmp_path_factory):
    raw = Path(shared_data) / "amazon"
    if not raw.is_dir():
        pytest.skip("the Amazon 2014 release is not here")
    out = tmp_path_factory.mktemp("amazon") / "out"
    counts = amazon.prepare(raw, out)
    return DataFolder.open(out), counts


def test_release_counts(release):
    folder, counts = release
    assert counts["review lines read"] == counts["events"] == folder.interactions.num_rows == 195_139
    assert counts["people"] == len(folder.user_ids) == 27_688
    assert counts["meta lines read"] == 22_948  # all with a title
    assert counts["meta lines on items without events left out"] == 19
    assert len(folder.catalog) == 22_929
    assert counts["items without title"] == counts["items in no meta line"] == 0
    assert counts["bad review lines left out"] == counts["bad meta lines left out"] == 0


def test_card_agrees_with_the_release(release):
    folder, counts = release
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", card, re.MULTILINE))
    for name in (
        "review lines read",
        "events",
        "people",
        "items",
        "items whose category is guessed from the title",
    ):
        assert table[name] == f"{counts[name]:,}"
    others = folder.catalog.column("category").to_pylist().count("other")
    assert table["of them without a keyword (`other`)"] == f"{others:,}"


def test_release_titles_hold_no_entity_and_no_tag(release):
    titles = release[0].catalog.column("title").to_pylist()
    assert all(titles)
    assert [title for title in titles if html.unescape(title) != title] == []
    assert not any(re.search(r"<[a-z/]", title) or "  " in title for title in titles)


def test_release_leave_one_out(release):
    folder, _ = release
    users = folder.interactions["user"].to_numpy()
    times = folder.interactions["timestamp"].to_numpy().astype("int64")
    split = np.array(folder.interactions["split"].to_pylist())
    assert (np.diff(times)[np.diff(users) == 0] >= 0).all()
    assert np.bincount(users).min() >= 5
    last = np.append(np.flatnonzero(np.diff(users)), len(users) - 1)
    assert set(split[last]) == {"test"} and (split == "test").sum() == len(last)
    assert set(split[last - 1]) == {"val"} and (split == "val").sum() == len(last)


def test_release_ties_stand_in_order_of_item_id(release):
    """What the card warns of: within one person and second the file is sorted by item, not by time."""
    folder, counts = release
    users = folder.interactions["user"].to_numpy()
    times = folder.interactions["timestamp"].to_numpy().astype("int64")
    ids = np.array(folder.interactions["item_id"].to_pylist())
    tied = (np.diff(users) == 0) & (np.diff(times) == 0)
    assert (ids[:-1][tied] < ids[1:][tied]).all()
    assert tied.mean() == pytest.approx(0.357, abs=0.001)
    assert counts["% of neighbouring events of a person at one time"] == 41.5


def test_release_slots_are_mostly_found(release):
    slots = release[0].catalog.column("slot").to_pylist()
    assert set(slots) == set(SLOTS)
    categories = release[0].catalog.column("category").to_pylist()
    assert categories.count("other") / len(categories) < 0.12
