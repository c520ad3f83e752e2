"""The catalogue: items as columns, so that millions of them stay cheap."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fcn.errors import DataError, Problem, nearest
from fcn.ids import IdIndex, flat, lengths_and_bytes, text_array
from fcn.schema import ITEMS, REPEATED, SCHEMAS
from fcn.types import SLOTS, Item


def items_table(items: Iterable[Item]) -> pa.Table:
    """Items -> a table of the schema of items.parquet."""
    schema = SCHEMAS[ITEMS]
    items = list(items)
    columns = {name: [getattr(item, name) for item in items] for name in schema.names}
    columns["attributes"] = [list(item.attributes.items()) for item in items]
    try:
        return pa.table(columns, schema)
    except UnicodeEncodeError as error:
        row = next(k for k, item in enumerate(items) if error.object in _texts(item))
        remedy = "give whole characters (half of a surrogate pair is none)"
        raise DataError(Problem(ITEMS, row, None, error.object, "not a text that can be written", remedy)) from None


def _texts(item: Item) -> list[str | None]:
    pairs = [text for pair in item.attributes.items() for text in pair]
    return [item.item_id, item.title, item.category, item.slot, item.image, *pairs]


class Catalog:
    """Items in a fixed order, held as one arrow table; a row number names an item everywhere.

    `root` is the folder that image paths are relative to.
    """

    def __init__(self, table: pa.Table, root: Path | None = None):
        schema = SCHEMAS[ITEMS]
        missing = [name for name in schema.names if name not in table.column_names]
        if missing:
            raise DataError(
                [
                    Problem(ITEMS, None, name, None, "missing column", f"add it as {schema.field(name).type}")
                    for name in missing
                ]
            )
        columns = []
        for name, kind in zip(schema.names, schema.types, strict=True):
            column = table.column(name)
            if name in REPEATED[ITEMS]:
                if not pa.types.is_dictionary(column.type):
                    column = column.cast(kind).dictionary_encode()
            elif column.type != kind:
                column = flat(column).cast(kind)
            columns.append(column)
        self.table = pa.table(columns, schema.names).unify_dictionaries()
        self.root = Path(root) if root is not None else None

    @classmethod
    def from_items(cls, items: Iterable[Item], root: Path | None = None) -> Catalog:
        catalog = cls(items_table(items), root)
        catalog._refuse_duplicates()
        return catalog

    @classmethod
    def read(cls, path: Path | str, root: Path | None = None) -> Catalog:
        """A catalogue `write` wrote. For a data set folder use `DataFolder.open`, which also validates."""
        try:
            table = pq.read_table(
                path, memory_map=True, read_dictionary=list(REPEATED[ITEMS]), partitioning=None
            )
        except (OSError, pa.ArrowException) as error:
            remedy = "write the file again, or copy it again from where it is whole"
            raise DataError(
                Problem(str(path), None, None, None, f"not readable as parquet ({error})", remedy)
            ) from error
        return cls(table, root)

    def write(self, path: Path | str) -> None:
        """Write as items.parquet; atomic."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            pq.write_table(plain(self.table, SCHEMAS[ITEMS]), temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def __len__(self) -> int:
        return self.table.num_rows

    def __getitem__(self, row: int) -> Item:
        row = int(row)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a catalogue of {len(self)} items")
        values = self.table.slice(row % len(self), 1).to_pylist()[0]
        values["attributes"] = dict(values["attributes"] or ())
        return Item(**values)

    @cached_property
    def ids(self) -> pa.Array:
        return flat(self.table.column("item_id"))

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(self.ids)

    def rows(self, ids: Sequence[str] | pa.Array) -> np.ndarray:
        """int64 (n,): the row of each id. DataError lists each unknown one and the nearest known ids."""
        rows = self._index.find(ids)
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            values = text_array(ids) if not isinstance(ids, pa.Array) else ids
            values = dict.fromkeys(values.take(pa.array(unknown)).to_pylist())
            raise DataError([self._unknown(value) for value in values])
        return rows

    def row(self, item_id: str) -> int:
        return int(self.rows([item_id])[0])

    def get(self, item_id: str) -> Item:
        return self[self.row(item_id)]

    def __contains__(self, item_id: str) -> bool:
        return isinstance(item_id, str) and bool(self._index.find([item_id])[0] >= 0)

    def _unknown(self, item_id: str | None) -> Problem:
        # Comparing with millions of ids takes seconds: look among those with the same beginning first.
        known: list[str] = []
        for length in (4, 2, 1, 0):
            alike = pc.starts_with(self.ids, (item_id or "")[:length])
            known = self.ids.filter(alike).slice(0, 2000).to_pylist()
            if known:
                break
        return Problem(None, None, "item_id", item_id, "not in the catalogue", nearest(item_id or "", known))

    def _refuse_duplicates(self) -> None:
        counts = pc.value_counts(self.ids)
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
        if twice:
            remedy = "give every item its own id"
            raise DataError(
                [Problem(None, None, "item_id", value, "comes more than once", remedy) for value in twice]
            )

    def column(self, name: str) -> pa.ChunkedArray:
        return self.table.column(name)

    def texts(self, rows: Sequence[int] | np.ndarray | None = None) -> list[str]:
        """`Item.text()` of the given rows, or of all."""
        table = self.table.select(["item_id", "title", "category", "slot", "attributes"])
        if rows is not None:
            table = table.take(pa.array(np.asarray(rows, np.int64)))
        texts = []
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                row["attributes"] = dict(row["attributes"] or ())
                texts.append(Item(**row).text())
        return texts

    @cached_property
    def slots(self) -> np.ndarray:
        """int8 (n,): codes into SLOTS."""
        codes, names = self._codes("slot")
        return (
            np.array([SLOTS.index(name) for name in names], np.int8)[codes]
            if len(self)
            else codes.astype(np.int8)
        )

    @cached_property
    def categories(self) -> tuple[np.ndarray, list[str]]:
        """Codes int32 (n,) and the names they stand for, in alphabetical order."""
        return self._codes("category")

    def _codes(self, name: str) -> tuple[np.ndarray, list[str]]:
        column = self.table.column(name)
        if not len(self):
            return np.zeros(0, np.int32), []
        codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in column.chunks])
        names = next(chunk for chunk in column.chunks).dictionary.to_pylist()
        used = sorted({names[code] for code in np.unique(codes)})
        place = {value: i for i, value in enumerate(used)}
        return np.array([place.get(value, -1) for value in names], np.int32)[codes], used

    @cached_property
    def price(self) -> np.ndarray:
        """float64 (n,), nan where the price is not known."""
        return pc.fill_null(self.table.column("price"), float("nan")).to_numpy()

    @cached_property
    def in_stock(self) -> np.ndarray:
        """bool (n,)."""
        return self.table.column("in_stock").to_numpy()

    def image_path(self, row: int) -> Path | None:
        """Where the item's picture lies; None when it has none."""
        image = self.table.column("image")[int(row)].as_py()
        return None if image is None else (self.root or Path()) / image

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the items' content and order; the same however the table is chunked or encoded."""
        digest = hashlib.sha256()
        for name in SCHEMAS[ITEMS].names:
            digest.update(name.encode())
            _digest(digest, self.table.column(name))
        return digest.hexdigest()

    def take(self, rows: Sequence[int] | np.ndarray) -> Catalog:
        """The given rows, in the given order, as a catalogue of its own."""
        return Catalog(self.table.take(pa.array(np.asarray(rows, np.int64))), self.root)

    def concat(self, items: Catalog | Iterable[Item]) -> Catalog:
        """This catalogue with more items at its end. DataError when an id is already there."""
        more = items.table if isinstance(items, Catalog) else items_table(items)
        schema = SCHEMAS[ITEMS]
        joined = Catalog(
            pa.concat_tables([plain(self.table, schema), plain(more, schema)]).combine_chunks(), self.root
        )
        joined._refuse_duplicates()
        return joined

    def __repr__(self) -> str:
        return f"Catalog({len(self)} items)"


def plain(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The schema's columns of a table as they lie on disk: dictionaries decoded, types cast."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.table(columns, schema.names)


def _digest(digest: hashlib._Hash, column: pa.ChunkedArray | pa.Array) -> None:
    """Feed the values of a column: lengths and nulls of all rows, then the content."""
    array = flat(column)
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)))
    if pa.types.is_map(array.type):
        entries = flat(
            pc.list_flatten(array.cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))))
        )
        digest.update(np.diff(array.offsets.to_numpy()).astype(np.int64))
        _digest(digest, entries.field("key"))
        _digest(digest, entries.field("value"))
    elif pa.types.is_string(array.type):
        lengths, data = lengths_and_bytes(array)
        digest.update(lengths)
        digest.update(np.ascontiguousarray(data))
    else:
        zero = pa.scalar(0, array.type) if not pa.types.is_boolean(array.type) else pa.scalar(False)
        digest.update(np.ascontiguousarray(pc.fill_null(array, zero).to_numpy(zero_copy_only=False)))
