"""How well fcn judges outfits, beside its opponents: python benchmarks/fcn_quality.py --mango DIR --products DIR

Two parts: coherence (benchmarks/coherence.py: MANGO outfits with items that recur and with new ones, and the sample)
and labels (benchmarks/label_heads.py: label heads on the sample and on Fashion Product Images). The data folders are
made by their adapters, under runs/. What is finished is not done again, so an interrupted run goes on with the same
command, and `--parts` does one part: the other's figures stay as they are in benchmarks/results/fcn_quality.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import coherence  # noqa: E402
from benchmarks.report import seeds_of, write_report  # noqa: E402

NAME = "fcn_quality"
PARTS = ("coherence", "labels")


def merged(written: dict | None, part: str, results: dict, notes: list[str]) -> tuple[dict, list[str]]:
    """Seeds' values and notes of an earlier report with one part's put into it.

    Both parts measure the sample, other methods of it: a method's row belongs to the part that measured it. Notes say
    which part they are of.
    """
    found = seeds_of(written) if written else {}
    for dataset, methods in results.items():
        for method, metrics in methods.items():
            found.setdefault(dataset, {}).setdefault(method, {}).update(metrics)
    kept = [note for note in (written or {}).get("notes", []) if not note.startswith(f"{part}: ")]
    return found, sorted([*kept, *(f"{part}: {note}" for note in notes)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--mango", type=Path, default=coherence.MANGO, help="MANGO's release (default %(default)s)")
    parser.add_argument("--products", type=Path, help="the release of Fashion Product Images")
    parser.add_argument("--collect", action="store_true", help="of coherence report what is finished, measure nothing")
    options = parser.parse_args()
    path = ROOT / "benchmarks" / "results" / f"{NAME}.json"
    for part in options.parts:
        if part == "labels":
            from benchmarks import label_heads

            results, notes = label_heads.run(options.seeds, products=options.products or label_heads.PRODUCTS)
        elif options.collect:
            results, notes = coherence.collect(options.seeds)
        else:
            results, notes = coherence.run(options.seeds, mango=options.mango)
        written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        results, notes = merged(written, part, results, notes)
        write_report(NAME, "python benchmarks/fcn_quality.py", results, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
