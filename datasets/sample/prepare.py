"""Make the built-in sample: python datasets/sample/prepare.py --out DIR [--seed 0] [--items 1200 ...].

Everything is drawn from one seed; the same seed and sizes give the same tables and the same pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
for place in (HERE, HERE.parents[1]):  # its own modules, and the repository when the product is not installed
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from choice import SPLIT_INSTANT, WEIGHTS, Choice, Intent  # noqa: E402
from drawing import cloth_key, draw_item  # noqa: E402
from events import launch_dates, make_events  # noqa: E402
from outfits import item_pools, make_outfits  # noqa: E402
from people import make_people  # noqa: E402
from rules import GROUPS, LABELS, Traits, coherence, label_probabilities, pad, pair_scores  # noqa: E402
from wardrobe import make_items  # noqa: E402

from fcn.errors import DresswellError  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.schema import INTERACTIONS, ITEMS, OUTFITS, PEOPLE, SCHEMAS  # noqa: E402

ORACLE_FILES = ("oracle.json", "oracle_outfits.parquet", "oracle_people.parquet", "oracle_items.parquet",
                "oracle_events.parquet")
DESCRIPTION = (
    "Made data: a drawn wardrobe, outfits, people and choices that follow written styling rules with noise. "
    "No real shop, brand or person. For learning the product, tests and comparisons with a known oracle."
)


def prepare(out: str | Path, seed: int = 0, items: int = 1200, outfits: int = 3000, people: int = 2000,
            events: int = 20_000) -> dict[str, int]:
    """Make the sample in folder `out` (replaced when it is a data set folder) and return the row counts.

    Raises ValueError when the sizes do not go together: too few items for the outfits, or events for the people.
    """
    sizes = {"items": items, "outfits": outfits, "people": people, "events": events}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"--{name} is {size}; ask for 1 or more")
    out = Path(out)
    streams = [np.random.default_rng([seed, part]) for part in range(5)]
    catalogue = make_items(items, streams[0])
    traits = Traits([i["category"] for i in catalogue], [i["slot"] for i in catalogue],
                    [i["attributes"] for i in catalogue], [i["price"] for i in catalogue])
    pairs = pair_scores(traits)
    pools = item_pools(traits, streams[1])
    made, splits, constants, labels = make_outfits(traits, pairs, pools, outfits, streams[1])
    crowd = make_people(people, streams[2])
    launched, appeal = launch_dates(items, streams[3]), streams[3].normal(size=items)
    choices = make_events(Choice(traits, crowd, appeal, launched), people, events, streams[4])

    item_ids = [i["item_id"] for i in catalogue]
    user_ids = [f"u{at:05d}" for at in range(people)]
    outfit_ids = [f"o{at:05d}" for at in range(len(made))]
    tables = {
        ITEMS: [{**i, "attributes": list(i["attributes"].items())} for i in catalogue],
        OUTFITS: [{"outfit_id": name, "item_ids": [item_ids[row] for row in rows],
                   "labels": [label for label, there in zip(LABELS, has, strict=True) if there],
                   "split": split}
                  for name, rows, has, split in zip(outfit_ids, made, labels, splits, strict=True)],
        PEOPLE: [{"user_id": name, "profile": crowd.profile(at)} for at, name in enumerate(user_ids)],
        INTERACTIONS: [{"user_id": user_ids[e.person], "item_id": item_ids[e.item], "timestamp": e.timestamp,
                        "event": e.event, "query": e.query, "occasion": e.occasion, "rating": e.rating,
                        "split": e.split} for e in choices],
    }
    tables = {name: pa.Table.from_pylist(rows, schema=SCHEMAS[name]) for name, rows in tables.items()}
    info = {"name": "dresswell sample", "licence": "Apache-2.0",
            "source": f"made by datasets/sample/prepare.py --seed {seed} --items {items} --outfits {outfits} "
                      f"--people {people} --events {events}",
            "description": DESCRIPTION, "made": True,
            "label_groups": [{"name": name, "values": list(values), "polarity": polarity}
                             for name, (polarity, values) in GROUPS.items()]}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.pictures.") as pictures:
        (Path(pictures) / "images").mkdir()
        for item in sorted(catalogue, key=cloth_key):  # like cloths together: each is woven once
            draw_item(item).save(Path(pictures) / item["image"])
        write_folder(out, info, tables[ITEMS], outfits=tables[OUTFITS], people=tables[PEOPLE],
                     interactions=tables[INTERACTIONS], images_from=Path(pictures))

    rows = pad(made)
    p = label_probabilities(traits, rows, constants)
    _write_json(out / "oracle.json", {
        "seed": seed, "split_instant": SPLIT_INSTANT, "choice_weights": WEIGHTS,
        "labels": dict(zip(("mean", "deviation", "offset"), constants.tolist(), strict=True))})
    _write_table(out / "oracle_outfits.parquet", {
        "outfit_id": outfit_ids, "p": p.tolist(), "coherence": coherence(pairs, rows).tolist()})
    _write_table(out / "oracle_people.parquet", {
        "user_id": user_ids, "profile": [crowd.profile(at, stated=False) for at in range(people)],
        "colour": crowd.colour.tolist(), "pattern": crowd.pattern.tolist(),
        "category": crowd.category.tolist(),
        "formality": crowd.formality.tolist(), "price": crowd.price.tolist()})
    _write_table(out / "oracle_items.parquet", {
        "item_id": item_ids, "appeal": appeal.tolist(), "launched": launched.tolist(),
        "pool": pools.tolist()})
    _write_table(out / "oracle_events.parquet", {
        field: [getattr(e.intent, field) for e in choices] for field in Intent.__dataclass_fields__})
    return {name.removesuffix(".parquet"): table.num_rows for name, table in tables.items()}


def _write_json(path: Path, value: dict) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(part, path)


def _write_table(path: Path, columns: dict[str, list]) -> None:
    part = path.with_name(path.name + ".part")
    pq.write_table(pa.table(columns), part)
    os.replace(part, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the built-in sample (made data, no download).")
    parser.add_argument("--out", required=True, type=Path,
                        help="folder to write; an older sample there is replaced")
    for name, default in (("seed", 0), ("items", 1200), ("outfits", 3000), ("people", 2000),
                          ("events", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    options = vars(parser.parse_args())
    start = time.perf_counter()
    try:
        counts = prepare(**options)
    except (ValueError, DresswellError) as error:
        parser.error(str(error))
    print(", ".join(f"{count} {name}" for name, count in counts.items()),
          f"-> {options['out']} (seed {options['seed']}, {time.perf_counter() - start:.1f} s)")


if __name__ == "__main__":
    main()
