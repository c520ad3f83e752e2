"""Use a trained recommender from the command line.

    python -m seqllm recommend --model runs/demo/seqllm --history i00012 i00400 --profile body_figure=triangle \\
        --query "red summer dress" --occasion wedding -k 10 --category dress --max-price 80 --in-stock
    python -m seqllm evaluate  --model runs/demo/seqllm --data runs/demo/data --split test --dump-ranks ranks.parquet
    python -m seqllm index     --model runs/demo/seqllm --data runs/demo/data
    python -m seqllm batch     --model runs/demo/seqllm --data runs/demo/data --out recs.parquet -k 10 --in-stock

recommend: history is oldest first; only its newest events that fit the model's context reach the language model.
evaluate: writes MODEL/evaluation.json (MODEL/evaluation-val.json for --split val).
index: brings the model up to date with a data set folder, without training: its items, prices and stock, what sells.
batch: what to show next to every person of a folder; a run that was stopped goes on with the same command.
--json writes JSON to stdout. Errors: one line to stderr, exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

from fcn.errors import DresswellError
from fcn.types import one_line

REPORTS = ("evaluation.json", "evaluation-val.json", "history.json")


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m seqllm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True)

    command = commands.add_parser("recommend", help="what to show a person next")
    command.add_argument("--model", type=Path, required=True, help="folder written by train_llm.py")
    command.add_argument("--history", nargs="*", default=[], metavar="ID", help="items she chose, oldest first")
    command.add_argument("--profile", default="", help="group=value,group=value ...")
    command.add_argument("--query", help="her words")
    command.add_argument("--occasion", help="what it is for")
    add_choice(command)
    command.add_argument("--lam", type=float, help="mix-up: 1 titles only, 0 ID side only (default: as tuned)")
    command.add_argument("--decode", action="store_true",
                         help="write the next title, show what is like it (after train_llm.py --decode)")  # fmt: skip
    command.add_argument("--json", action="store_true", help="JSON instead of a table")

    command = commands.add_parser("evaluate", help="full-ranking metrics on one split, with the opponents beside it")
    command.add_argument("--model", type=Path, required=True, help="folder written by train_llm.py")
    command.add_argument("--data", type=Path, required=True, help="data set folder it was trained on")
    command.add_argument("--split", choices=("val", "test"), default="test", help="default %(default)s")
    command.add_argument("--dump-ranks", type=Path, metavar="FILE", help="Parquet: user_id, item_id, rank (0 = first)")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the report here, too")
    command.add_argument("--skip-bad", action="store_true", help="drop rows with faults instead of stopping")
    command.add_argument("--json", action="store_true", help="JSON instead of a table")

    command = commands.add_parser("index", help="bring the model up to date with a data set folder, without training")
    command.add_argument("--model", type=Path, required=True, help="folder written by train_llm.py")
    command.add_argument("--data", type=Path, required=True, help="data set folder of today")
    command.add_argument("--out", type=Path, metavar="DIR", help="write here instead of over --model")
    command.add_argument("--skip-bad", action="store_true", help="drop rows with faults instead of stopping")

    command = commands.add_parser("batch", help="what to show next to every person of a data set folder, as Parquet")
    command.add_argument("--model", type=Path, required=True, help="folder written by train_llm.py")
    command.add_argument("--data", type=Path, required=True, help="data set folder with the people and their events")
    command.add_argument("--out", type=Path, required=True, metavar="FILE",
                         help="Parquet: user_id, rank (1 = best), item_id, score, reasons")  # fmt: skip
    add_choice(command)
    command.add_argument("--restart", action="store_true", help="throw away what an unfinished run has done")
    command.add_argument("--skip-bad", action="store_true", help="drop rows with faults instead of stopping")
    return root


def add_choice(command: argparse.ArgumentParser) -> None:
    """How many items, which ones may be shown, and how alike they may be."""
    command.add_argument("-k", type=int, default=10, help="how many items (default %(default)s)")
    command.add_argument("--category", nargs="+", help="only of these")
    command.add_argument("--slot", nargs="+", help="only of these")
    command.add_argument("--min-price", type=float)
    command.add_argument("--max-price", type=float, help="items of unknown price are left out")
    command.add_argument("--in-stock", action="store_true", default=None, help="only what can be had")
    command.add_argument("--diversity", type=float, default=0.0, help="0 by score alone, towards 1 no look-alikes")


def filters_of(arguments: argparse.Namespace) -> dict:
    names = ("category", "slot", "min_price", "max_price", "in_stock")
    return {name: getattr(arguments, name) for name in names}


def load(path: Path):
    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")  # theirs to mend, not hers
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    from seqllm.recommender import Recommender

    return Recommender.from_pretrained(path)


def open_folder(arguments: argparse.Namespace):
    from fcn.folder import DataFolder

    return DataFolder.open(arguments.data, skip_bad=arguments.skip_bad, images="none")


def recommend(arguments: argparse.Namespace) -> None:
    asked = (arguments.history, arguments.profile, arguments.query, arguments.occasion)
    shown = {"k": arguments.k, "filters": filters_of(arguments)}
    if arguments.decode:
        from seqllm.decoding import recommend_by_writing

        if arguments.diversity or arguments.lam is not None:
            raise DresswellError("--decode ranks by titles alone; leave --lam and --diversity out")
        hits = recommend_by_writing(load(arguments.model), *asked, **shown)
    else:
        hits = load(arguments.model).recommend(*asked, **shown, diversity=arguments.diversity, lam=arguments.lam)
    if arguments.json:
        print(json.dumps([hit.to_json() for hit in hits], indent=2, ensure_ascii=False))
        return
    if not hits:
        print("no item passes the filters")
    for rank, hit in enumerate(hits, start=1):
        title = one_line(hit.item.title)  # a terminal obeys control characters
        title = title if len(title) <= 48 else title[:47] + "…"
        price = "" if hit.item.price is None else f"{hit.item.price:.2f}"
        print(f"{rank:3}  {hit.item.item_id:12} {title:48} {price:>8} {hit.score:8.3f}  {'; '.join(hit.reasons)}")


def evaluate(arguments: argparse.Namespace) -> None:
    from fcn.artifacts import write_json
    from seqllm.evaluate import evaluate as measure

    folder, recommender = open_folder(arguments), load(arguments.model)
    report = measure(recommender, folder, arguments.split, arguments.dump_ranks)
    name = "evaluation.json" if arguments.split == "test" else f"evaluation-{arguments.split}.json"
    place = arguments.model / name
    if place.exists():
        before = json.loads(place.read_text(encoding="utf-8"))
        report |= {name: before[name] for name in ("training",) if name in before}
    for path in (place, arguments.out):
        if path is not None:
            write_json(path, report)
    print(json.dumps(report, indent=2, ensure_ascii=False) if arguments.json else table(report))


def table(report: dict) -> str:
    """The report's main figures, one method a line."""
    columns = ("recall@10", "ndcg@10", "mrr", "cold_recall@10")
    lines = [
        "{split}: {events:,} choices of {people:,} people among {items:,} items".format(**report),
        f"{'':18}" + "".join(f"{name:>16}" for name in columns),
    ]
    methods = {"dresswell": report}
    methods |= {f"  tokens {name}": values for name, values in report.get("profile_tokens", {}).items()}
    methods |= {name: values for name, values in report.items() if isinstance(values, dict) and "options" in values}
    for name, values in methods.items():
        shown = [values.get(column) for column in columns]
        lines.append(f"{name:18}" + "".join(f"{'-' if v is None else format(v, '.4f'):>16}" for v in shown))
    return "\n".join(lines)


def index(arguments: argparse.Namespace) -> None:
    folder, recommender = open_folder(arguments), load(arguments.model)
    counts = recommender.refresh(folder)
    reports = {path.name: path.read_bytes() for path in arguments.model.glob("*.json") if path.name in REPORTS}
    out = recommender.save_pretrained(arguments.out or arguments.model)
    for name, content in reports.items():  # what training measured is still told
        (out / name).write_bytes(content)
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()) + f"; wrote {out}")


def batch(arguments: argparse.Namespace) -> None:
    from seqllm.batch import write_recommendations

    folder, recommender = open_folder(arguments), load(arguments.model)
    try:
        done = write_recommendations(
            recommender, folder, arguments.out, arguments.k, filters_of(arguments), diversity=arguments.diversity,
            restart=arguments.restart,
        )  # fmt: skip
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
    unknown = f" (nothing is known of {done.unknown:,}: shown what anybody would be)" if done.unknown else ""
    print(f"{done.people:,} people{unknown}, {done.rows:,} rows; wrote {arguments.out}")


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        {"recommend": recommend, "evaluate": evaluate, "index": index, "batch": batch}[arguments.command](arguments)
    except DresswellError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
