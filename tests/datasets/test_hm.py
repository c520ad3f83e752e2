"""datasets/hm/prepare.py: the three tables in the release's format, at sizes from one row to 400,000."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.types import SLOTS

SCRIPT = Path(__file__).parents[2] / "datasets" / "hm" / "prepare.py"
spec = importlib.util.spec_from_file_location("hm_prepare", SCRIPT)
hm = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = hm
spec.loader.exec_module(hm)
hm_blocks, hm_release, hm_slots = (sys.modules[name] for name in ("hm_blocks", "hm_release", "hm_slots"))

ARTICLES = (
    "article_id,product_code,prod_name,product_type_no,product_type_name,product_group_name,graphical_appearance_no,"
    "graphical_appearance_name,colour_group_code,colour_group_name,perceived_colour_value_id,"
    "perceived_colour_value_name,perceived_colour_master_id,perceived_colour_master_name,department_no,department_name,"
    "index_code,index_name,index_group_no,index_group_name,section_no,section_name,garment_group_no,"
    "garment_group_name,detail_desc"
).split(",")
CUSTOMERS = "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code".split(",")
TRANSACTIONS = "t_dat,customer_id,article_id,price,sales_channel_id".split(",")

TOP = dict(zip(ARTICLES, [
    "0108775015", "0108775", "Strap top", "253", "Vest top", "Garment Upper body", "1010016", "Solid", "09", "Black",
    "4", "Dark", "5", "Black", "1676", "Jersey Basic", "A", "Ladieswear", "1", "Ladieswear", "16",
    "Womens Everyday Basics", "1002", "Jersey Basic", "Jersey top with narrow shoulder straps.",
], strict=True))  # fmt: skip
BRA = TOP | {
    "article_id": "0110065001", "prod_name": 'OP T-shirt "Idro", soft', "product_type_name": "Bra",
    "product_group_name": "Underwear", "garment_group_name": "Under-, Nightwear", "colour_group_name": "Unknown",
}  # fmt: skip
COAT = TOP | {"article_id": "0706016001", "prod_name": "Coat", "product_type_name": "Coat", "detail_desc": "Two\nlines"}
ANNA, BEA, CLEO = ("0" * 63 + digit for digit in "abc")
PEOPLE = [
    {"customer_id": ANNA, "club_member_status": "ACTIVE", "fashion_news_frequency": "NONE", "age": "49"},
    {"customer_id": BEA, "FN": "1.0", "Active": "1.0", "club_member_status": "PRE-CREATE",
     "fashion_news_frequency": "Regularly", "age": "24.0"},
    {"customer_id": CLEO},
]  # fmt: skip


def bought(day: str, who: str, article: str, price: str = "0.050830508474576264") -> dict:
    return {"t_dat": day, "customer_id": who, "article_id": article, "price": price, "sales_channel_id": "2"}


def table(header: list[str], rows: list[dict], quoting=csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", quoting=quoting, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_release(folder: Path, transactions: list[dict], people=PEOPLE, articles=(TOP, BRA, COAT), **form) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "articles.csv").write_bytes(table(ARTICLES, list(articles), **form))
    (folder / "customers.csv").write_bytes(table(CUSTOMERS, people, **form))
    (folder / "transactions_train.csv").write_bytes(table(TRANSACTIONS, transactions, **form))
    return folder


def prepared(tmp_path: Path, transactions: list[dict], release: dict | None = None, **options):
    raw = write_release(tmp_path / "raw", transactions, **(release or {}))
    counts = hm.prepare(raw, tmp_path / "out", **options)
    return DataFolder.open(tmp_path / "out"), counts


def chosen(folder: DataFolder) -> list[tuple]:
    rows = folder.interactions.select(["user_id", "item_id", "timestamp", "split"]).to_pylist()
    return [(r["user_id"][-1], r["item_id"], str(r["timestamp"].date()), r["split"]) for r in rows]


def test_every_field_of_one_purchase(tmp_path):
    folder, counts = prepared(tmp_path, [bought("2018-09-20", BEA, "0108775015")])
    (event,) = folder.interactions.select(
        ["user_id", "item_id", "timestamp", "event", "query", "occasion", "rating", "split"]
    ).to_pylist()
    assert event.pop("timestamp").isoformat() == "2018-09-20T00:00:00"
    assert event == {
        "user_id": BEA, "item_id": "0108775015", "event": "purchase", "query": None, "occasion": None, "rating": None,
        "split": "train",
    }  # fmt: skip
    item = folder.catalog[0]
    assert (item.item_id, item.title, item.category, item.slot) == ("0108775015", "Strap top", "Vest top", "upper")
    assert item.price is None and item.image is None and item.in_stock
    assert dict(item.attributes) == {
        "colour": "Black", "pattern": "Solid", "department": "Jersey Basic", "section": "Womens Everyday Basics",
        "garment_group": "Jersey Basic", "index_group": "Ladieswear",
    }  # fmt: skip
    assert folder.profile(BEA).labels() == (
        "age=20_24", "club_member_status=pre_create", "fashion_news_frequency=regularly",
    )  # fmt: skip
    assert folder.info["made"] is False
    assert all(group["polarity"] is None for group in folder.info["label_groups"])
    assert counts["transactions read"] == counts["events"] == counts["people"] == counts["items"] == 1


def test_what_nobody_bought_and_who_bought_nothing_is_left_out(tmp_path):
    folder, counts = prepared(tmp_path, [bought("2018-09-20", CLEO, "0110065001")])
    assert folder.user_ids == [CLEO] and not folder.profile(CLEO)
    (item,) = [folder.catalog[0]]
    assert (item.title, item.slot) == ('OP T-shirt "Idro", soft', "other")
    assert "colour" not in item.attributes  # "Unknown" is nothing
    assert (counts["articles read"], counts["customers read"]) == (3, 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b"\n", b"\n\n", 3),
        lambda content: content.rstrip(b"\n"),
    ],
    ids=["byte order mark", "windows line ends", "empty lines", "no last line end"],
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_forms_of_csv(tmp_path, damage, quoting):
    events = [bought("2018-09-20", ANNA, "0108775015"), bought("2018-09-21", ANNA, "0706016001")]
    raw = write_release(tmp_path / "raw", events, articles=(TOP, COAT | {"detail_desc": ""}), quoting=quoting)
    for path in raw.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    counts = hm.prepare(raw, tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out")
    assert [row[1] for row in chosen(folder)] == ["0108775015", "0706016001"]
    assert folder.profile(ANNA).get("age") == ("45_54",)
    assert (counts["articles read"], counts["customers read"], counts["transactions read"]) == (2, 3, 2)


def test_article_ids_that_lost_their_zero_are_the_same_articles(tmp_path):
    articles = [TOP | {"article_id": "108775015"}, COAT]
    events = [bought("2018-09-20", ANNA, "0108775015"), bought("2018-09-21", ANNA, "706016001")]
    folder, counts = prepared(tmp_path, events, {"articles": articles})
    assert [row[1] for row in chosen(folder)] == ["0108775015", "0706016001"]
    assert folder.catalog.ids.to_pylist() == ["0108775015", "0706016001"]


def test_units_and_repeats_count_once_and_apart(tmp_path):
    top, coat = TOP["article_id"], COAT["article_id"]
    events = [
        bought("2018-09-20", ANNA, top), bought("2018-09-20", ANNA, top), bought("2018-09-20", ANNA, top),
        bought("2018-09-20", BEA, top), bought("2018-10-01", ANNA, top), bought("2018-10-01", ANNA, coat),
    ]  # fmt: skip
    folder, counts = prepared(tmp_path, events)
    assert [row[:3] for row in chosen(folder)] == [
        ("a", top, "2018-09-20"), ("a", coat, "2018-10-01"), ("b", top, "2018-09-20"),
    ]  # fmt: skip
    assert counts["further units of an article on the same day left out"] == 2
    assert counts["purchases of an article bought on an earlier day left out"] == 1
    assert counts["transactions read"] == counts["events"] + 3


def test_days_then_file_order_and_leave_one_out(tmp_path):
    events = [
        bought("2019-01-05", ANNA, "0706016001"), bought("2018-09-20", ANNA, "0110065001"),
        bought("2019-01-05", ANNA, "0108775015"), bought("2018-09-20", BEA, "0110065001"),
    ]  # fmt: skip
    folder, counts = prepared(tmp_path, events)
    assert chosen(folder) == [
        ("a", "0110065001", "2018-09-20", "train"), ("a", "0706016001", "2019-01-05", "val"),
        ("a", "0108775015", "2019-01-05", "test"), ("b", "0110065001", "2018-09-20", "train"),
    ]  # fmt: skip
    assert counts["% of neighbouring events of a person on one day"] == 50.0


@pytest.fixture
def ten_days() -> tuple[list[dict], list[dict]]:
    """Twenty people who buy one article each on ten days each, and the ten articles."""
    articles = [TOP | {"article_id": f"01000000{n:02}"} for n in range(10)]
    people = [{"customer_id": f"{n:064x}"} for n in range(20)]
    days = [(f"2020-09-{n + 1:02}", articles[n]["article_id"]) for n in range(10)]
    events = [bought(day, who["customer_id"], article) for day, article in days for who in people]
    return events, [{"people": people, "articles": articles}]


def test_time_split_cuts_at_dates(tmp_path, ten_days):
    events, (release,) = ten_days
    folder, counts = prepared(tmp_path, events, release, split="time")
    days = {name: {row[2] for row in chosen(folder) if row[3] == name} for name in ("train", "val", "test")}
    assert days["val"] == {"2020-09-09"} and days["test"] == {"2020-09-10"} and len(days["train"]) == 8
    assert (counts["events in train"], counts["events in val"], counts["events in test"]) == (160, 20, 20)


def test_recent_weeks_and_since(tmp_path, ten_days):
    events, (release,) = ten_days
    folder, counts = prepared(tmp_path, events[::-1], release, weeks=1)
    assert {row[2] for row in chosen(folder)} == {f"2020-09-{day:02}" for day in range(4, 11)}
    assert counts["transactions before the last 1 weeks left out"] == 60 and counts["items"] == 7
    again, counted = prepared(tmp_path, events[::-1], release, since=date(2020, 9, 4))
    assert chosen(again) == chosen(folder)
    assert counted["transactions before 2020-09-04 left out"] == 60
    with pytest.raises(DataError, match="no transaction to keep.*earlier date"):
        hm.prepare(tmp_path / "raw", tmp_path / "none", since=date(2021, 1, 1))
    with pytest.raises(DataError, match="--weeks"):
        hm.prepare(tmp_path / "raw", tmp_path / "none", weeks=0)


def test_core(tmp_path, ten_days):
    events, (release,) = ten_days
    rare = [bought("2020-09-01", f"{99:064x}", "0100000000")]
    release = release | {"people": [*release["people"], {"customer_id": f"{99:064x}"}]}
    folder, counts = prepared(tmp_path, [*rare, *events], release, core=5)
    assert counts["events outside the 5-core left out"] == 1 and counts["people"] == 20
    with pytest.raises(DataError, match="nothing is left"):
        hm.prepare(tmp_path / "raw", tmp_path / "none", core=50)


BAD = {
    "t_dat": "2018-13-01", "article_id": "0999999999", "customer_id": "nobody",
}  # fmt: skip


@pytest.mark.parametrize("field", BAD)
def test_a_bad_transaction_is_one_error_with_its_line_or_counted(tmp_path, field):
    events = [bought("2018-09-20", ANNA, "0108775015") for _ in range(3)]
    events[1] = events[1] | {field: BAD[field]}
    raw = write_release(tmp_path / "raw", events)
    with pytest.raises(DataError, match=f"{field}.*'{BAD[field]}'.*line 3") as caught:
        hm.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and caught.value.problems[0].row == 2
    assert not (tmp_path / "out").exists()
    counts = hm.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["bad rows of transactions_train.csv left out"] == 1 and counts["transactions read"] == 3


@pytest.mark.parametrize(
    "line",
    [b"2018-09-20,short", b"2018-09-20,a,b,c,d,e", b"\xff\xfe,\xff,0108775015,0.1,2"],
    ids=["few", "many", "bytes"],
)
def test_lines_that_do_not_read(tmp_path, line):
    raw = write_release(tmp_path / "raw", [bought("2018-09-20", ANNA, "0108775015")] * 4)
    path = raw / "transactions_train.csv"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:3], b"", line, *lines[3:]]) + b"\n")
    with pytest.raises(DataError, match="line 5: "):
        hm.prepare(raw, tmp_path / "out")
    counts = hm.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["transactions read"] == 5 and counts["bad rows of transactions_train.csv left out"] == 1


def test_a_quote_that_never_ends_is_one_error(tmp_path):
    raw = write_release(tmp_path / "raw", [bought("2018-09-20", ANNA, "0108775015")] * 4)
    path = raw / "transactions_train.csv"
    path.write_bytes(path.read_bytes() + b'2018-09-21,"')
    with pytest.raises(DataError) as caught:
        hm.prepare(raw, tmp_path / "out")
    assert len(caught.value.problems) == 1 and "transactions_train.csv" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.sampled_from(["good", "blank", "few", "many", "bad"]), min_size=1, max_size=40),
    block=st.integers(24, 200),
)
def test_a_refused_row_is_named_by_its_line_in_any_block(tmp_path_factory, rows, block):
    forms = {"good": "1,x,", "blank": "", "few": "1,x", "many": "1,x,y,z", "bad": "0,x,"}
    path = tmp_path_factory.mktemp("blocks") / "table.csv"
    path.write_text("n,letter,rest\n" + "".join(forms[row] + "\n" for row in rows))

    def read(skip_bad: bool) -> tuple[int, hm_blocks.CsvBlocks]:
        stream = hm_blocks.CsvBlocks(path, {"n": hm_blocks.REPEATED, "letter": hm_blocks.PLAIN}, skip_bad=skip_bad)
        good = 0
        for batch in stream:
            values = np.array([value.as_py() for value in batch.column("n")], object)
            bad = values == b"0"
            stream.refuse(bad, "zero", "n", batch.column("n"))
            good += int((~bad & ~stream.blank).sum())
        return good, stream

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hm_blocks, "BLOCK", block)
        good, stream = read(skip_bad=True)
        wrong = [place for place, row in enumerate(rows) if row in ("few", "many", "bad")]
        assert good == rows.count("good")
        assert stream.rows == len(rows) - rows.count("blank")
        assert sum(stream.rejected.values()) == len(wrong)
        if wrong:
            with pytest.raises(DataError) as caught:
                read(skip_bad=False)
            named = caught.value.problems[0].row - 1  # the header is row 0
            assert named in wrong  # the next block is looked at before this one's values, so not always the first
            zeros, counts = [p for p in wrong if rows[p] == "bad"], [p for p in wrong if rows[p] != "bad"]
            assert named in (zeros[:1] + counts[:1])
        else:
            assert read(skip_bad=False)[0] == good


def test_pictures_are_found_copied_and_checked(tmp_path):
    events = [bought("2018-09-20", ANNA, row["article_id"]) for row in (TOP, BRA, COAT)]
    raw = write_release(tmp_path / "raw", events)
    for name in ("010/0108775015", "011/0110065001"):
        path = raw / "images" / f"{name}.jpg"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8), "red").save(path)
    counts = hm.prepare(raw, tmp_path / "out")
    folder = DataFolder.open(tmp_path / "out", images="full")
    images = [folder.catalog[row].image for row in range(3)]
    assert images == ["images/010/0108775015.jpg", "images/011/0110065001.jpg", None]
    assert counts["items with a picture"] == 2
    (raw / "images/011/0110065001.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="not a picture"):
        hm.prepare(raw, tmp_path / "out")
    counts = hm.prepare(raw, tmp_path / "out", skip_bad=True)
    assert counts["items with a picture"] == counts["pictures left out: not readable"] == 1
    assert hm.prepare(raw, tmp_path / "bare", images=False)["items with a picture"] == 0
    assert not (tmp_path / "bare" / "images").exists()


def test_customers_and_articles_that_do_not_read(tmp_path):
    people = [
        *PEOPLE, {"customer_id": ""} | {"age": "30"}, {"customer_id": ANNA, "age": "20"},
        {"customer_id": "d" * 64, "age": "7", "club_member_status": "GOLD", "fashion_news_frequency": "Weekly"},
    ]  # fmt: skip
    articles = [TOP, TOP | {"prod_name": "again"}, COAT | {"article_id": "x1"}]
    events = [bought("2018-09-20", ANNA, "0108775015"), bought("2018-09-20", "d" * 64, "0108775015")]
    raw = write_release(tmp_path / "raw", events, people, articles)
    with pytest.raises(DataError, match="articles.csv.*'x1'.*line 4"):
        hm.prepare(raw, tmp_path / "out")
    (raw / "articles.csv").write_bytes(table(ARTICLES, articles[:2]))
    with pytest.raises(DataError, match="customers.csv.*customer_id.*line 5"):
        hm.prepare(raw, tmp_path / "out")
    counts = hm.prepare(raw, tmp_path / "out", skip_bad=True)
    folder = DataFolder.open(tmp_path / "out")
    assert folder.catalog[0].title == "Strap top" and counts["article ids that come again, left out"] == 1
    assert folder.profile(ANNA).get("age") == ("45_54",)  # the first of two lines on one person
    assert not folder.profile("d" * 64)
    for group in ("age", "club_member_status", "fashion_news_frequency"):
        assert counts[f"stated but unusable: {group}"] == 1


def test_missing_files_and_columns_are_named(tmp_path, capsys):
    raw = write_release(tmp_path / "raw", [bought("2018-09-20", ANNA, "0108775015")])
    (raw / "customers.csv").write_bytes(b"customer,age\n")
    assert hm.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 2
    assert "customer_id: no such column, the header has customer, age" in capsys.readouterr().err
    (raw / "customers.csv").unlink()
    assert hm.main(["--raw", str(raw), "--out", str(tmp_path / "out")]) == 2
    assert "customers.csv: no such file; put the unpacked file there" in capsys.readouterr().err
    for name in ("articles.csv", "customers.csv", "transactions_train.csv"):
        empty = write_release(tmp_path / name, [bought("2018-09-20", ANNA, "0108775015")])
        (empty / name).write_bytes(b"")
        assert hm.main(["--raw", str(empty), "--out", str(tmp_path / "out")]) == 2
        assert f"{name}, row 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_as_a_script_from_anywhere(tmp_path):
    raw = write_release(tmp_path / "raw", [bought("2018-09-20", ANNA, "0108775015")])
    command = [sys.executable, str(SCRIPT), "--raw", str(raw), "--out", str(tmp_path / "out"), "--weeks", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "transactions; expect some" in done.stderr and "peak memory" in done.stdout
    assert len(DataFolder.open(tmp_path / "out").catalog) == 1


@pytest.mark.parametrize(
    ("text", "band"),
    [("16", "under_20"), ("20", "20_24"), ("24.0", "20_24"), ("99", "55_up"), ("7", None), ("", None), ("²", None)],
)
def test_age_bands(text, band):
    assert hm_release.age_band(text) == band


@pytest.mark.parametrize(
    ("kind", "group", "garment_group", "slot"),
    [
        ("Trousers", "Garment Lower body", "Trousers", "bottom"),
        ("Dress", "Garment Full body", "Dresses Ladies", "onepiece"),
        ("Jacket", "Garment Upper body", "Outdoor", "outerwear"),
        ("Hoodie", "Garment Upper body", "Outdoor", "outerwear"),
        ("Outdoor trousers", "Garment Lower body", "Outdoor", "bottom"),
        ("Blazer", "Garment Upper body", "Dressed", "outerwear"),
        ("Bag", "Accessories", "Accessories", "bag"),
        ("Scarf", "Accessories", "Accessories", "accessory"),
        ("Socks", "Socks & Tights", "Socks and Tights", "accessory"),
        ("Sneakers", "Shoes", "Shoes", "shoes"),
        ("Bikini top", "Swimwear", "Swimwear", "other"),
        ("Night gown", "Nightwear", "Under-, Nightwear", "other"),
        ("Unknown", "Unknown", "Skirts", "bottom"),
        ("Unknown", "Unknown", "Unknown", "other"),
    ],
)
def test_slots(kind, group, garment_group, slot):
    assert hm_slots.slot_of(kind, group, garment_group) == slot


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_words_have_a_slot(kind, group, garment_group):
    assert hm_slots.slot_of(kind, group, garment_group) in SLOTS


@given(st.text(max_size=14))
def test_any_text_is_a_day_an_article_an_age_or_none(text):
    assert hm_release.parse_day(text) is None or hm_release.parse_day(text) >= 0
    assert hm_release.article_id(text) is None or len(hm_release.article_id(text)) == 10
    assert hm_release.age_band(text) in (None, *hm_release.GROUPS["age"])


@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)))
def test_every_day_reads(day):
    assert hm_release.parse_day(day.isoformat()) == (day - date(1970, 1, 1)).days


# --- size -----------------------------------------------------------------------------------------------------

ROWS, USERS, ITEMS = 400_000, 15_000, 2_000


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A release of numbers: ROWS transactions of 200 days, sorted by day and person like the real one."""
    rng = np.random.default_rng(0)
    raw = tmp_path_factory.mktemp("hm") / "raw"
    articles = [TOP | {"article_id": f"0{100_000_000 + n}"} for n in range(ITEMS)]
    people = [{"customer_id": f"{n:064x}", "age": str(16 + n % 60)} for n in range(USERS)]
    write_release(raw, [], people, articles)
    day, user = np.sort(rng.integers(0, 200, ROWS)), rng.integers(0, USERS, ROWS)
    order = np.lexsort((user, day))
    days = [str(np.datetime64("2020-01-01") + n) for n in range(200)]
    columns = {
        "t_dat": pa.array(days).take(pa.array(day)),
        "customer_id": pa.array([row["customer_id"] for row in people]).take(pa.array(user[order])),
        "article_id": pa.array([row["article_id"] for row in articles]).take(pa.array(rng.integers(0, ITEMS, ROWS))),
        "price": pa.array(rng.random(ROWS) / 10),
        "sales_channel_id": pa.array(rng.integers(1, 3, ROWS)),
    }
    pa.csv.write_csv(pa.table(columns), raw / "transactions_train.csv")
    return raw


