"""Fashion IQ's relative captions: what they state, counted, and the captions with it as JSON lines.

    python datasets/fashion_iq/prepare.py --raw DIR --out FILE.jsonl

README.md beside this file is the data card: where the release is published, what is understood, the traps.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
# dresswell is found also where it is not installed; last on the path, so that it hides nothing
sys.path += [place for place in (str(HERE.parents[1]),) if place not in sys.path]

from fashionm3.feedback import read_captions, write_captions  # noqa: E402
from fcn.adapters import run  # noqa: E402


def prepare(raw: Path, out: Path) -> dict[str, int]:
    """Write the captions of `raw` to the file `out`; returns the counts."""
    captions = read_captions(raw)
    write_captions(out, captions)
    counts: Counter[str] = Counter()
    for caption in captions:
        counts[f"{caption.category} captions"] += 1
        counts[f"{caption.category} captions understood"] += caption.changes is not None
    named = Counter(change for caption in captions for change in caption.changes or ())
    return {"captions": len(captions), "captions understood": sum(c.changes is not None for c in captions),
            **counts, **{f"states {change}": number for change, number in named.most_common(12)}}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, required=True, help="folder with cap.CATEGORY.SPLIT.json")
    parser.add_argument("--out", type=Path, required=True, help="file to write, one caption a line")
    given = parser.parse_args(arguments)
    return run(lambda: prepare(given.raw, given.out), width=30, digits=10)


if __name__ == "__main__":
    raise SystemExit(main())
