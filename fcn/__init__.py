"""Does this outfit hang together, and does it suit this person? The Fashion Cognitive Network (BMVC 2022).

Here live also the types and the data set folder that the other packages of dresswell share. What needs torch
is imported on first use, so that `import fcn` stays quick.
"""

from __future__ import annotations

import importlib

from fcn.catalog import Catalog
from fcn.errors import ArtifactError, DataError, DresswellError, Problem
from fcn.folder import DataFolder
from fcn.folder_writing import write_folder
from fcn.types import SLOTS, Item, LabelGroup, LabelVocabulary, Outfit, Profile

__version__ = "0.1.0"

_LATER = {"OutfitScorer": "fcn.scorer"}

__all__ = [
    "SLOTS",
    "ArtifactError",
    "Catalog",
    "DataError",
    "DataFolder",
    "DresswellError",
    "Item",
    "LabelGroup",
    "LabelVocabulary",
    "Outfit",
    "OutfitScorer",
    "Problem",
    "Profile",
    "write_folder",
]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
