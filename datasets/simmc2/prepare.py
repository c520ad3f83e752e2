"""SIMMC 2 (situated shopping dialogues) -> dialogues.jsonl of multi-round test dialogues.

    python datasets/simmc2/prepare.py --raw simmc2.1_dials_dstc11_dev.json --out DIR

README.md beside this file is the data card: where the release is published, the mapping, the traps.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
# dresswell is found also where it is not installed; last on the path, so that it hides nothing
sys.path += [place for place in (str(HERE.parents[1]),) if place not in sys.path]

from fashionm3.dialogues import write_dialogues  # noqa: E402
from fashionm3.simmc2 import read_simmc2  # noqa: E402
from fcn.adapters import run  # noqa: E402
from fcn.schema import DIALOGUES  # noqa: E402


def prepare(raw: Path, out: Path) -> dict[str, int]:
    """Write `out`/dialogues.jsonl from one file of the release; returns the counts."""
    counts: Counter[str] = Counter()
    acts: Counter[str] = Counter()

    def counted():
        for dialogue in read_simmc2(raw):
            counts["dialogues"] += 1
            counts["rounds"] += len(dialogue.turns) // 2
            for turn in dialogue.turns[::2]:
                acts[f"act {turn.act}"] += 1
                counts["slots people named"] += len(turn.slots)
                counts["slots people asked for"] += len(turn.requests)
                counts["objects people meant"] += len(turn.items)
            yield dialogue

    write_dialogues(out / DIALOGUES, counted())
    return {**counts, **dict(acts.most_common())}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, required=True, help="a simmc2*_dials_*.json of the release")
    parser.add_argument("--out", type=Path, required=True, help="folder in which dialogues.jsonl is written")
    given = parser.parse_args(arguments)
    return run(lambda: prepare(given.raw, given.out), width=30, digits=10)


if __name__ == "__main__":
    raise SystemExit(main())
