"""fcn.csv_rows: rows of released CSV files, and errors that name the line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn.csv_rows import CsvRows
from fcn.errors import DataError


def write(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


def test_rows_with_byte_order_mark_quotes_and_blank_lines(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbf"id","words"\r\n1," a, ""b"" "\r\n\r\n2,"two\nlines"\r\n')
    rows = CsvRows(path, ("id", "words"))
    assert list(rows) == [{"id": "1", "words": 'a, "b"'}, {"id": "2", "words": "two\nlines"}]
    assert rows.rows == 2 and not rows.rejected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"2,b,c", "line 3: 3 fields where the header has 2"),
        (b"2", "line 3: 1 fields"),
        (b"2,\xff", "line 3: not UTF-8"),
        (b'2,"b"c', "line 3: the line does not read as CSV"),
    ],
)
def test_a_bad_row_stops_or_is_counted(tmp_path, line, message):
    path = write(tmp_path, b"id,words\n1,a\n" + line + b"\n3,c\n")
    with pytest.raises(DataError, match=message) as caught:
        list(CsvRows(path, ("id",)))
    assert caught.value.problems[0].row == 2
    rows = CsvRows(path, ("id",), skip_bad=True)
    assert [row["id"] for row in rows] == ["1", "3"] and sum(rows.rejected.values()) == 1 and rows.rows == 3


def test_missing_file_and_column(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        CsvRows(tmp_path / "none.csv", ("id",))
    with pytest.raises(DataError, match="no such column, the header has id, words"):
        list(CsvRows(write(tmp_path, b"id,words\n"), ("id", "colour")))
    with pytest.raises(DataError, match="the header has nothing"):
        list(CsvRows(write(tmp_path, b""), ("id",)))


def test_a_row_refused_by_the_reader_of_the_table(tmp_path):
    rows = CsvRows(write(tmp_path, b"id\n1\n2\n"), ("id",), skip_bad=True)
    for row in rows:
        if row["id"] == "1":
            rows.reject("not wanted", "id", row["id"])
    assert rows.rejected == {"not wanted": 1}


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8))
def test_what_csv_writes_comes_back(tmp_path, cells):
    buffer = io.StringIO()
    kept = [pair for pair in cells if not any(c in text for text in pair for c in "\r\n\0\ud800")]
    kept = [pair for pair in kept if all(text.isprintable() for text in pair)]
    csv.writer(buffer).writerows([("a", "b"), *kept])
    rows = list(CsvRows(write(tmp_path, buffer.getvalue().encode()), ("a", "b")))
    assert rows == [{"a": a.strip(), "b": b.strip()} for a, b in kept]


def test_another_delimiter(tmp_path):
    path = write(tmp_path, b'id;words\n1;"a;b, c"\n')
    assert list(CsvRows(path, ("id",), delimiter=";")) == [{"id": "1", "words": "a;b, c"}]
