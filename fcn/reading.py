"""The files of a data set folder, read into canonical types, and the report of what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fcn.errors import DataError, Problem, shorten
from fcn.ids import flat
from fcn.schema import FORMAT, INFO, INFO_TEXT, REPEATED, SCHEMAS
from fcn.types import LabelVocabulary

LISTED = 1000  # entries per check; one more carries the count of the rest


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
            self.problems.append(Problem(file, None, field, None, f"{what}, in {rest:,} more rows", how, rest))


def as_mask(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A boolean arrow column as numpy; null is False."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)


def read_info(folder: Path, report: Report) -> tuple[dict, LabelVocabulary] | None:
    """dataset.json and its label vocabulary; None, and problems, when it is missing or wrong."""
    remedy = "make the folder with its prepare.py or with fcn.write_folder"
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except FileNotFoundError:
        report.add(INFO, None, None, "missing file", remedy)
        return None
    except (OSError, ValueError, RecursionError) as error:
        report.add(INFO, None, None, f"not readable as JSON ({str(error)[:200]})", "write it again as JSON in UTF-8")
        return None
    return check_info(info, report)


def check_info(info: object, report: Report) -> tuple[dict, LabelVocabulary] | None:
    if not isinstance(info, dict):
        report.add(INFO, None, info, "not a JSON object", "write {...} with format, name and label_groups")
        return None
    if info.get("format") != FORMAT:
        remedy = f'this library reads "{FORMAT}"; make the folder again with its prepare.py'
        report.add(INFO, "format", info.get("format"), "unknown format", remedy)
        return None
    sound = True
    for key in INFO_TEXT:
        if not isinstance(info.get(key, ""), str):
            report.add(INFO, key, info[key], "not text", "write it as text")
            sound = False
    if not info.get("name"):
        report.add(INFO, "name", None, "missing", "give the data set a name")
        sound = False
    if not isinstance(info.get("made", False), bool):
        report.add(INFO, "made", info["made"], "not true or false", "true for generated data, else false")
        sound = False
    try:
        vocabulary = LabelVocabulary.from_json(info.get("label_groups", []))
    except DataError as error:
        for problem in error.problems:
            report.add(INFO, problem.field, problem.value, problem.message, problem.remedy)
        return None
    return (info, vocabulary) if sound else None


def read_table(folder: Path, file: str, report: Report) -> pa.Table | None:
    """The schema's columns of one parquet file in canonical types; None when that cannot be, with the reason.

    Columns named in REPEATED come as one dictionary-encoded array each.
    """
    schema = SCHEMAS[file]
    path = folder / file
    if not path.is_file():
        report.add(file, None, None, "missing file", "make the folder again with its prepare.py or write_folder")
        return None
    if path.stat().st_size == 0:
        report.add(file, None, None, "0 bytes", "copy it again from where it is whole, or write it again")
        return None
    try:
        names = pq.read_schema(path).names
        repeated = [name for name in REPEATED[file] if name in names]
        with pq.ParquetFile(path, memory_map=True, read_dictionary=repeated) as parquet:
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
            # A column at a time: what reading needs beside the result is then one column's, not the table's.
            columns = [
                convert(
                    parquet.read(columns=[name], use_threads=False).column(0),
                    file,
                    schema.field(name),
                    report,
                )
                for name in schema.names
            ]
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
        report.add(file, field.name, None, f"damaged values ({reason})", "write text as UTF-8; write the file again")
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
            column = _seconds(column)
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
        return (kinds.is_list(given) or kinds.is_large_list(given)) and _fits(given.value_type, wanted.value_type)
    if kinds.is_map(wanted):
        return kinds.is_map(given) and _fits(given.key_type, pa.string()) and _fits(given.item_type, pa.string())
    if kinds.is_timestamp(wanted):
        return kinds.is_timestamp(given) or kinds.is_integer(given)
    if kinds.is_floating(wanted):
        return kinds.is_floating(given) or kinds.is_integer(given) or kinds.is_decimal(given)
    return given == wanted


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times of any unit, or integers that count seconds, as timestamp[s]; fractions are rounded down."""
    whole = pa.timestamp("s")
    if not pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).cast(whole)
    column = column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))  # in UTC, as stored
    try:
        return column.cast(whole)
    except pa.ArrowInvalid:
        return pc.floor_temporal(column, unit="second").cast(whole)


def _small(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array:
    """A dictionary column as one array, its codes in the narrowest type that holds them (int8 or int32)."""
    if column.num_chunks == 0:
        return pa.DictionaryArray.from_arrays(pa.array([], pa.int8()), pa.array([], wanted))
    column = column.unify_dictionaries()
    dictionary = column.chunk(0).dictionary.cast(wanted)
    narrow = pa.int8() if len(dictionary) < 128 else pa.int32()
    codes = pa.chunked_array([chunk.indices for chunk in column.chunks]).cast(narrow).combine_chunks()
    return pa.DictionaryArray.from_arrays(codes, dictionary)