MEASURE = """
import json, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import prepare, hm_blocks, hm_tables
hm_blocks.BLOCK, hm_tables.BATCH = 1 << 18, 1 << 13  # what a block takes is the same for any number of rows

def peak(raw, out):
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    prepare.prepare(raw, out)
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

print(json.dumps([peak({few!r}, {out!r} + "-few"), peak({raw!r}, {out!r})]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read from /proc")
def test_memory_grows_by_less_than_120_bytes_a_row(large, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    # the same people and articles, and many blocks of transactions, so that what both need does not count
    for name in ("articles.csv", "customers.csv"):
        (few / name).write_bytes((large / name).read_bytes())
    rows = (large / "transactions_train.csv").read_bytes().splitlines(keepends=True)
    (few / "transactions_train.csv").write_bytes(b"".join(rows[: ROWS // 2]))
    code = MEASURE.format(folder=str(SCRIPT.parent), few=str(few), raw=str(large), out=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with_half, with_all = json.loads(done.stdout)
    assert DataFolder.open(tmp_path / "out", images="none").interactions.num_rows > 0.9 * ROWS
    # measured: 17 to 57; 188 where the events are written as one table; Python objects would take many times that
    a_row = (with_all - with_half) / (ROWS - ROWS // 2)
    assert a_row < 120, f"{a_row:.0f} bytes for each further row"


@pytest.mark.parametrize("stage", ["reading the transactions", "writing and checking"])
def test_stopped_at_work_nothing_is_left_and_the_old_folder_stands(large, tmp_path, stage):
    hm.prepare(large, tmp_path / "out", since=date(2020, 7, 1))
    before = DataFolder.open(tmp_path / "out").fingerprint
    command = [sys.executable, "-u", str(SCRIPT), "--raw", str(large), "--out", str(tmp_path / "out")]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    # Whoever starts the tests in the background has interrupts ignored, and so would every process they start.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, **pipes, **heard) as process:
        for line in process.stderr:
            if stage in line:
                time.sleep(0.1)
                process.send_signal(signal.SIGINT)
                break
        _, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert "stopped; nothing was written" in told
    assert DataFolder.open(tmp_path / "out").fingerprint == before
    assert os.listdir(tmp_path) == ["out"]
