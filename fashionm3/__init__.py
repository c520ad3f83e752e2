"""Talk, see, try on, change your mind: the multi-round fashion assistant (FashionM3, arXiv 2504.17826).

Names are imported on first use, so that `import fashionm3` stays quick.
"""

from __future__ import annotations

import importlib

_LATER = {
    "Answer": "fashionm3.results",
    "Assistant": "fashionm3.assistant",
    "FashionVLM": "fashionm3.vlm",
    "Limits": "fashionm3.limits",
    "Session": "fashionm3.session",
    "Tools": "fashionm3.tools",
    "try_on": "fashionm3.tryon",
}

__all__ = ["Answer", "Assistant", "FashionVLM", "Limits", "Session", "Tools", "try_on"]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
