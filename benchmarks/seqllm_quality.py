"""How well seqllm recommends, beside its opponents: python benchmarks/seqllm_quality.py [--data NAME ...]

Each data set (benchmarks/seqllm_data.py) is ranked over its whole catalogue by the opponents (benchmarks/opponents.py),
each with its own search on validation, and by the product with and without its parts (benchmarks/seqllm_variants.py).
Every finished method and seed is kept in runs/seqllm_quality, so an interrupted run goes on with the same command; a
run of train_llm.py that stands in runs/seqllm_quality/NAME-SEED and fits is not trained again. What has no seed is
measured once. --only does a part of the work; the report always holds all that is finished.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import opponents, seqllm_variants  # noqa: E402
from benchmarks.report import write_report  # noqa: E402
from benchmarks.seqllm_data import NAMES, RELEASES, Task, finished, made  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402

NAME = "seqllm_quality"
EVERY = (*NAMES, *(f"{name}-time" for name in NAMES))


def collected(name: str) -> tuple[dict[str, dict[str, list[float]]], list[str]]:
    """Of a data set: method -> metric -> one value a seed of what is finished, opponents first; notes."""
    about, rows = finished(name)
    by_method: dict[str, list[dict]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    order = [*opponents.READS, *sorted(method for method in by_method if method not in opponents.READS)]
    by_method = {method: by_method[method] for method in order if method in by_method}
    results = {
        method: {metric: [row["metrics"][metric] for row in found] for metric in found[0]["metrics"]}
        for method, found in by_method.items()
    }
    if not results:
        return {}, []
    notes = [f"{name}: {about['items']:,} items, {about['choices']:,} test choices of {about['people']:,} people, "
             f"{about['cold']:,} of them of items never chosen in training"]  # fmt: skip
    for method, (first, *_) in by_method.items():
        half = first["people"]["ndcg@10"]
        searched = f", the best of {len(first['search'])}" if len(first.get("search", [])) > 1 else ""
        notes.append(f"options: {name}, {method}: {first['options']}{searched}; ndcg@10 ± {half:.2g} over people")
    return results, notes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=EVERY, default=EVERY)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=(*opponents.READS, "dresswell"), help="only these methods")
    parser.add_argument("--releases", type=Path, default=RELEASES, help="releases by data set (default %(default)s)")
    parser.add_argument("--collect", action="store_true", help="report what is finished, measure nothing")
    options = parser.parse_args()
    results, notes = {}, []
    for name in EVERY:
        if name in options.data and not options.collect:
            task = Task(name, DataFolder.open(made(name, options.releases)))
            opponents.run(task, options.seeds, options.only)
            if options.only is None or "dresswell" in options.only:
                seqllm_variants.run(task, options.seeds)
        found, told = collected(name)
        results |= {name: found} if found else {}
        notes += told
    write_report(NAME, "python benchmarks/seqllm_quality.py", results, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
