"""JSON-lines streaming: what is read, what is refused, and that the error says where and what to do."""

from __future__ import annotations

import gzip
import json

import pytest

from fcn.errors import DataError
from fcn.streams import JsonLines

ROWS = [{"n": number, "text": "é" * (number % 5)} for number in range(5000)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def write(path, content: bytes):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_reads_packed_and_plain_whatever_the_name(tmp_path, pack):
    stream = JsonLines(write(tmp_path / "rows.json", pack(LINES)))
    assert list(stream) == ROWS
    assert stream.lines == 5000
    assert list(stream) == ROWS  # a second pass starts over
    assert stream.lines == 5000


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path):
    stream = JsonLines(write(tmp_path / "a.json", b'{"a": 1}\n\n   \n{"a": 2}'))
    assert list(stream) == [{"a": 1}, {"a": 2}]
    assert stream.lines == 4


def test_concatenated_gzip_members_are_one_file(tmp_path):
    path = write(tmp_path / "a.json.gz", gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))
    assert list(JsonLines(path)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    "bad", [b'{"a": 1', b"[1, 2]", b'"text"', b"{'a': 1}", b'{"a": "\xff"}', b"[" * 100_000]
)
def test_bad_line_names_file_line_and_remedy(tmp_path, bad):
    path = write(tmp_path / "bad.json", b'{"a": 0}\n' + bad + b'\n{"a": 2}\n')
    with pytest.raises(DataError) as caught:
        list(JsonLines(path))
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert problem.row == 1
    assert "line 2" in str(caught.value)
    assert "--skip-bad" in problem.remedy
    assert len(str(caught.value)) < 600

    stream = JsonLines(path, skip_bad=True)
    assert list(stream) == [{"a": 0}, {"a": 2}]
    assert sum(stream.rejected.values()) == 1


@pytest.mark.parametrize("cut", [20, -9, -1])
def test_truncated_gzip(tmp_path, cut):
    path = write(tmp_path / "cut.json.gz", gzip.compress(LINES)[:cut])
    with pytest.raises(DataError, match=r"truncated or damaged after line \d+.*download it again"):
        list(JsonLines(path))
    stream = JsonLines(path, skip_bad=True)
    kept = list(stream)
    assert kept == ROWS[: len(kept)]
    assert stream.rejected["file truncated or damaged"] == 1


def test_truncated_inside_a_line_does_not_blame_the_line(tmp_path):
    with pytest.raises(DataError, match="truncated"):
        list(JsonLines(write(tmp_path / "cut.json.gz", gzip.compress(LINES)[:-400])))


def test_damaged_gzip(tmp_path):
    content = bytearray(gzip.compress(LINES))
    content[-8] ^= 0xFF  # the checksum
    with pytest.raises(DataError, match="truncated or damaged"):
        list(JsonLines(write(tmp_path / "bad.json.gz", bytes(content))))


def test_empty_and_missing_files(tmp_path):
    with pytest.raises(DataError, match="0 bytes.*download it again"):
        JsonLines(write(tmp_path / "empty.json.gz", b""), skip_bad=True)
    with pytest.raises(DataError, match="no such file"):
        JsonLines(tmp_path / "none.json.gz")


def test_python_literals_are_read_and_never_run(tmp_path):
    target = tmp_path / "made"
    lines = f"{{'asin': 'B1', 'title': \"It's\"}}\n__import__('pathlib').Path({str(target)!r}).touch()\n"
    stream = JsonLines(write(tmp_path / "meta.json", lines.encode()), literal=True, skip_bad=True)
    assert list(stream) == [{"asin": "B1", "title": "It's"}]
    assert sum(stream.rejected.values()) == 1
    assert not target.exists()


def test_reject_is_the_callers_word_on_the_line_just_read(tmp_path):
    path = write(tmp_path / "a.json", b'{"a": 1}\n{"b": 2}\n')
    stream = JsonLines(path)
    rows = iter(stream)
    next(rows), next(rows)
    with pytest.raises(DataError, match="line 2: a field is missing"):
        stream.reject("a field is missing", "a", None)
    stream = JsonLines(path, skip_bad=True)
    for row in stream:
        if "a" not in row:
            stream.reject("a field is missing", "a", None)
    assert stream.rejected == {"a field is missing": 1}
