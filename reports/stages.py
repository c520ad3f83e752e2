"""Stages of a long job that are done once: each is remembered with what it depended on and how long it took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from fcn.artifacts import write_json
from fcn.errors import DresswellError
from fcn.training import fingerprint_of

RECORD = ".stages.json"


class Stages:
    """Runs stages in ``out``; one that finished with the same key and whose result is still sound is not repeated."""

    def __init__(self, out: Path, restart: bool = False):
        self.started, self.out = time.perf_counter(), out
        out.mkdir(parents=True, exist_ok=True)
        self.record: dict[str, dict] = {}
        if (out / RECORD).exists() and not restart:
            try:
                self.record = dict(json.loads((out / RECORD).read_text(encoding="utf-8")))
            except ValueError:  # a record nobody can read only costs the time to do it again
                self.record = {}

    def run(self, name: str, what: str, key: dict, opens: Callable[[], object], make: Callable[[], object]) -> None:
        """Call ``make`` unless the stage is finished.

        key: all that the result depends on, JSON-serialisable. opens: opens the result, raises DresswellError when it
        is missing, damaged, or of another version of the code.
        """
        key_now, before = fingerprint_of(key), self.record.get(name, {})
        if before.get("key") == key_now and self._sound(opens):
            print(f"[{name}] finished before, in {before['seconds']:.0f} s: kept", flush=True)
            return
        print(f"\n[{name}] {what}", flush=True)
        self.record.pop(name, None)
        began = time.perf_counter()
        make()
        self.record[name] = {"key": key_now, "seconds": round(time.perf_counter() - began, 1)}
        write_json(self.out / RECORD, self.record)
        print(f"[{name}] {self.record[name]['seconds']:.0f} s", flush=True)

    def report(self, measure: Callable[[], dict], path: Path, write: Callable[[dict], None]) -> dict:
        """Measure, add the seconds of every stage, write the metrics to ``path`` and the page with ``write``."""
        print("\n[report] measure, and draw the page", flush=True)
        began = time.perf_counter()
        metrics = measure()
        seconds = {name: stage["seconds"] for name, stage in self.record.items()}
        # The page shows its own time as it is when it is drawn; metrics.json has it whole.
        metrics["seconds"] = seconds | {"report": round(time.perf_counter() - began, 1)}
        metrics["seconds"]["total"] = round(sum(metrics["seconds"].values()), 1)
        write(metrics)
        metrics["seconds"]["report"] = round(time.perf_counter() - began, 1)
        metrics["seconds"]["total"] = round(sum(seconds.values()) + metrics["seconds"]["report"], 1)
        write_json(path, metrics)
        print(f"[report] {metrics['seconds']['report']:.0f} s", flush=True)
        return metrics

    @staticmethod
    def _sound(opens: Callable[[], object]) -> bool:
        try:
            opens()
            return True
        except DresswellError as error:
            print(f"made again: {error}", flush=True)
            return False
