"""FashionRec: dialogues of any data set folder, or the published release as a folder.

    python datasets/fashionrec/prepare.py --data FOLDER [--out DIR] [--each N|all] [--tasks T ...] [--seed N]
        [--fashion-iq DIR] [--rewrite-url URL --rewrite-model NAME] [--shards DIR]
    python datasets/fashionrec/prepare.py --raw RELEASE --out DIR [--skip-bad]

README.md beside this file is the data card: where the release is published, the mapping, how dialogues are made.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
# dresswell is found also where it is not installed; last on the path, so that it hides nothing
sys.path += [place for place in (str(HERE), str(HERE.parents[1])) if place not in sys.path]

from fashionrec_release import prepare_release  # noqa: E402

from fashionm3.dialogue_building import EACH, DialogueBuilder  # noqa: E402
from fashionm3.dialogues import TASKS, counts_table, read_dialogues, write_dialogues  # noqa: E402
from fashionm3.fashionrec import write_shards  # noqa: E402
from fashionm3.feedback import Feedback, read_captions  # noqa: E402
from fashionm3.rewriting import ChatEndpoint, Rewriter  # noqa: E402
from fcn.errors import DataError, Problem  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402
from fcn.schema import DIALOGUES  # noqa: E402

KEY = "OPENAI_API_KEY"


def build(
    data: Path,
    out: Path | None = None,
    tasks: tuple[str, ...] = TASKS,
    each: int | None = EACH,
    seed: int = 0,
    fashion_iq: Path | None = None,
    endpoint: ChatEndpoint | None = None,
    shards: Path | None = None,
) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Write `out`/dialogues.jsonl (without `out` into the folder itself) and, with `shards`, the published layout.

    Returns the dialogues by (task, split), and what else was counted.
    """
    folder = DataFolder.open(data, images="header" if shards else "none")
    feedback = Feedback(read_captions(fashion_iq)) if fashion_iq else None
    builder = DialogueBuilder(folder, seed, each, feedback)
    dialogues = builder.build(tasks)
    rewriter = Rewriter(endpoint) if endpoint else None
    path = (out or data) / DIALOGUES
    counts = write_dialogues(path, rewriter.rewrite(dialogues) if rewriter else dialogues)
    told = Counter({f"left out: {reason}": number for reason, number in builder.left_out.items()})
    if feedback is not None:
        told["captions understood"] = len(feedback)
    if rewriter is not None:
        told.update({f"turns {reason}": number for reason, number in rewriter.counts.items()})
    if shards is not None:
        write_shards(shards, read_dialogues(path), data)
    return counts, told


def _each(text: str) -> int | None:
    return None if text == "all" else int(text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="a data set folder to build dialogues from")
    source.add_argument("--raw", type=Path, help="the published release (holds data/ and meta/)")
    parser.add_argument("--out", type=Path, help="folder to write; with --data by default FOLDER itself")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--each", type=_each, default=EACH, metavar="N",
                        help=f"dialogues of a task from one outfit or person at most; all: every one (default {EACH})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fashion-iq", type=Path, help="folder of Fashion IQ's captions, for people's own words")
    parser.add_argument("--rewrite-url", help=f"OpenAI-compatible endpoint that rewrites; its key is read from {KEY}")
    parser.add_argument("--rewrite-model", help="name of the model there")
    parser.add_argument("--shards", type=Path, help="also write the published layout, with pictures, to a new folder")
    parser.add_argument("--skip-bad", action="store_true", help="leave out and count what breaks a rule of the release")
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        if given.raw is not None:
            if given.out is None:
                raise DataError(Problem(None, None, "--out", None, "missing", "say where the folder is to be written"))
            counts, told = prepare_release(given.raw, given.out, given.skip_bad)
        else:
            if bool(given.rewrite_url) != bool(given.rewrite_model):
                raise DataError(Problem(None, None, "--rewrite-model", given.rewrite_model, "one without the other",
                                        "give both --rewrite-url and --rewrite-model, or none"))  # fmt: skip
            endpoint = None
            if given.rewrite_url:
                endpoint = ChatEndpoint(given.rewrite_url, given.rewrite_model, os.environ.get(KEY))
            counts, told = build(given.data, given.out, tuple(given.tasks), given.each, given.seed, given.fashion_iq,
                                 endpoint, given.shards)  # fmt: skip
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    print(counts_table(counts))
    for name, number in sorted(told.items()):
        print(f"{name}: {number:,}")
    print(f"-> {given.out or given.data} ({time.perf_counter() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
