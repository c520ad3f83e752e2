"""The rules of the data set folder, checked on whole columns at once.

Every check marks the rows that break it and writes down what, where and how to mend it. The number of entries per
check is bounded (`LISTED`); the entry that closes a longer run carries the count of the rest.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fcn.errors import DataError, Problem, nearest, shorten
from fcn.ids import flat
from fcn.images import looks_like_picture, open_image
from fcn.schema import MAX_ID, REPEATED, SCHEMAS
from fcn.types import LabelVocabulary

LISTED = 1000
# Seconds since 1970 of the years 1697 to 2242: what lies outside is milliseconds or a mistake, not a date.
TIME_LIMIT = 2**33

_UNSAFE = r"[\p{Cc}\x{2028}\x{2029}]"
_OUTSIDE = r"^[/\\~]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\x00"


class Report:
    """Collects problems. `fatal` once one of them cannot be mended by leaving rows out."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.fatal = False

    def add(self, file: str, field: str | None, value: object, message: str, remedy: str) -> None:
        """A fault of a whole file or column, which no dropping of rows can mend."""
        self.fatal = True
        self.problems.append(Problem(file, None, field, value, message, remedy))

    def rows(
        self,
        file: str,
        rows: np.ndarray,
        field: str,
        values: pa.Array | None,
        message: str | Callable[[object], str],
        remedy: str | Callable[[object], str],
    ) -> None:
        """One problem per row number in `rows`; `values` (same length) are the offending values."""
        listed = [None] * min(len(rows), LISTED) if values is None else values.slice(0, LISTED).to_pylist()
        known: dict[object, tuple[str, str]] = {}
        for row, value in zip(rows[:LISTED].tolist(), listed, strict=True):
            if value not in known:
                known[value] = tuple(said(value) if callable(said) else said for said in (message, remedy))
            self.problems.append(Problem(file, row, field, value, *known[value]))
        if len(rows) > LISTED:
            what, how = message if isinstance(message, str) else "same fault", "as above"
            rest = len(rows) - LISTED
            self.problems.append(
                Problem(file, None, field, None, f"{what}, in {rest:,} more rows", how, rest)
            )


