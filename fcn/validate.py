"""The rules of the data set folder, checked on whole columns at once.

Every check returns a mask of the rows that break it, and writes down what, where and how to mend it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fcn.errors import nearest
from fcn.ids import flat
from fcn.reading import LISTED, Report, as_mask
from fcn.schema import MAX_ID, SCHEMAS
from fcn.types import LabelVocabulary

# Seconds since 1970 of the years 1697 to 2242: what lies outside is milliseconds or a mistake, not a date.
TIME_LIMIT = 2**33

_UNSAFE = r"[\p{Cc}\x{2028}\x{2029}]"


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
    """Mask of outfits without items, of one item without a label (nothing to learn), or with an item twice.

    codes: the catalogue row of each element, -1 where unknown; parents: the outfit's row of each element.
    """
    bad = np.zeros(table.num_rows, bool)
    counts = np.bincount(parents, minlength=table.num_rows)
    given = as_mask(table.column("item_ids").is_valid())
    bare = pc.fill_null(pc.list_value_length(table.column("labels")), 0).to_numpy() == 0
    for mask, message, remedy in (
        (given & (counts == 0), "an outfit without items", "list two items or more, or drop the row"),
        (given & (counts == 1) & bare, "an outfit of one item without a label", "add items or labels, or drop the row"),
    ):
        report.rows(file, np.flatnonzero(mask), "item_ids", None, message, remedy)
        bad |= mask
    order = np.lexsort((codes, parents))
    same = (parents[order][1:] == parents[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    at = np.sort(order[1:][same & (codes[order][1:] >= 0)])
    found = values.take(pa.array(at[:LISTED]))
    report.rows(file, parents[at], "item_ids", found, "an item twice in one outfit", "list each item once")
    bad[parents[at]] = True
    return bad


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
    key = users.astype(np.int64)
    key *= 2 * TIME_LIMIT + 1
    key += times
    order = None
    if (users[1:] < users[:-1]).any():
        order = np.argsort(users, kind="stable")
        key = key[order]
    if (key[1:] >= key[:-1]).all():
        return np.zeros(0, np.int64)
    late = np.flatnonzero(key[1:] < np.maximum.accumulate(key)[:-1]) + 1
    if order is not None:
        late = np.sort(order[late])
    remedy = "sort by user_id, then timestamp, keeping the order of ties"
    found = pa.array(times[late[:LISTED]], pa.timestamp("s"))
    report.rows(file, rows[late], "timestamp", found, "time goes backwards within the user's rows", remedy)
    return late
