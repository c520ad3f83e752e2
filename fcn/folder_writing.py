"""Writing a data set folder: checked as it will be read, and put in its place only when it is right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fcn import pictures, reading
from fcn.catalog import items_table, plain
from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.reading import Report
from fcn.schema import DIALOGUES, FORMAT, INFO, INTERACTIONS, ITEMS, OUTFITS, PEOPLE, SCHEMAS
from fcn.types import Item, Outfit, Profile


def write_folder(
    path: str | os.PathLike,
    info: Mapping,
    items: pa.Table | Iterable[Item],
    outfits: pa.Table | Iterable[Outfit] | None = None,
    people: pa.Table | Mapping[str, Profile] | None = None,
    interactions: pa.Table | pa.RecordBatchReader | Iterable[Mapping] | None = None,
    dialogues: Iterable[Mapping] | None = None,
    images_from: str | os.PathLike | None = None,
) -> DataFolder:
    """Write a data set folder, validate it, only then put it in the place of what was there.

    info: dataset.json (`format` is filled in). interactions: a reader of record batches is written batch by batch,
    so that the events are never in memory as text. images_from: the folder that the items' image paths are
    relative to; the pictures are copied. Returns the folder, opened. DataError, with nothing written, when a
    rule is broken or when `path` holds something that is not a data set folder.
    """
    path = Path(path)
    refuse_foreign(path)
    info = {"format": FORMAT, **info}
    given = {ITEMS: items if isinstance(items, pa.Table) else items_table(items)}
    if outfits is not None:
        given[OUTFITS] = outfits if isinstance(outfits, pa.Table) else _outfits_table(outfits)
    if people is not None:
        given[PEOPLE] = people if isinstance(people, pa.Table) else _people_table(people)
    stream = interactions if isinstance(interactions, pa.RecordBatchReader) else None
    if interactions is not None and stream is None:
        is_table = isinstance(interactions, pa.Table)
        given[INTERACTIONS] = (
            interactions if is_table else pa.Table.from_pylist(list(interactions), SCHEMAS[INTERACTIONS])
        )
    report = Report()
    reading.check_info(info, report)
    tables = {file: _canonical(table, file, report) for file, table in given.items()}
    if report.problems:
        raise DataError(report.problems)

    with replacing(path) as new:
        (new / INFO).write_text(json.dumps(info, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for file, table in tables.items():
            pq.write_table(table, new / file)
        if stream is not None:
            _write_stream(stream, INTERACTIONS, new / INTERACTIONS)
        if dialogues is not None:
            with open(new / DIALOGUES, "w", encoding="utf-8") as handle:
                handle.writelines(json.dumps(dialogue, ensure_ascii=False) + "\n" for dialogue in dialogues)
        if images_from is not None:
            _copy_images(tables[ITEMS], Path(images_from), new)
        DataFolder.open(new)
    return DataFolder.open(path, images="none")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, which takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        new.mkdir()
        yield new
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def refuse_foreign(path: Path) -> None:
    """DataError unless `path` is absent, an empty folder, or a data set folder."""
    if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        if json.loads((path / INFO).read_text(encoding="utf-8"))["format"] == FORMAT:
            return
    except (OSError, ValueError, TypeError, KeyError):
        pass
    message = "exists and is not a data set folder"
    raise DataError(Problem(str(path), None, None, None, message, "choose another path, or move it away yourself"))


def _outfits_table(outfits: Iterable[Outfit]) -> pa.Table:
    outfits = list(outfits)
    schema = SCHEMAS[OUTFITS]
    return pa.table({name: [getattr(outfit, name) for outfit in outfits] for name in schema.names}, _nullable(schema))


def _people_table(people: Mapping[str, Profile]) -> pa.Table:
    profiles = [profile.labels() for profile in people.values()]
    return pa.table({"user_id": list(people), "profile": profiles}, SCHEMAS[PEOPLE])


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def _canonical(table: pa.Table, file: str, report: Report) -> pa.Table | None:
    """The schema's columns in the schema's types, as they go to disk."""
    schema = SCHEMAS[file]
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            report.add(file, field.name, None, "missing column", f"add the column as {field.type}")
        else:
            columns.append(reading.convert(table.column(field.name), file, field, report))
    if len(columns) < len(schema) or any(column is None for column in columns):
        return None
    return plain(pa.table(columns, schema.names), schema)


def _write_stream(batches: pa.RecordBatchReader, file: str, path: Path) -> None:
    """Write record batches as they come, one row group each."""
    schema = _nullable(SCHEMAS[file])
    # Parquet gives up on dictionaries of more than 1 MiB by default; ids of 64 characters reach that soon.
    with pq.ParquetWriter(path, schema, dictionary_pagesize_limit=64 << 20) as writer:
        for batch in batches:
            report = Report()
            table = _canonical(pa.Table.from_batches([batch]), file, report)
            if report.problems:
                raise DataError(report.problems)
            writer.write_table(table)


def _copy_images(items: pa.Table, source: Path, target: Path) -> None:
    report = Report()
    pictures.check_images(source, items, ITEMS, "header", report)
    if report.problems:
        raise DataError(report.problems)
    for image in pc.unique(items.column("image")).drop_null().to_pylist():
        (target / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / image, target / image)
