"""The adapters of datasets/ for the benchmarks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

DATASETS = Path(__file__).resolve().parents[1] / "datasets"


def script(name: str) -> ModuleType:
    """datasets/NAME/prepare.py as a module; the folder is no package."""
    spec = importlib.util.spec_from_file_location(f"prepare_{name}", DATASETS / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
