"""The published layout of FashionRec (FashionM3, arXiv 2504.17826): WebDataset shards and side tables.

    data/TASK_recommendation/{train,valid,test}/NNN.tar     0009741.jpg, 0009741.json, ... (shards of 10,000 samples)
    meta/items_lite.parquet      item_id, path, category, subcategory, gen_description
    meta/outfits_lite.parquet    outfit_id, item_ids, source, occasion, categories
    meta/users_lite.parquet      user_id, outfit_ids

The picture of a sample shows the partial outfit in a 2 x 2 grid on white. Lists of ids in the side tables are texts
with commas. Nothing is unpacked to disk.
"""

from __future__ import annotations

import io
import json
import math
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from fashionm3.dialogues import TASKS, Dialogue, parse_json
from fcn.errors import DataError, Problem
from fcn.folder_writing import replacing
from fcn.images import open_image

SPLIT_FOLDERS = {"train": "train", "val": "valid", "test": "test"}
TABLES = {
    "items_lite.parquet": ("item_id", "path", "category", "subcategory", "gen_description"),
    "outfits_lite.parquet": ("outfit_id", "item_ids"),
    "users_lite.parquet": ("user_id", "outfit_ids"),
}
PICTURE_SIDE = 512
SHARD = 10_000
MAX_BYTES = {"json": 1 << 20, "jpg": 32 << 20}  # of one file in a shard
PUBLISHED = "the FashionRec release of FashionM3 (arXiv 2504.17826)"


@dataclass(frozen=True)
class Sample:
    """A dialogue and its picture as the bytes of a file."""

    dialogue: Dialogue
    picture: bytes

    def image(self) -> Image.Image:
        """The picture as RGB. DataError when it does not read."""
        return open_image(self.picture)


def find_shards(root: str | Path) -> list[tuple[str, str, Path]]:
    """(task, split, shard) of all shards under a release, by task, split and name.

    Shards that lie in the task's folder itself are training ones. DataError when there is none.
    """
    root, found = Path(root), []
    for task in TASKS:
        folder = root / "data" / f"{task}_recommendation"
        found += [(task, "train", path) for path in sorted(folder.glob("*.tar"))]
        found += [(task, split, path) for split, name in SPLIT_FOLDERS.items()
                  for path in sorted((folder / name).glob("*.tar"))]  # fmt: skip
    if not found:
        place = str(root / "data" / f"{TASKS[0]}_recommendation" / "train" / "000.tar")
        raise DataError(Problem(place, None, None, None, "no such file", f"give the folder that holds {PUBLISHED}"))
    return found


def read_shard(
    path: str | Path, task: str, split: str, skip_bad: bool = False, rejected: Counter[str] | None = None
) -> Iterator[Sample]:
    """The samples of one shard, in its order.

    skip_bad: samples that break a rule are left out and counted in `rejected` by reason. DataError names the shard, the
    number of the sample, field, value and remedy; a shard that is no tar file or is cut short is one either way.
    """
    rejected = Counter() if rejected is None else rejected
    for row, (name, parts) in enumerate(_grouped(Path(path))):
        try:
            yield _sample(Path(path), row, name, parts, task, split)
        except DataError as error:
            if not skip_bad:
                raise
            rejected[error.problems[0].message] += 1


def _grouped(path: Path) -> Iterator[tuple[str, dict[str, bytes | int]]]:
    """Samples as base name and files by ending; a file over MAX_BYTES comes as its size."""
    name, parts = None, {}
    remedy = "it is cut short or damaged: download the shard again"
    try:
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                base, _, ending = member.name.rpartition("/")[2].partition(".")
                if ending not in MAX_BYTES:
                    continue
                if parts and (base != name or ending in parts):
                    yield name, parts
                    parts = {}
                name = base
                if member.size > MAX_BYTES[ending]:
                    parts[ending] = member.size
                    continue
                parts[ending] = tar.extractfile(member).read()
                if len(parts[ending]) != member.size:
                    raise DataError(Problem(str(path), None, member.name, None, "the file ends early", remedy))
    except FileNotFoundError:
        raise DataError(Problem(str(path), None, None, None, "no such file", f"give a shard of {PUBLISHED}")) from None
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(Problem(str(path), None, None, None, f"not readable as tar ({error})", remedy)) from error
    if parts:
        yield name, parts


