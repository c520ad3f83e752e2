"""Keep README.md true: python benchmarks/readme.py [--check] [--outputs]

Between `<!-- table:NAME -->` and `<!-- /table:NAME -->` stands what benchmarks/results/NAME.json holds. --check changes
nothing and ends with 1 where README.md does not agree. --outputs also runs the Python blocks marked `<!-- run -->` and
writes what they print under them as `# =>` lines, with the checksum of the models in runs/demo they were run with.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import compact, table  # noqa: E402
from fcn.artifacts import sha256  # noqa: E402

MARKED = re.compile(r"(<!-- table:(\w+) -->\n).*?(<!-- /table:\2 -->)", re.DOTALL)
BLOCK = re.compile(r"<!-- run( \w+)? -->\n```python\n(.*?)```", re.DOTALL)
OUTPUT = "# => "
DETAILS = ("coherence: ", "labels: ", "options: ")  # notes on options and searches; they stay in the JSON
COMPACT = {"seqllm_quality": ("ndcg@10", "recall@10")}  # many data sets and metrics: these metrics, methods x data sets


def rendered(name: str) -> str:
    """Tables and notes of benchmarks/results/NAME.json as Markdown."""
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    if not path.exists():
        return f"Not measured yet; `python benchmarks/{name}.py` does it.\n"
    report = json.loads(path.read_text(encoding="utf-8"))
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items() if value is not None)
    told = [note for note in report["notes"] if not note.startswith(DETAILS)]
    notes = "\n".join(f"- {note}" for note in [*told, f"measured {report['date']} on {machine}"])
    bare = report | {"floor": {}, "notes": []}
    shown = compact(bare, COMPACT[name]) if name in COMPACT else table(bare)
    return f"{shown.strip()}\n\n{notes}\n"


def filled(text: str) -> str:
    """README text with every marked table as it should be."""
    return MARKED.sub(lambda match: f"{match[1]}\n{rendered(match[2])}\n{match[3]}", text)


def blocks(text: str) -> list[tuple[str, str, list[str]]]:
    """The marked Python blocks: checksum of the models, code, lines it printed."""
    found = []
    for mark, body in BLOCK.findall(text):
        lines = body.splitlines()
        printed = [line.removeprefix(OUTPUT) for line in lines if line.startswith(OUTPUT)]
        code = "\n".join(line for line in lines if not line.startswith(OUTPUT))
        found.append((mark.strip(), code, printed))
    return found


def run(code: str) -> list[str]:
    """What a block prints, line by line, run in the present folder."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})  # our own README
    return printed.getvalue().splitlines()


def models(demo: Path) -> str:
    """Checksum of the two manifests of a demo: other models, other outputs."""
    return "".join(sha256(demo / name / "artifact.json")[:8] for name in ("fcn", "seqllm"))


def with_outputs(text: str) -> str:
    mark = models(ROOT / "runs" / "demo")

    def again(match: re.Match) -> str:
        code = blocks(match[0])[0][1]
        lines = "".join(f"{OUTPUT}{line}\n" for line in run(code))
        return f"<!-- run {mark} -->\n```python\n{code}\n{lines}```"

    return BLOCK.sub(again, text)


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        return int(filled(text) != text)
    if "--outputs" in sys.argv[1:]:
        text = with_outputs(text)
    readme.write_text(filled(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
