"""O4U, "Outfit for You" (Pang, Zou and Wong, BMVC 2022) -> dresswell folder.

    python datasets/o4u/prepare.py --raw DIR --out DIR [--polarity unsuits|suits] [--skip-bad]

README.md beside this file is the data card: where the release is published, the field mapping, the traps.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
# its own module, and fcn also where dresswell is not installed; last on the path, so that they hide nothing
sys.path += [str(HERE), str(HERE.parents[1])]

from o4u_rows import GROUPS, KINDS, parse_row  # noqa: E402

from fcn.adapters import run  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder_writing import write_folder  # noqa: E402
from fcn.images import looks_like_picture  # noqa: E402
from fcn.label_graph import LabelGraph, conditional  # noqa: E402
from fcn.types import Item, LabelVocabulary, Outfit  # noqa: E402

ARCHIVE = "Outfit4You.zip"
PUBLISHED = "O4U with 'Dress Well via Fashion Cognitive Learning' (Pang, Zou, Wong; BMVC 2022)"
SPLITS = ("train", "val", "test")
TAU = 0.4  # Chen et al., CVPR 2019


class Release:
    """The files of the release: the archive, or the folder it unpacks to. Closed by `with`."""

    def __init__(self, raw: Path):
        """raw: the archive, or a folder that holds it, Outfit4You/, or label/ itself. DataError when it is none."""
        self.archive: zipfile.ZipFile | None = None
        self.root = next((place for place in (raw, raw / "Outfit4You") if (place / "label").is_dir()), None)
        packed = raw if raw.is_file() else raw / ARCHIVE
        if self.root is None and packed.is_file():
            try:
                self.archive = zipfile.ZipFile(packed)
            except (zipfile.BadZipFile, OSError) as error:
                raise DataError(Problem(
                    str(packed), None, None, None, f"not a readable zip archive ({error})", "download it again"
                )) from error  # fmt: skip
        elif self.root is None:
            remedy = f"put {ARCHIVE}, or the folder Outfit4You/ it unpacks to, there; published as {PUBLISHED}"
            raise DataError(Problem(str(raw / ARCHIVE), None, None, None, "no such file", remedy))
        self.place = str(self.root or packed)
        self.names = self._names("label") | self._names("image")

    def _names(self, folder: str) -> set[str]:
        """ "label/val.json" and the like."""
        if self.root is not None:
            place = self.root / folder
            return {f"{folder}/{path.name}" for path in place.iterdir()} if place.is_dir() else set()
        start = f"Outfit4You/{folder}/"
        return {name.removeprefix("Outfit4You/") for name in self.archive.namelist() if name.startswith(start)}

    def open(self, name: str):
        return open(self.root / name, "rb") if self.root is not None else self.archive.open(f"Outfit4You/{name}")

    def __enter__(self) -> Release:
        return self

    def __exit__(self, *_: object) -> None:
        if self.archive is not None:
            self.archive.close()


def read_split(
    release: Release, split: str, skip_bad: bool, counts: Counter[str]
) -> tuple[list[Outfit], dict[str, str]]:
    """The outfits of one label file, and item id -> picture name. Adds to `counts`; DataError for a bad entry."""
    name = f"label/{split}.json"
    place = f"{release.place}/{name}"
    try:
        with release.open(name) as handle:
            rows = json.load(handle)
    except (ValueError, RecursionError, zipfile.BadZipFile) as error:
        message = f"not readable as JSON ({str(error)[:200]})"
        raise DataError(Problem(place, None, None, None, message, "download it again")) from error
    if not isinstance(rows, list) or not rows:
        message = "not a list of outfits" if not isinstance(rows, list) else "no outfit in the file"
        raise DataError(Problem(place, None, None, None, message, "download it again"))
    outfits: list[Outfit] = []
    pictures: dict[str, str] = {}
    seen: set[str] = set()
    for number, row in enumerate(rows):
        counts["rows read"] += 1
        try:
            outfit_id, names, labels = parse_row(row)
            if outfit_id in seen:
                raise DataError(Problem(None, None, "id", outfit_id, "the id came before", "keep one"))
        except DataError as error:
            if not skip_bad:
                (fault,) = error.problems
                remedy = f"{fault.remedy}; --skip-bad leaves such rows out and counts them"
                raise DataError(
                    Problem(place, number, fault.field, fault.value, fault.message, remedy)
                ) from error
            counts["bad rows left out"] += 1
            continue
        seen.add(outfit_id)
        # a row that nobody has judged yet has no labels, which must not read as "unsuitable for nobody"
        if str(row.get("is_processed", "1")) != "1":
            counts["rows not processed, left out"] += 1
        elif str(row.get("is_bad", "0")) != "0":
            counts["rows marked bad, left out"] += 1
        else:
            item_ids = [name.rpartition(".")[0] for name in names]
            pictures.update(zip(item_ids, names, strict=True))
            # ids are counted anew in each file
            outfits.append(Outfit(f"{split}-{outfit_id}", tuple(item_ids), tuple(labels), split))
    counts[f"outfits in {split}"] = len(outfits)
    return outfits, pictures


def take_pictures(release: Release, names: list[str], target: Path) -> tuple[set[str], int]:
    """Copy the pictures that are there into target/images; (those that are pictures, number of those that are not)."""
    (target / "images").mkdir(parents=True)
    good, broken = set(), 0
    for name in names:
        if f"image/{name}" not in release.names:
            continue
        try:
            with release.open(f"image/{name}") as source, open(target / "images" / name, "wb") as copy:
                shutil.copyfileobj(source, copy)
            with open(target / "images" / name, "rb") as copy:
                sound = looks_like_picture(copy.read(16))
        except (OSError, zipfile.BadZipFile):
            sound = False
        if sound:
            good.add(name)
        else:
            broken += 1
    return good, broken


def describe_labels(outfits: list[Outfit], vocabulary: LabelVocabulary) -> tuple[list[str], dict[str, Any]]:
    """The label graph of some outfits as lines of text, and the figures in them."""
    targets = np.stack([vocabulary.encode(outfit.labels) for outfit in outfits])
    graph = LabelGraph.from_labels(vocabulary.labels, targets, TAU)
    probability, share = conditional(targets), targets.mean(0)
    figures = {
        "labels that occur": int((share > 0).sum()),
        "labels an outfit": round(float(targets.sum(1).mean()), 2),
        "outfits without a label": int((targets.sum(1) == 0).sum()),
        f"directed edges, P(j|i) >= {TAU:g}": graph.links(),
    }
    values = [label.partition("=")[2] for label in vocabulary.labels]
    # "low" is a height and a contrast: such values keep their group
    named = zip(values, vocabulary.labels, strict=True)
    short = [value if values.count(value) == 1 else label for value, label in named]
    edge = {tuple(pair) for pair in graph.edge_index.T.tolist() if pair[0] != pair[1]}
    lines = []
    for i, label in enumerate(vocabulary.labels):
        linked = sorted((j for source, j in edge if source == i), key=lambda j: (-probability[i, j], j))
        shown = ", ".join(f"{short[j]} {probability[i, j]:.2f}" for j in linked)
        lines.append(f"  {label:<40} {share[i]:6.1%}  {'-> ' + shown if shown else ''}".rstrip())
    return lines, figures


def prepare(
    raw: Path, out: Path, polarity: str = "unsuits", skip_bad: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Read the release in `raw`, write the folder `out`; returns the counts of the card and lines on the label
    graph and on what the release here lacks. Raises DataError.
    """
    started = time.perf_counter()
    rows: Counter[str] = Counter()
    outfits: list[Outfit] = []
    pictures: dict[str, str] = {}
    out = Path(out)
    vocabulary = LabelVocabulary.from_json(
        [{"name": name, "values": values, "polarity": polarity} for name, values in GROUPS.items()]
    )
    with Release(Path(raw)) as release:
        there = [split for split in SPLITS if f"label/{split}.json" in release.names]
        if not there:
            remedy = f"put train.json, val.json and test.json there, published as {PUBLISHED}"
            raise DataError(Problem(f"{release.place}/label", None, None, None, "no label file", remedy))
        for split in there:
            found, named = read_split(release, split, skip_bad, rows)
            outfits += found
            pictures |= named
        if not outfits:
            raise DataError(Problem(release.place, None, None, None, "no usable outfit", "download it again"))
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.pictures.") as folder:
            good, broken = take_pictures(release, list(pictures.values()), Path(folder))
            items = [
                Item(item_id, KINDS[name[0]][1], KINDS[name[0]][0], KINDS[name[0]][0],
                     f"images/{name}" if name in good else None)
                for item_id, name in pictures.items()
            ]  # fmt: skip
            write_folder(
                out,
                {
                    "name": "o4u",
                    "licence": "academic use only",
                    "source": PUBLISHED,
                    "description": "Outfits with the body features they do not suit (as far as the polarity is "
                    f"known, see the card); polarity {polarity}; label files: {', '.join(there)}.",
                    "label_groups": vocabulary.to_json(),
                    "made": False,
                },
                items,
                outfits=outfits,
                images_from=folder,
            )
    kept = ("rows read", "bad rows left out", "rows marked bad, left out", "rows not processed, left out")
    counts: dict[str, Any] = {name: rows[name] for name in kept}
    counts |= {f"outfits in {split}": rows[f"outfits in {split}"] for split in SPLITS}
    counts["items"] = len(items)
    worn = {split: {i for o in outfits if o.split == split for i in o.item_ids} for split in SPLITS}
    shared = len((worn["val"] | worn["test"]) & worn["train"])
    counts["items of val and test that train has too"] = shared
    counts["items an outfit"] = round(sum(len(outfit.item_ids) for outfit in outfits) / len(outfits), 2)
    counts["items with a picture"] = len(good)
    counts["pictures that do not read"] = broken
    source = "train" if "train" in there else there[0]
    lines, figures = describe_labels([outfit for outfit in outfits if outfit.split == source], vocabulary)
    counts |= figures
    counts["seconds"] = round(time.perf_counter() - started, 1)
    return counts, [f"label graph of {source}.json: share of outfits, and labels j with P(j|i) >= {TAU:g}", *lines,
                    *what_is_missing(there, source, len(items), len(good))]  # fmt: skip


def what_is_missing(there: list[str], source: str, items: int, pictured: int) -> list[str]:
    """What of the published release is not here, and what that means."""
    absent = [split for split in SPLITS if split not in there]
    lines = [f"MISSING: label/{split}.json; the folder has no {split} outfits" for split in absent]
    if source != "train":
        lines.append(f"the label graph above comes from {source}.json alone; training takes it from train outfits")
    if pictured < items:
        lines.append(f"MISSING: {items - pictured:,} of {items:,} items have no picture in image/; nothing else tells "
                     "them apart, so that no label can be learnt from those")  # fmt: skip
    return lines


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help=f"{ARCHIVE}, or the folder with it or its contents")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--polarity", choices=["unsuits", "suits"], default="unsuits",
                        help="what a label on an outfit says of people with that feature (default unsuits)")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable rows out and count them")
    args = parser.parse_args(argv)

    def work() -> dict[str, int]:
        counts, lines = prepare(args.raw, args.out, args.polarity, args.skip_bad)
        print("\n".join(lines))
        return counts

    return run(work, 50)


if __name__ == "__main__":
    sys.exit(main())
