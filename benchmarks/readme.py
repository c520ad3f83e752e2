"""Put the committed results into README.md: python benchmarks/readme.py [--check]

Between `<!-- table:NAME -->` and `<!-- /table:NAME -->` stands what benchmarks/results/NAME.json holds. --check changes
nothing and ends with 1 where README.md does not agree.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import table  # noqa: E402

MARKED = re.compile(r"(<!-- table:(\w+) -->\n).*?(<!-- /table:\2 -->)", re.DOTALL)


def rendered(name: str) -> str:
    """Tables and notes of benchmarks/results/NAME.json as Markdown."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    if not path.exists():
        return f"Not measured yet; `python benchmarks/{name}.py` does it.\n"
    report = json.loads(path.read_text(encoding="utf-8"))
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items() if value is not None)
    notes = "\n".join(f"- {note}" for note in [*report["notes"], f"measured {report['date']} on {machine}"])
    return f"{table(report | {'floor': {}, 'notes': []}).strip()}\n\n{notes}\n"


def filled(text: str) -> str:
    """README text with every marked table as it should be."""
    return MARKED.sub(lambda match: match[1] + "\n" + rendered(match[2]) + "\n" + match[3], text)


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        return int(filled(text) != text)
    readme.write_text(filled(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
