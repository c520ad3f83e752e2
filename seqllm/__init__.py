"""What should this person be shown next? The Sequential LLM Framework for Fashion Recommendation (EMNLP 2024 Industry).

Names are imported on first use, so that `import seqllm` stays quick.
"""

from __future__ import annotations

import importlib

_LATER = {
    "EventLog": "seqllm.sequences",
    "Hit": "seqllm.recommender",
    "Recommender": "seqllm.recommender",
}

__all__ = ["EventLog", "Hit", "Recommender"]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