def _sample(path: Path, row: int, name: str, parts: dict, task: str, split: str) -> Sample:
    for ending, most in MAX_BYTES.items():
        file = f"{name}.{ending}"
        if ending not in parts:
            remedy = "a sample is two files in a row, key.jpg and key.json"
            raise DataError(Problem(str(path), row, file, None, "missing in the shard", remedy))
        if isinstance(parts[ending], int):
            remedy = f"a sample's {ending} is at most {most >> 20} MiB"
            raise DataError(Problem(str(path), row, file, parts[ending], "too many bytes", remedy))
    value = parse_json(parts["json"], str(path), row)
    return Sample(Dialogue.from_json(value, str(path), row, task, split), parts["jpg"])


def read_side_table(root: str | Path, file: str) -> pa.Table | None:
    """One of TABLES as text columns (null where empty), lists of ids as lists; None where the release has no such file.

    DataError: it does not read as parquet, or a column is missing.
    """
    path = Path(root) / "meta" / file
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, ValueError, pa.ArrowException) as error:
        remedy = "it is cut short or damaged: download it again"
        message = f"not readable as parquet ({str(error).splitlines()[0][:120]})"
        raise DataError(Problem(str(path), None, None, None, message, remedy)) from error
    columns = {}
    for name in TABLES[file]:
        if name not in table.column_names:
            message = f"missing column, there are {', '.join(table.column_names[:12])}"
            raise DataError(Problem(str(path), None, name, None, message, "give the released file"))
        values = table.column(name).to_pylist()
        if name in ("item_ids", "outfit_ids"):
            columns[name] = pa.array([_ids(value) for value in values], pa.list_(pa.string()))
        else:
            columns[name] = pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.table(columns)


def _ids(value: object) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else [str(one) for one in value or ()]
    return [part.strip() for part in parts if part.strip()]


def outfit_grid(pictures: Sequence[Image.Image], side: int = PICTURE_SIDE) -> Image.Image:
    """Pictures in a square grid on white, `side` pixels wide: 2 x 2, or more rows where there are more than four."""
    rows = max(2, math.ceil(math.sqrt(len(pictures))))
    cell, grid = side // rows, Image.new("RGB", (side, side), "white")
    for place, picture in enumerate(pictures):
        small = ImageOps.contain(picture.convert("RGB"), (cell, cell), Image.Resampling.BICUBIC)
        left, top = place % rows * cell, place // rows * cell
        grid.paste(small, (left + (cell - small.width) // 2, top + (cell - small.height) // 2))
    return grid


def write_shards(
    out: str | Path, dialogues: Iterable[Dialogue], pictures: str | Path, side: int = PICTURE_SIDE, shard: int = SHARD
) -> Counter[tuple[str, str]]:
    """Write dialogues in the published layout: shards under `out`/data, `shard` samples each.

    pictures: the folder that the pieces' paths are relative to. A sample's key is its number within task and split, as
    published; "dialogue" keeps the dialogue's own. Returns the number of samples by (task, split). DataError: `out`
    exists, or a picture does not read.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(Problem(str(out), None, None, None, "exists and is not empty", "choose another folder"))
    counts: Counter[tuple[str, str]] = Counter()
    with replacing(out) as new, ExitStack() as stack:
        tars: dict[tuple[str, str], tarfile.TarFile] = {}
        for dialogue in dialogues:
            kind = dialogue.task, dialogue.split
            number = counts[kind]
            if number % shard == 0:
                if kind in tars:
                    tars[kind].close()
                folder = new / "data" / f"{dialogue.task}_recommendation" / SPLIT_FOLDERS[dialogue.split]
                folder.mkdir(parents=True, exist_ok=True)
                tars[kind] = stack.enter_context(tarfile.open(folder / f"{number // shard:03}.tar", "w"))
            key = f"{number:07}"
            shown = [open_image(piece.path, root=pictures) for piece in dialogue.partial_outfit if piece.path]
            jpg = io.BytesIO()
            outfit_grid(shown, side).save(jpg, "JPEG", quality=92)
            value = dialogue.to_json() | {"key": key, "dialogue": dialogue.key}
            for ending, data in (("jpg", jpg.getvalue()), ("json", json.dumps(value, ensure_ascii=False).encode())):
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                tars[kind].addfile(member, io.BytesIO(data))
            counts[kind] += 1
    return counts
