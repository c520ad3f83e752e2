"""A data set folder again, with its outfits split by connected components.

    result = component_resplit("data/mango", "data/mango-cold", test_share=0.45)
    print(result)       # what shares were reached, and the largest component
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fcn.catalog import plain
from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.folder_writing import refuse_foreign, replacing
from fcn.integrity import picture_keys
from fcn.schema import INFO, OUTFITS, SCHEMAS, SPLITS
from fcn.splits import component_split, outfit_components


@dataclass(frozen=True)
class Resplit:
    """What `component_resplit` reached. outfits: per split; largest: outfits of the largest component."""

    path: str
    asked: dict[str, float]
    outfits: dict[str, int]
    components: int
    largest: int

    def to_json(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        total = sum(self.outfits.values())
        reached = (f"{s} {n:,} outfits ({n / total:.1%}, asked {self.asked[s]:.1%})" for s, n in self.outfits.items())
        return (f"{self.path}: {', '.join(reached)}; {self.components:,} components, "
                f"the largest {self.largest:,} outfits ({self.largest / total:.1%})")  # fmt: skip


def component_resplit(
    source: str | Path,
    out: str | Path,
    val_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    join_pictures: bool = False,
    progress: bool = True,
) -> Resplit:
    """Write the folder `source` to `out` with another split of its outfits; events keep theirs.

    Only outfits.parquet and dataset.json (which gains "split", the rule) are written. All other files of the folder
    and the pictures of its items are hard-linked, so they take no further space, or copied where links cannot be
    made. `out` may be `source`.

    join_pictures: outfits whose items have equal pictures (see `fcn.integrity`) fall into one component.

    Raises:
        DataError: `source` breaks a rule or has no outfits, `out` is not a data set folder, impossible shares.
    """
    source, out = Path(source), Path(out)
    refuse_foreign(out)
    folder = DataFolder.open(source)
    if folder.outfits is None or not folder.outfits.num_rows:
        remedy = "a folder to split has outfits; events are split by time, in their prepare.py"
        raise DataError(Problem(OUTFITS, None, None, None, "no outfits", remedy))
    pictures = picture_keys(folder.catalog, progress) if join_pictures else None
    column = folder.outfits.column("item_ids")
    split = component_split(column, val_share, test_share, seed, pictures)
    sizes = np.bincount(outfit_components(column, pictures))
    table = folder.outfits.select(SCHEMAS[OUTFITS].names)
    table = plain(table.set_column(table.column_names.index("split"), "split", pa.array(split)), SCHEMAS[OUTFITS])
    rule = {"by": "component", "val_share": val_share, "test_share": test_share, "seed": seed,
            "join_pictures": join_pictures}  # fmt: skip
    with replacing(out) as new:
        for file in source.iterdir():
            if file.is_file() and file.name not in (INFO, OUTFITS):
                _link(file, new / file.name)
        for image in folder.catalog.column("image").unique().drop_null().to_pylist():
            _link(source / image, new / image)
        (new / INFO).write_text(json.dumps({**folder.info, "split": rule}, indent=2, ensure_ascii=False) + "\n",
                                encoding="utf-8")  # fmt: skip
        pq.write_table(table, new / OUTFITS)
        DataFolder.open(new)
    asked = {"train": 1 - val_share - test_share, "val": val_share, "test": test_share}
    counts = {name: int((split == name).sum()) for name in SPLITS}
    return Resplit(str(out), asked, counts, len(sizes), int(sizes[0]))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = Path(os.path.realpath(source))
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # an item's picture at the top of the folder
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
