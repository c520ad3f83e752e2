"""What two splits of a data set share: items, outfits, exact pictures. A figure on a split that leaks measures memory.

    report = check_integrity(DataFolder.open("data/mine"))
    report.clean        # nothing is in two splits
    print(report)       # a table; report.to_json() says the same

Pictures are compared by their decoded pixels (RGB, upright, on white, as every encoder sees them) and not by their
file's bytes: one picture saved with other metadata, or in another lossless format, is still the same picture. A JPEG
compressed again is another one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm.auto import tqdm

from fcn.catalog import Catalog
from fcn.errors import DataError
from fcn.folder import DataFolder
from fcn.ids import flat
from fcn.images import open_image
from fcn.schema import SPLITS
from fcn.splits import outfit_components
from fcn.validate import flatten

EXAMPLES = 5
_AHEAD = 1024  # pictures handed to the threads at once


@dataclass(frozen=True)
class Overlap:
    """What two splits have in common.

    items: items worn in both. outfits: outfits of `second` whose set of items is an outfit of `first` too.
    pictures: pictures in both, under different item ids; those of shared items are not counted again.
    titles: pairs of title and category in both, under different item ids (a note: titles may well repeat).
    events: events of `second` that are in `first` too: same person, item, time and kind.
    examples: at most five of each that is not zero; the ids on both sides where they differ.
    """

    first: str
    second: str
    items: int
    outfits: int
    pictures: int
    titles: int
    events: int
    examples: dict[str, list[str]]

    @property
    def clean(self) -> bool:
        return not (self.items or self.outfits or self.pictures or self.events)


@dataclass(frozen=True)
class Components:
    """Connected components of the graph of outfits and items; `joined`: items of equal pictures are one."""

    count: int
    largest: int  # outfits of the largest
    joined_count: int
    joined_largest: int


@dataclass(frozen=True)
class IntegrityReport:
    """Made by `check_integrity`.

    outfits, items: per split, outfits and the different items they wear. overlaps: one per pair of splits.
    repeated_outfits, repeated_pictures, repeated_titles: outfits, items of the catalogue and items of the catalogue
    whose set of items, picture, or title and category came before in the data set. unreadable: picture files that
    do not decode, which are compared by their bytes.
    """

    name: str
    outfits: dict[str, int]
    items: dict[str, int]
    overlaps: tuple[Overlap, ...]
    components: Components
    repeated_outfits: int
    repeated_pictures: int
    repeated_titles: int
    unreadable: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """No item, outfit, picture or event is in two splits; equal titles do not count."""
        return all(overlap.clean for overlap in self.overlaps)

    def to_json(self) -> dict:
        return {**asdict(self), "clean": self.clean}

    def __str__(self) -> str:
        kinds = ("items", "outfits", "pictures", "titles", "events")
        lines = [f"{self.name}: " + ", ".join(f"{s} {self.outfits[s]:,} outfits of {self.items[s]:,} items"
                                              for s in SPLITS if self.outfits[s])]  # fmt: skip
        lines.append(f"{'in both':16}" + "".join(f"{kind:>11}" for kind in kinds))
        for one in self.overlaps:
            cells = "".join(f"{getattr(one, kind):>11,}" for kind in kinds)
            lines.append(f"{one.first + ' and ' + one.second:16}{cells}")
        for one in self.overlaps:
            for kind, found in one.examples.items():
                lines.append(f"  {kind} in {one.first} and {one.second}: {', '.join(found)}")
        c = self.components
        lines.append(f"components: {c.count:,}, the largest {c.largest:,} outfits; "
                     f"joined by equal pictures too: {c.joined_count:,}, {c.joined_largest:,}")  # fmt: skip
        lines.append(f"repeated in the data set: {self.repeated_outfits:,} outfits, "
                     f"{self.repeated_pictures:,} pictures, {self.repeated_titles:,} titles")  # fmt: skip
        if self.unreadable:
            lines.append(f"{len(self.unreadable):,} unreadable pictures, such as {self.unreadable[0]}; "
                         "`python -m fcn check` names each")  # fmt: skip
        if self.clean:
            lines.append("clean: nothing is in two splits")
        elif any(one.items or one.outfits or one.pictures for one in self.overlaps):
            lines.append("not clean; a split that is: "
                         "python -m fcn split DATA --by component --join-pictures --out DIR")  # fmt: skip
        else:
            lines.append("not clean; drop the repeated events of one split")
        return "\n".join(lines)


def check_integrity(folder: DataFolder, progress: bool = True) -> IntegrityReport:
    """Compare the splits of a folder's outfits, and of its events. Decodes every picture of the catalogue once.

    Items may well recur between splits of events (a person's next choice): only whole events that are in two splits
    count there. `progress` shows a bar over the pictures.
    """
    catalog = folder.catalog
    digests, unreadable = picture_digests(catalog, progress)
    pictures = _codes(digests)
    titles = _title_codes(catalog)
    outfits = folder.outfits
    split = np.zeros(0, np.int64) if outfits is None else _split_codes(outfits)
    parents, worn = (split, split) if outfits is None else flatten(outfits.column("items"))
    worn = np.asarray(worn, np.int64)
    present = np.zeros((len(catalog), len(SPLITS)), bool)
    present[worn, split[parents]] = True
    sets, names = _item_sets(parents, worn, len(split)), None if outfits is None else flat(outfits.column("outfit_id"))
    events = _event_overlaps(folder)
    overlaps = []
    for a, b in combinations(range(len(SPLITS)), 2):
        shared = np.flatnonzero(present[:, a] & present[:, b])
        examples = {"items": catalog.ids.take(pa.array(shared[:EXAMPLES])).to_pylist()}
        twice = _rows_in_both(sets, split == a, split == b)
        examples["outfits"] = [f"{names[int(i)]} = {names[int(j)]}" for i, j in twice[:EXAMPLES]]
        alike = {kind: _keys_in_both(codes, present[:, a], present[:, b])
                 for kind, codes in (("pictures", pictures), ("titles", titles))}  # fmt: skip
        for kind, found in alike.items():
            examples[kind] = [f"{catalog.ids[int(i)]} = {catalog.ids[int(j)]}" for i, j in found[:EXAMPLES]]
        overlaps.append(
            Overlap(SPLITS[a], SPLITS[b], len(shared), len(twice), len(alike["pictures"]), len(alike["titles"]),
                    events[a, b], {kind: found for kind, found in examples.items() if found})  # fmt: skip
        )
    return IntegrityReport(
        folder.name,
        {name: int((split == code).sum()) for code, name in enumerate(SPLITS)},
        {name: int(present[:, code].sum()) for code, name in enumerate(SPLITS)},
        tuple(overlaps),
        _components(outfits, catalog, pictures),
        _repeated(sets),
        _repeated(pictures),
        _repeated(titles),
        tuple(unreadable),
    )


def picture_digests(catalog: Catalog, progress: bool = True) -> tuple[list[bytes | None], list[str]]:
    """For each row the blake2b-128 of its picture's pixels (None without a picture), and the unreadable files.

    Pictures are decoded one after another on a few threads, each file once; none is kept in memory.
    """
    column = flat(catalog.column("image")).dictionary_encode()
    paths = column.dictionary.to_pylist()
    root = catalog.root or Path()
    found: list[bytes] = []
    unreadable: list[str] = []
    for path, (digest, sound) in zip(paths, _digests([root / path for path in paths], progress), strict=True):
        found.append(digest)
        if not sound:
            unreadable.append(path)
    codes = pc.fill_null(column.indices, -1).to_numpy()
    return [found[code] if code >= 0 else None for code in codes.tolist()], unreadable


def picture_keys(catalog: Catalog, progress: bool = True) -> dict[str, int]:
    """Item id -> a number that is the same for items of equal pictures, as `component_split` takes it."""
    return _by_id(catalog, _codes(picture_digests(catalog, progress)[0]))


def _digests(paths: list[Path], progress: bool) -> Iterator[tuple[bytes, bool]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(
        total=len(paths), desc="pictures compared", unit="picture", disable=not progress or not paths
    ) as bar:  # fmt: skip
        for start in range(0, len(paths), _AHEAD):
            for result in pool.map(_digest, paths[start : start + _AHEAD]):
                bar.update()
                yield result


def _digest(path: Path) -> tuple[bytes, bool]:
    """Digest of the pixels and whether they could be read; of the file's bytes where they could not."""
    try:
        image = open_image(path)
    except DataError:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest(), False
    digest = hashlib.blake2b(b"%d x %d" % image.size, digest_size=16)
    digest.update(image.tobytes())
    return digest.digest(), True


def _codes(keys: list) -> np.ndarray:
    """int64 (n,): equal keys, equal codes; -1 for None."""
    known: dict = {}
    return np.array([-1 if key is None else known.setdefault(key, len(known)) for key in keys], np.int64)


def _title_codes(catalog: Catalog) -> np.ndarray:
    """int64 (n,): code of title and category, upper and lower case alike; -1 for an item without a title."""
    titles = pc.utf8_lower(pc.utf8_trim_whitespace(flat(catalog.column("title"))))
    pairs = zip(titles.to_pylist(), catalog.categories[0].tolist(), strict=True)
    return _codes([(title, category) if title else None for title, category in pairs])


def _split_codes(table: pa.Table) -> np.ndarray:
    return pc.index_in(flat(table.column("split")), pa.array(SPLITS)).to_numpy().astype(np.int64)


def _item_sets(parents: np.ndarray, items: np.ndarray, n: int) -> np.ndarray:
    """int64 (n,): outfits of the same items, in whatever order, have the same code."""
    ordered = items[np.lexsort((items, parents))]
    ends = np.cumsum(np.bincount(parents, minlength=n)).tolist()
    return _codes([ordered[start:end].tobytes() for start, end in zip([0, *ends], ends, strict=False)])


def _repeated(codes: np.ndarray) -> int:
    known = codes[codes >= 0]
    return len(known) - len(np.unique(known))


def _rows_in_both(codes: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """(row of `first`, row of `second`) for each row of `second` whose code is also one of `first`."""
    known, rows = np.unique(codes[first], return_index=True)
    rows = np.flatnonzero(first)[rows]
    there = np.flatnonzero(second & np.isin(codes, known))
    return list(zip(rows[np.searchsorted(known, codes[there])].tolist(), there.tolist(), strict=True))


def _keys_in_both(codes: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """(item of `first`, item of `second`) for each code that both have, but no single item that both have."""
    known = codes >= 0
    same = np.isin(codes, codes[known & first & second])
    pairs = _rows_in_both(codes, known & first & ~same, known & second & ~same)
    found: dict[int, tuple[int, int]] = {}
    for pair in pairs:
        found.setdefault(int(codes[pair[1]]), pair)
    return list(found.values())


def _event_overlaps(folder: DataFolder) -> dict[tuple[int, int], int]:
    """Events of the later split that are in the earlier one too, per pair of splits."""
    pairs = list(combinations(range(len(SPLITS)), 2))
    table = folder.interactions
    if table is None:
        return dict.fromkeys(pairs, 0)
    split = _split_codes(table)
    columns = [table.column("user"), table.column("item"), table.column("timestamp").cast(pa.int64()),
               flat(table.column("event")).dictionary_encode().indices]  # fmt: skip
    codes = np.unique(np.stack([c.to_numpy().astype(np.int64) for c in columns], 1), axis=0, return_inverse=True)[1]
    return {(a, b): int(np.isin(codes[split == b], codes[split == a]).sum()) for a, b in pairs}


def _components(outfits: pa.Table | None, catalog: Catalog, pictures: np.ndarray) -> Components:
    if outfits is None or not outfits.num_rows:
        return Components(0, 0, 0, 0)
    plain = np.bincount(outfit_components(outfits.column("item_ids")))
    keys = _by_id(catalog, pictures)
    joined = np.bincount(outfit_components(outfits.column("item_ids"), keys)) if keys else plain
    return Components(len(plain), int(plain[0]), len(joined), int(joined[0]))


def _by_id(catalog: Catalog, codes: np.ndarray) -> dict[str, int]:
    return {name: code for name, code in zip(catalog.ids.to_pylist(), codes.tolist(), strict=True) if code >= 0}
