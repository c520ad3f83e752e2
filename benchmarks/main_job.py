"""The main job's figures from a finished demo: python benchmarks/main_job.py

Reads runs/demo/metrics.json (make demo), writes benchmarks/results/main_job.json and prints it as tables;
`python benchmarks/readme.py` puts them into README.md. Real data have benchmarks of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import write_report  # noqa: E402
from reports.measure import FCN, OPPONENTS, SEQLLM, floors  # noqa: E402


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("runs/demo"), help="folder of the demo (default %(default)s)")
    path = parser.parse_args().demo / "metrics.json"
    if not path.exists():
        print(f"{path} is missing; make demo makes it", file=sys.stderr)
        return 2
    metrics = json.loads(path.read_text(encoding="utf-8"))
    fcn = metrics["fcn"]
    methods = {"dresswell": fcn, "prior": fcn["prior"], "oracle": fcn["oracle"]}
    results = {
        "sample (made data), outfits": {name: row(part, FCN) for name, part in methods.items()},
        "sample (made data), next choice": recommender(metrics["seqllm"]),
    }
    floor = {claim: round(value, 4) for claim, _, value in floors(metrics)}
    seconds = metrics["seconds"]["total"]
    note = f"sample: seed {metrics['seed']}, {seconds:.0f} s for data, both trainings and the report"
    note += "; the oracle knows every rule and every hidden taste"
    write_report("main_job", "python benchmarks/main_job.py", results, floor, [note])
    return 0


if __name__ == "__main__":
    sys.exit(main())
