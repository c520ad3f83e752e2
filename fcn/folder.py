"""The data set folder: one format for outfits, people, events and pictures."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fcn import pictures, reading, validate
from fcn.catalog import Catalog
from fcn.errors import DataError, Problem, nearest
from fcn.ids import IdIndex, flat
from fcn.reading import Report
from fcn.schema import (
    EVENTS,
    INFO,
    INTERACTIONS,
    ITEMS,
    OUTFITS,
    PEOPLE,
    SCHEMAS,
    SPLITS,
)
from fcn.types import SLOTS, LabelVocabulary, Outfit, Profile

if TYPE_CHECKING:
    import datasets

IMAGE_CHECKS = ("header", "full", "none")


class DataFolder:
    """A validated data set folder. Made by `DataFolder.open`.

    path, info (dataset.json), name, vocabulary, catalog;
    outfits: table or None; beside its own columns `items`, list<int32> of catalogue rows;
    people: table or None;
    interactions: table or None; beside its own columns `user` (int32, code into user_ids) and `item` (int32,
    catalogue row);
    problems: what skip_bad left out, `dropped`: rows left out per file.
    """

    path: Path
    info: dict
    vocabulary: LabelVocabulary
    catalog: Catalog
    outfits: pa.Table | None
    people: pa.Table | None
    interactions: pa.Table | None
    problems: list[Problem]
    dropped: dict[str, int]

    @classmethod
    def open(cls, path: str | os.PathLike, skip_bad: bool = False, images: str = "header") -> DataFolder:
        """Read and validate a data set folder.

        skip_bad: leave out rows that break a rule, and what refers to them, instead of refusing the folder.
        images: "header" looks at each picture's first bytes, "full" decodes each, "none" looks at none.
        DataError lists every problem of every file.
        """
        if images not in IMAGE_CHECKS:
            raise DataError(Problem(None, None, "images", images, "unknown check", f"use one of {IMAGE_CHECKS}"))
        self = cls()
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(Problem(str(path), None, None, None, "no such folder", "give a data set folder"))
        report = Report()
        read = reading.read_info(self.path, report)
        tables = {ITEMS: reading.read_table(self.path, ITEMS, report)}
        for file in (OUTFITS, PEOPLE, INTERACTIONS):
            there = os.path.lexists(self.path / file)
            tables[file] = reading.read_table(self.path, file, report) if there else None
        self.info, self.vocabulary = read or ({}, None)
        self.dropped = {file: 0 for file, table in tables.items() if table is not None}
        if tables[ITEMS] is not None:
            kept = self._open_items(tables.pop(ITEMS), images, report)
            self._open_outfits(tables.pop(OUTFITS), kept, skip_bad, report)
            self._open_people(tables.pop(PEOPLE), report)
            self._open_interactions(tables.pop(INTERACTIONS), kept, skip_bad, report)
            del self._all_ids
        if report.problems and (report.fatal or not skip_bad):
            raise DataError(report.problems)
        self.problems = report.problems
        pa.default_memory_pool().release_unused()
        return self

    # Each of the next four checks one file, drops its bad rows and keeps the rest. Rows are dropped also when
    # skip_bad is off: then the folder is refused in the end, after every file has been looked at.

    def _open_items(self, table: pa.Table, images: str, report: Report) -> np.ndarray:
        """Returns, for each row of the file, its row in the catalogue, or -1 when it was left out."""
        bad = validate.check_nulls(table, ITEMS, report)
        bad |= validate.check_ids(table, ITEMS, "item_id", report, unique=True)
        bad |= validate.check_choice(table, ITEMS, "slot", SLOTS, report)
        bad |= validate.check_attributes(table, ITEMS, report)
        bad |= validate.check_numbers(table, ITEMS, "price", report, least=0)
        bad |= pictures.check_images(self.path, table, ITEMS, images, report)
        self._all_ids = flat(table.column("item_id"))
        self.catalog = Catalog(self._drop(table, bad, ITEMS), self.path)
        kept = np.cumsum(~bad, dtype=np.int32) - 1
        kept[bad] = -1
        return kept

    def _open_outfits(self, table: pa.Table | None, kept: np.ndarray, skip_bad: bool, report: Report) -> None:
        self.outfits = None
        if table is None:
            return
        bad = validate.check_nulls(table, OUTFITS, report)
        bad |= validate.check_ids(table, OUTFITS, "outfit_id", report, unique=True)
        bad |= validate.check_choice(table, OUTFITS, "split", SPLITS, report)
        if self.vocabulary is not None:
            bad |= validate.check_labels(table, OUTFITS, "labels", self.vocabulary, report, on_outfit=True)
        parents, values = validate.flatten(table.column("item_ids"))
        codes = self._item_rows(values)
        bad |= validate.check_outfit_items(table, OUTFITS, codes, parents, values, report)
        rows = self._check_items(OUTFITS, "item_ids", codes, parents, values, kept, bad, skip_bad, report)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=len(bad)))]).astype(np.int32)
        table = table.append_column("items", pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows)))
        self.outfits = self._drop(table, bad, OUTFITS)

    def _open_people(self, table: pa.Table | None, report: Report) -> None:
        self.people = None
        if table is None:
            return
        bad = validate.check_nulls(table, PEOPLE, report)
        bad |= validate.check_ids(table, PEOPLE, "user_id", report, unique=True)
        if self.vocabulary is not None:
            bad |= validate.check_labels(table, PEOPLE, "profile", self.vocabulary, report, on_outfit=False)
        self.people = self._drop(table, bad, PEOPLE)

    def _open_interactions(self, table: pa.Table | None, kept: np.ndarray, skip_bad: bool, report: Report) -> None:
        self.interactions = None
        known = flat(self.people.column("user_id")) if self.people is not None else pa.array([], pa.string())
        self._user_ids = known
        if table is None:
            return
        bad = validate.check_nulls(table, INTERACTIONS, report)
        bad |= validate.check_ids(table, INTERACTIONS, "user_id", report, unique=False)
        bad |= validate.check_choice(table, INTERACTIONS, "event", EVENTS, report)
        bad |= validate.check_choice(table, INTERACTIONS, "split", SPLITS, report)
        bad |= validate.check_numbers(table, INTERACTIONS, "rating", report, least=None)
        bad |= validate.check_times(table, INTERACTIONS, report)

        values, codes = validate.uniques(table.column("item_id"))
        place = np.append(self._item_rows(values), np.int32(-2))  # the last is for null
        item = self._check_items(
            INTERACTIONS,
            "item_id",
            place[codes],
            np.arange(len(codes)),
            table.column("item_id"),
            kept,
            bad,
            skip_bad,
            report,
        )
        del values, codes, place

        values, codes = validate.uniques(table.column("user_id"))
        times = table.column("timestamp").cast(pa.int64()).to_numpy()
        if bad.any():
            rows = np.flatnonzero(~bad)
            late = validate.check_order(INTERACTIONS, rows, codes[rows], times[rows], report)
        else:  # the columns as they are: copies of them would be the most memory that opening takes
            rows = np.arange(len(bad), dtype=np.int32)
            late = validate.check_order(INTERACTIONS, rows, codes, times, report)
        bad[rows[late]] = True
        del rows, times

        used = np.bincount(codes[~bad], minlength=len(values)) > 0
        place = pc.fill_null(pc.index_in(values, known), -1).to_numpy().astype(np.int32)
        new = used & (place < 0)
        place[new] = len(known) + np.arange(new.sum(), dtype=np.int32)
        self._user_ids = pa.concat_arrays([known, values.filter(pa.array(new))])
        user = np.append(place, np.int32(-1))[codes]

        table = table.append_column("user", pa.array(user)).append_column("item", pa.array(item))
        table = self._drop(table, bad, INTERACTIONS)
        # The ids' codes are the codes just found, over ids held once.
        for name, column, ids in (("user_id", "user", self._user_ids), ("item_id", "item", self.catalog.ids)):
            array = pa.DictionaryArray.from_arrays(flat(table.column(column)), ids, safe=False)
            table = table.set_column(table.column_names.index(name), name, array)
        self.interactions = table

    def _item_rows(self, ids: pa.Array) -> np.ndarray:
        """int32: the row of each id in items.parquet, -1 where there is none."""
        return pc.fill_null(pc.index_in(ids, self._all_ids, skip_nulls=True), -1).to_numpy().astype(np.int32)

    @staticmethod
    def _check_items(
        file: str,
        field: str,
        codes: np.ndarray,
        parents: np.ndarray,
        values: pa.Array | pa.ChunkedArray,
        kept: np.ndarray,
        bad: np.ndarray,
        skip_bad: bool,
        report: Report,
    ) -> np.ndarray:
        """Catalogue rows (int32) of item references; marks in `bad` the rows that refer to nothing.

        A reference to an item that breaks a rule of its own is listed only where rows are left out: mending
        the item mends it.
        """
        rows = np.append(kept, np.array([-1, -1], np.int32))[codes]
        at = np.flatnonzero(codes == -1)  # not those that are null, which has been reported
        found = flat(values.take(pa.array(at[: reading.LISTED])))
        remedy = "add the item to items.parquet or drop the row"
        report.rows(file, parents[at], field, found, "no such item in items.parquet", remedy)
        if skip_bad:
            dropped = np.flatnonzero((codes >= 0) & (rows < 0))
            found = flat(values.take(pa.array(dropped[: reading.LISTED])))
            remedy = "mend the item in items.parquet"
            report.rows(file, parents[dropped], field, found, "the item was left out", remedy)
        bad[parents[rows < 0]] = True
        return rows

    def _drop(self, table: pa.Table, bad: np.ndarray, file: str) -> pa.Table:
        self.dropped[file] = int(bad.sum())
        return table.filter(pa.array(~bad)) if bad.any() else table

    @property
    def name(self) -> str:
        return self.info["name"]

    @cached_property
    def user_ids(self) -> list[str]:
        """The people of people.parquet in its order, then those met only in interactions.parquet."""
        return self._user_ids.to_pylist()

    @cached_property
    def _people_index(self) -> IdIndex:
        return IdIndex(flat(self.people.column("user_id")))

    def profile(self, user_id: str) -> Profile:
        """What is known of a person; empty for one who is not in people.parquet."""
        row = self._people_index.find([user_id])[0] if self.people is not None else -1
        return Profile.from_labels(self.people.column("profile")[int(row)].as_py()) if row >= 0 else Profile()

    def outfit_list(self, split: str | None = None) -> list[Outfit]:
        """The outfits, or those of one split, in file order."""
        if self.outfits is None:
            return []
        table = self.outfits.select(SCHEMAS[OUTFITS].names)
        if split is not None:
            table = table.filter(pc.equal(table.column("split"), split))
        return [Outfit(**row) for row in table.to_pylist()]

    def to_hf(self, name: str) -> datasets.Dataset:
        """items, outfits, people or interactions as a `datasets.Dataset` over the same memory.

        Attributes come as a list of {key, value}, since Hugging Face's features know no map.
        """
        import datasets

        tables = {
            "items": self.catalog.table,
            "outfits": self.outfits,
            "people": self.people,
            "interactions": self.interactions,
        }
        table = tables.get(name)
        if table is None:
            there = [known for known, one in tables.items() if one is not None]
            raise DataError(Problem(str(self.path), None, None, name, "no such table here", nearest(name, there)))
        if name == "items":
            pairs = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
            column = table.column("attributes").cast(pairs)
            table = table.set_column(table.column_names.index("attributes"), "attributes", column)
        return datasets.Dataset(datasets.table.InMemoryTable(table))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the bytes of dataset.json and the parquet files, and of what was left out."""
        digest = hashlib.sha256()
        for file in (INFO, *SCHEMAS):
            path = self.path / file
            if path.is_file():
                with open(path, "rb") as handle:
                    digest.update(f"{file} {hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
        digest.update(json.dumps(self.dropped, sort_keys=True).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        counts = [f"{len(self.catalog):,} items"]
        for name in ("outfits", "people", "interactions"):
            table = getattr(self, name)
            if table is not None:
                counts.append(f"{table.num_rows:,} {name}")
        return f"DataFolder({self.name!r}: {', '.join(counts)})"
