"""What all benchmarks share: one JSON schema in benchmarks/results/, printed as a table."""

from __future__ import annotations

import datetime
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from fcn.training import describe_machine

ROOT = Path(__file__).resolve().parents[1]


def metric(values: Sequence[float]) -> dict:
    """One value per seed -> mean and 95% interval of the mean (Student's t; one seed has no interval)."""
    values = [float(value) for value in values]
    mean, ci95 = float(np.mean(values)), None
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
        ci95 = [mean - half, mean + half]
    return {"mean": mean, "ci95": ci95, "seeds": values}


def write_report(
    name: str,
    command: str,
    results: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    floor: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write benchmarks/results/NAME.json and print it.

    results: data set -> method -> metric -> one value per seed.
    """
    report = {
        "benchmark": name,
        "command": command,
        "commit": _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain", "-uno") else ""),
        "machine": describe_machine(),
        "date": datetime.date.today().isoformat(),
        "results": {
            dataset: {
                method: {key: metric(values) for key, values in metrics.items()} for method, metrics in methods.items()
            }
            for dataset, methods in results.items()
        },
        "floor": dict(floor or {}),
        "notes": list(notes),
    }
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
    print(table(report))
    return path


def seeds_of(report: Mapping) -> dict[str, dict[str, dict[str, list[float]]]]:
    """The results of a written report as `write_report` takes them."""
    return {
        dataset: {method: {key: value["seeds"] for key, value in row.items()} for method, row in methods.items()}
        for dataset, methods in report["results"].items()
    }


def collector() -> tuple[dict, Callable[[str, dict[str, dict[str, float]]], None]]:
    """Results and what adds to them: one more value for each method and metric of a data set, told with its second."""
    results: dict = {}
    started = time.perf_counter()

    def add(name: str, found: dict[str, dict[str, float]]) -> None:
        print(f"{time.perf_counter() - started:4.0f} s: {name}", file=sys.stderr, flush=True)
        for way, metrics in found.items():
            for key, value in metrics.items():
                results.setdefault(name, {}).setdefault(way, {}).setdefault(key, []).append(value)

    return results, add


def table(report: Mapping) -> str:
    """The results as Markdown: a table per data set, then floor and notes."""
    lines = []
    for dataset, methods in report["results"].items():
        keys = list(dict.fromkeys(key for metrics in methods.values() for key in metrics))
        lines += ["", f"**{dataset}**", "", f"| method | {' | '.join(keys)} |", "|---" * (len(keys) + 1) + "|"]
        for method, metrics in methods.items():
            cells = [_cell(metrics[key]) if key in metrics else "" for key in keys]
            lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += [""] + [f"floor: {key} = {value}" for key, value in report["floor"].items()]
    lines += [f"note: {note}" for note in report["notes"]]
    return "\n".join(lines)


def compact(report: Mapping, keys: Sequence[str], columns: int = 4) -> str:
    """The results of a few metrics as Markdown: a row per method, a column per data set, so many in one table.

    A cell holds the metrics in the order of `keys`, " / " between them, to four decimals, the first with its interval.
    """
    datasets, lines = list(report["results"]), []
    for begin in range(0, len(datasets), columns):
        shown = datasets[begin : begin + columns]
        methods: list[str] = []
        for name in shown:  # each data set's methods in its order; one that others have not, behind the one before it
            place = 0
            for method in report["results"][name]:
                if method not in methods:
                    methods.insert(place, method)
                place = methods.index(method) + 1
        lines += ["", f"| {' / '.join(keys)} | {' | '.join(shown)} |", "|---" * (len(shown) + 1) + "|"]
        for method in methods:
            rows = [report["results"][name].get(method, {}) for name in shown]
            lines.append(f"| {method} | {' | '.join(_cells(row, keys) for row in rows)} |")
    return "\n".join(lines)


def _cells(row: Mapping, keys: Sequence[str]) -> str:
    shown = [f"{row[key]['mean']:.4f}" for key in keys if key in row]
    first = row.get(keys[0])
    if first is not None and first["ci95"] is not None:
        shown[0] += f" ± {first['ci95'][1] - first['mean']:.2g}"
    return " / ".join(shown)


def _cell(value: Mapping) -> str:
    text = f"{value['mean']:.4g}"
    return text if value["ci95"] is None else f"{text} ± {value['ci95'][1] - value['mean']:.2g}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or ("unknown" if arguments[0] == "rev-parse" else "")
