"""The sample's own scripts, loaded by path: datasets/ is not a package and must not become one."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

SAMPLE = Path(__file__).resolve().parents[1] / "datasets" / "sample"


@cache
def script(name: str) -> ModuleType:
    """datasets/sample/NAME.py as a module (it puts its own folder on sys.path)."""
    spec = importlib.util.spec_from_file_location(f"dresswell_sample_{name}", SAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_sample(out: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write the sample to ``out``. ValueError when the sizes do not go together."""
    counts = script("prepare").prepare(out, seed=seed, **sizes)
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()), flush=True)


def open_oracle(folder: Path):
    """The rules the sample was made by, as datasets/sample/oracle.py's Oracle. No model may read it."""
    return script("oracle").Oracle(folder)