def as_mask(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A boolean arrow column as numpy; null is False."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)


# --- reading -------------------------------------------------------------------------------------------------


def read_table(folder: Path, file: str, report: Report) -> pa.Table | None:
    """The schema's columns of one parquet file in canonical types; None when that cannot be, with the reason.

    Columns named in REPEATED come as one dictionary-encoded array each.
    """
    schema = SCHEMAS[file]
    path = folder / file
    if not path.is_file():
        report.add(
            file, None, None, "missing file", "make the folder again with its prepare.py or write_folder"
        )
        return None
    if path.stat().st_size == 0:
        report.add(file, None, None, "0 bytes", "copy it again from where it is whole, or write it again")
        return None
    try:
        with pq.ParquetFile(path, memory_map=True, read_dictionary=list(REPEATED[file])) as parquet:
            names = parquet.schema_arrow.names
            missing = [name for name in schema.names if name not in names]
            for name in missing:
                extra = [other for other in names if other not in schema.names]
                remedy = f"add the column as {schema.field(name).type}"
                if extra:
                    remedy += f" (columns not used: {', '.join(map(shorten, extra[:8]))})"
                report.add(file, name, None, "missing column", remedy)
            twice = [name for name in schema.names if names.count(name) > 1]
            for name in twice:
                report.add(file, name, None, "the column comes twice", "keep one of the two")
            if missing or twice:
                return None
            table = parquet.read(columns=schema.names)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        NotImplementedError,
        MemoryError,
        pa.ArrowException,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "it is cut short or damaged: copy it again from where it is whole, or write it again"
        report.add(file, None, None, f"not readable as parquet ({reason[:200]})", remedy)
        return None
    columns = [convert(table.column(name), file, schema.field(name), report) for name in schema.names]
    if any(column is None for column in columns):
        return None
    return pa.table(columns, schema.names)


def convert(column: pa.ChunkedArray, file: str, field: pa.Field, report: Report) -> pa.ChunkedArray | None:
    """A column in the field's type; None, and a problem, when its type or its bytes do not allow it."""
    given, wanted, repeated = column.type, field.type, field.name in REPEATED[file]
    inner = given.value_type if pa.types.is_dictionary(given) else given
    try:
        column.validate(full=True)  # also finds text that is not UTF-8 and broken dictionaries
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0][:200]
        report.add(
            file, field.name, None, f"damaged values ({reason})", "write text as UTF-8; write the file again"
        )
        return None
    if not _fits(inner, wanted):
        remedy = f"cast the column to {wanted} and write the file again"
        report.add(file, field.name, str(given), f"wrong type, {wanted} is needed", remedy)
        return None
    try:
        if repeated:
            if not pa.types.is_dictionary(given):
                column = column.cast(wanted).dictionary_encode()
            column = _small(column, wanted)
        elif pa.types.is_timestamp(wanted):
            column = _seconds(column).cast(wanted)
        elif given != wanted:
            column = (flat(column) if pa.types.is_dictionary(given) else column).cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        remedy = f"write the values as {wanted}"
        report.add(file, field.name, str(given), f"does not fit {wanted} ({reason})", remedy)
        return None
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _fits(given: pa.DataType, wanted: pa.DataType) -> bool:
    kinds = pa.types
    if kinds.is_null(given):
        return True  # a column of nulls; where null is not allowed each row is reported
    if kinds.is_string(wanted):
        return kinds.is_string(given) or kinds.is_large_string(given) or kinds.is_string_view(given)
    if kinds.is_list(wanted):
        return (kinds.is_list(given) or kinds.is_large_list(given)) and _fits(
            given.value_type, wanted.value_type
        )
    if kinds.is_map(wanted):
        return (
            kinds.is_map(given) and _fits(given.key_type, pa.string()) and _fits(given.item_type, pa.string())
        )
    if kinds.is_timestamp(wanted):
        return kinds.is_timestamp(given) or kinds.is_integer(given)
    if kinds.is_floating(wanted):
        return kinds.is_floating(given) or kinds.is_integer(given) or kinds.is_decimal(given)
    return given == wanted


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole seconds since 1970 (rounded down, UTC) as int64."""
    if pa.types.is_timestamp(column.type):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
        column = column.cast(pa.int64())
        if per_second > 1:
            below = pc.less(column, 0)
            column = pc.subtract(
                pc.divide(pc.subtract(column, pc.if_else(below, per_second - 1, 0)), per_second), 0
            )
    return column.cast(pa.int64())


def _small(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array:
    """A dictionary column as one array, its codes in the narrowest type that holds them (int8 or int32)."""
    if column.num_chunks == 0:
        return pa.DictionaryArray.from_arrays(pa.array([], pa.int8()), pa.array([], wanted))
    column = column.unify_dictionaries()
    dictionary = column.chunk(0).dictionary.cast(wanted)
    narrow = pa.int8() if len(dictionary) < 128 else pa.int32()
    codes = pa.chunked_array([chunk.indices for chunk in column.chunks]).cast(narrow).combine_chunks()
    return pa.DictionaryArray.from_arrays(codes, dictionary)


# --- single columns ------------------------------------------------------------------------------------------


def uniques(column: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray | None]:
    """Distinct values of a dictionary column with the code of each row (null is -1); others as they are."""
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not isinstance(array, pa.DictionaryArray):
        return array, None
    return array.dictionary, pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)


def _spread(mask: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    """A mask over distinct values -> over rows."""
    return mask if codes is None else np.append(mask, False)[codes]


def take(column: pa.ChunkedArray, rows: np.ndarray) -> pa.Array:
    """The first values of the given rows: no more than a report lists."""
    return flat(column.take(pa.array(rows[:LISTED])))


def check_nulls(table: pa.Table, file: str, report: Report) -> np.ndarray:
    """Mask of rows that have null where none may stand."""
    bad = np.zeros(table.num_rows, bool)
    for field in SCHEMAS[file]:
        column = table.column(field.name)
        if not field.nullable and column.null_count:
            mask = as_mask(column.is_null())
            remedy = (
                "write an empty list" if pa.types.is_list(field.type) else "give a value, or drop the row"
            )
            report.rows(file, np.flatnonzero(mask), field.name, None, "null where a value is needed", remedy)
            bad |= mask
    return bad


def check_ids(table: pa.Table, file: str, field: str, report: Report, unique: bool) -> np.ndarray:
    """Mask of rows whose id is empty, too long, has control characters or (unique=True) came before."""
    column = table.column(field)
    values, codes = uniques(column)
    lengths = pc.fill_null(pc.utf8_length(values), 1)
    bad = np.zeros(table.num_rows, bool)
    rules = (
        (pc.equal(lengths, 0), "empty id", "give every row an id"),
        (
            pc.greater(lengths, MAX_ID),
            f"id longer than {MAX_ID} characters",
            "use a shorter id, a hash of it for one",
        ),
        (pc.match_substring_regex(values, _UNSAFE), "control character in an id", "take it out"),
    )
    for broken, message, remedy in rules:
        mask = _spread(as_mask(broken), codes)
        if mask.any():
            rows = np.flatnonzero(mask)
            report.rows(file, rows, field, take(column, rows), message, remedy)
            bad |= mask
    if unique and len(column):
        # Codes are given in order of first appearance: one not above all before it has been seen.
        codes = pc.fill_null(values.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
        before = np.concatenate([[-1], np.maximum.accumulate(codes)[:-1]])
        mask = (codes <= before) & (codes >= 0)
        if mask.any():
            rows = np.flatnonzero(mask)
            report.rows(file, rows, field, take(column, rows), "duplicate id", "keep one row per id")
            bad |= mask
    return bad


def check_choice(
    table: pa.Table, file: str, field: str, known: tuple[str, ...], report: Report
) -> np.ndarray:
    """Mask of rows whose value is not one of `known`."""
    column = table.column(field)
    values, codes = uniques(column)
    mask = _spread(as_mask(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, pa.array(known))))), codes)
    if mask.any():
        rows = np.flatnonzero(mask)
        report.rows(
            file, rows, field, take(column, rows), f"unknown {field}", lambda value: nearest(value, known)
        )
    return mask


def check_numbers(table: pa.Table, file: str, field: str, report: Report, least: float | None) -> np.ndarray:
    """Mask of rows whose number is not finite, or below `least`."""
    column = table.column(field)
    bad = as_mask(pc.invert(pc.is_finite(column)))
    if least is not None:
        bad |= as_mask(pc.less(column, least))
    if bad.any():
        rows = np.flatnonzero(bad)
        message = f"not a finite number of {least:g} or more" if least is not None else "not a finite number"
        report.rows(file, rows, field, take(column, rows), message, "write null where it is not known")
    return bad


def check_attributes(table: pa.Table, file: str, report: Report) -> np.ndarray:
    """Mask of rows with an attribute that has no value."""
    bad = np.zeros(table.num_rows, bool)
    first = 0
    for chunk in table.column("attributes").chunks:
        if chunk.items.null_count:  # `items` and `offsets` speak of the whole buffer, also in a slice
            at = np.flatnonzero(as_mask(chunk.items.is_null()))
            rows = np.searchsorted(chunk.offsets.to_numpy(), at, side="right") - 1
            bad[first + rows[(rows >= 0) & (rows < len(chunk))]] = True
        first += len(chunk)
    remedy = "leave the attribute out of the map, or write text"
    report.rows(file, np.flatnonzero(bad), "attributes", None, "an attribute without a value", remedy)
    return bad


# --- lists ---------------------------------------------------------------------------------------------------


def flatten(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """A list column -> (row of each element, elements)."""
    array = flat(column)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(array)), lengths), array.flatten()


def check_labels(
    table: pa.Table, file: str, field: str, vocabulary: LabelVocabulary, report: Report, on_outfit: bool
) -> np.ndarray:
    """Mask of rows with an unknown label, or (on_outfit) a label of a group that describes people only."""
    parents, labels = flatten(table.column(field))
    encoded = labels.dictionary_encode()
    allowed = vocabulary.outfit_labels if on_outfit else vocabulary.labels
    known = as_mask(pc.is_in(encoded.dictionary, pa.array(allowed, pa.string())))
    codes = pc.fill_null(encoded.indices, len(known)).to_numpy(zero_copy_only=False)
    at = np.flatnonzero(~np.append(known, False)[codes])  # a null label is as unknown as any other

    def message(label: str | None) -> str:
        if label is None:
            return "null in a list of labels"
        problem = vocabulary.problem(label)
        return (
            problem.message
            if problem
            else f"{label.partition('=')[0]} describes people, no outfit may carry it"
        )

    def remedy(label: str | None) -> str:
        problem = vocabulary.problem(label) if label is not None else None
        return problem.remedy if problem else "take it out, or give the group a polarity in dataset.json"

    report.rows(file, parents[at], field, labels.take(pa.array(at[:LISTED])), message, remedy)
    bad = np.zeros(table.num_rows, bool)
    bad[parents[at]] = True
    return bad


def check_outfit_items(
    table: pa.Table, file: str, codes: np.ndarray, parents: np.ndarray, values: pa.Array, report: Report
) -> np.ndarray:
    """Mask of outfits with fewer than two items, or with an item twice.

    codes: the catalogue row of each element, -1 where unknown; parents: the outfit's row of each element.
    """
    bad = np.zeros(table.num_rows, bool)
    counts = np.bincount(parents, minlength=table.num_rows)
    given = as_mask(table.column("item_ids").is_valid())
    for mask, message in (
        (given & (counts == 0), "an outfit without items"),
        (given & (counts == 1), "an outfit of one item"),
    ):
        report.rows(
            file, np.flatnonzero(mask), "item_ids", None, message, "list two items or more, or drop the row"
        )
        bad |= mask
    order = np.lexsort((codes, parents))
    same = (parents[order][1:] == parents[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    at = np.sort(order[1:][same & (codes[order][1:] >= 0)])
    found = values.take(pa.array(at[:LISTED]))
    report.rows(file, parents[at], "item_ids", found, "an item twice in one outfit", "list each item once")
    bad[parents[at]] = True
    return bad


# --- time ----------------------------------------------------------------------------------------------------


def check_times(table: pa.Table, file: str, report: Report) -> np.ndarray:
    """Mask of rows whose time is out of any reasonable range."""
    column = table.column("timestamp").cast(pa.int64())
    bad = as_mask(pc.or_(pc.greater(column, TIME_LIMIT), pc.less(column, -TIME_LIMIT)))
    if bad.any():
        rows = np.flatnonzero(bad)
        remedy = "write seconds since 1970 (these look like milliseconds or smaller units)"
        report.rows(file, rows, "timestamp", take(column, rows), "not a time in seconds", remedy)
    return bad


def check_order(
    file: str, rows: np.ndarray, users: np.ndarray, times: np.ndarray, report: Report
) -> np.ndarray:
    """Indices into `rows` whose time is before an earlier row of the same user.

    rows: row numbers in the file, ascending; users, times: code and seconds of each. All times lie within
    TIME_LIMIT, so that one running maximum over user * span + time serves every user.
    """
    if not len(rows):
        return np.zeros(0, np.int64)
    key = users.astype(np.int64) * (2 * TIME_LIMIT + 1) + times
    order = None
    if (users[1:] < users[:-1]).any():
        order = np.argsort(users, kind="stable")
        key = key[order]
    late = np.flatnonzero(key[1:] < np.maximum.accumulate(key)[:-1]) + 1
    if order is not None:
        late = np.sort(order[late])
    remedy = "sort by user_id, then timestamp, keeping the order of ties"
    found = pa.array(times[late[:LISTED]], pa.timestamp("s"))
    report.rows(file, rows[late], "timestamp", found, "time goes backwards within the user's rows", remedy)
    return late


# --- pictures ------------------------------------------------------------------------------------------------


def check_images(folder: Path, table: pa.Table, file: str, mode: str, report: Report) -> np.ndarray:
    """Mask of items whose picture leaves the folder, is missing, empty or unreadable.

    mode "none" looks at the paths only, "header" also at each file's first bytes, "full" decodes every picture.
    """
    column = flat(table.column("image"))
    bad = np.zeros(table.num_rows, bool)
    outside = as_mask(pc.match_substring_regex(column, _OUTSIDE)) | as_mask(pc.equal(column, ""))
    remedy = "give a path relative to the folder, inside it, with forward slashes, or null"
    rows = np.flatnonzero(outside)
    report.rows(file, rows, "image", take(table.column("image"), rows), "the path leaves the folder", remedy)
    bad |= outside
    if mode == "none":
        return bad
    rows = np.flatnonzero(as_mask(column.is_valid()) & ~outside)
    faults: dict[str, list[int]] = {}
    directories = _Directories(folder)
    for row, path in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
        fault = directories.fault(path)
        if fault is None and mode == "full":
            try:
                open_image(path, root=folder)
            except DataError as error:
                fault = error.problems[0].message
        if fault is not None:
            faults.setdefault(fault, []).append(row)
    for fault, where in faults.items():
        where = np.array(where)
        remedy = "put a readable picture there, or write null"
        report.rows(file, where, "image", take(table.column("image"), where), fault, remedy)
        bad[where] = True
    return bad


class _Directories:
    """Looks at pictures; what can be known of a directory is found out once, not once a picture."""

    def __init__(self, folder: Path):
        self.root = os.path.realpath(folder)
        self._inside: dict[str, str | None] = {}

    def _directory(self, name: str) -> str | None:
        """Real path of a directory, None when it lies outside of the folder."""
        if name not in self._inside:
            real = os.path.realpath(os.path.join(self.root, name))
            inside = real == self.root or real.startswith(self.root.rstrip("/") + "/")
            self._inside[name] = real if inside else None
        return self._inside[name]

    def fault(self, path: str) -> str | None:
        directory, _, name = path.rpartition("/")
        directory = self._directory(directory)
        if directory is None:
            return "the path leaves the folder through a link"
        full = f"{directory}/{name}"
        try:
            handle = os.open(full, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
        except (OSError, ValueError):
            return self._not_opened(full)
        try:
            head = os.read(handle, 16)
            if not head and not stat.S_ISREG(os.fstat(handle).st_mode):
                return "not a file"
        except OSError:
            return "not a readable file"
        finally:
            os.close(handle)
        if not head:
            return "0 bytes"
        return None if looks_like_picture(head) else "not a picture"

    def _not_opened(self, full: str) -> str | None:
        if not os.path.islink(full):
            return "no such picture" if not os.path.exists(full) else "not a readable file"
        real = os.path.realpath(full)
        if not real.startswith(self.root.rstrip("/") + "/"):
            return "the path leaves the folder through a link"
        return self.fault(os.path.relpath(real, self.root)) if os.path.isfile(real) else "no such picture"
