"""The main job's figures from finished runs: python benchmarks/main_job.py

Reads runs/demo/metrics.json (make demo), runs/rtr/evaluation.json and runs/amazon/evaluation.json (train_llm.py on the
folders that datasets/*/prepare.py write) as far as they are there; what benchmarks/results/main_job.json holds of a run
that is missing stays. Writes that file and prints it as tables; `python benchmarks/readme.py` puts them into README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import ROOT, seeds_of, write_report  # noqa: E402
from reports.measure import FCN, OPPONENTS, SEQLLM, floors  # noqa: E402

REAL = {"rtr": "RentTheRunway, next rental", "amazon": "Amazon clothing, next purchase"}


def row(part: dict, names: tuple[str, ...]) -> dict[str, list[float]]:
    """The metrics of one method that are defined, one seed each."""
    return {name: [part[name]] for name in names if part.get(name) is not None}


def recommender(report: dict) -> dict[str, dict]:
    """Methods of an evaluation of seqllm: ours, its ablation without profile tokens, opponents, the oracle if any."""
    methods = {"dresswell": row(report, SEQLLM)}
    tokens = report.get("profile_tokens", {})
    if "none" in tokens:
        methods["dresswell/no-tokens"] = row(tokens["none"], SEQLLM)
    methods |= {name: row(report[name], SEQLLM) for name in (*OPPONENTS, "oracle") if name in report}
    return methods


def collect(runs: Path) -> tuple[dict, dict, list[str]]:
    """results, floor and notes of the runs found in ``runs``."""
    results, floor, notes = {}, {}, []
    demo = runs / "demo" / "metrics.json"
    if demo.exists():
        metrics = json.loads(demo.read_text(encoding="utf-8"))
        fcn = metrics["fcn"]
        methods = {"dresswell": fcn, "prior": fcn["prior"], "oracle": fcn["oracle"]}
        results["sample (made data), outfits"] = {name: row(part, FCN) for name, part in methods.items()}
        results["sample (made data), next choice"] = recommender(metrics["seqllm"])
        floor = {claim: round(value, 4) for claim, _, value in floors(metrics)}
        notes.append(f"sample: seed {metrics['seed']}, {metrics['seconds']['total']:.0f} s for data, both trainings "
                     "and the report; the oracle knows every rule and every hidden taste")  # fmt: skip
    for name, title in REAL.items():
        path = runs / name / "evaluation.json"
        if not path.exists():
            continue
        report = json.loads(path.read_text(encoding="utf-8"))
        results[title] = recommender(report)
        training = report.get("training", {})
        trained = f"; trained in {training['seconds'] / 60:.0f} min" if "seconds" in training else ""
        notes.append(f"{title}: {report['items']:,} items, {report['events']:,} test events of "
                     f"{report['people']:,} people, full ranking{trained}")  # fmt: skip
    return results, floor, notes


def kept(written: dict, results: dict) -> tuple[dict, list[str]]:
    """Rows and notes of data sets in an earlier report that ``results`` has not."""
    rows = {name: methods for name, methods in seeds_of(written).items() if name not in results}
    return rows, [note for note in written["notes"] if note.partition(":")[0] in rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs (default %(default)s)")
    results, floor, notes = collect(parser.parse_args().runs)
    if not results:
        print("no finished run found; make demo makes one", file=sys.stderr)
        return 2
    before = ROOT / "benchmarks" / "results" / "main_job.json"
    if before.exists():
        rows, old_notes = kept(json.loads(before.read_text(encoding="utf-8")), results)
        results, notes = results | rows, notes + old_notes
    write_report("main_job", "python benchmarks/main_job.py", results, floor, notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
