"""Use a trained Fashion Cognitive Network from the command line.

    python -m fcn score     --model runs/fcn i00012 i00400 shoes.png --profile body_figure=triangle,height=low
    python -m fcn score     --model runs/fcn --data DIR --profile height=low --out scores.parquet   # all its outfits
    python -m fcn explain   --model runs/fcn i00012 i00400 i00077 --max-price 60 --out card.png
    python -m fcn complete  --model runs/fcn i00012 i00400 --slot shoes --profile height=low --max-price 60
    python -m fcn embed     --model runs/fcn --data DIR --out outfits.npy
    python -m fcn check     DIR                               # names every problem of a data set folder
    python -m fcn integrity DIR                               # items, outfits and pictures in two splits
    python -m fcn split     DIR --by component --out COLD     # the same data, split so that there are none

Pieces are item ids or picture files. --json writes JSON to stdout. Errors: one line to stderr, exit code 2.
`integrity` exits with 0 when nothing is in two splits, with 1 when something is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from fcn.errors import DataError, DresswellError, Problem


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m fcn", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True)
    for name, text in (
        ("score", "how well an outfit hangs together and suits a person"),
        ("explain", "why: labels, items, and the best swaps"),
    ):
        command = commands.add_parser(name, help=text)
        some = "+" if name == "explain" else "*"
        command.add_argument("pieces", nargs=some, metavar="PIECE", help="item id or picture file")
        command.add_argument("--profile", default="", help="group=value,group=value ...")
        command.add_argument("--json", action="store_true", help="JSON instead of a table")
        common(command)
        if name == "score":
            command.add_argument("--out", type=Path, help="instead of pieces: .parquet file for all outfits of --data")
        else:
            command.add_argument("--item", help="the piece to swap (default: the one that spoils most)")
            command.add_argument("--swaps", type=int, default=3, help="how many swaps (default %(default)s)")
            command.add_argument("--max-price", type=float, help="of a swap")
            command.add_argument("--out", type=Path, help="also draw a card, as .png, .pdf or .svg")
    complete = commands.add_parser("complete", help="the items of the catalogue that finish an outfit best")
    complete.add_argument("pieces", nargs="+", metavar="PIECE", help="item id or picture file")
    complete.add_argument("--slot", action="append", help="which slot to fill (may come again; default: all missing)")
    complete.add_argument("--profile", default="", help="group=value,group=value ...")
    complete.add_argument("-k", type=int, default=5, help="how many items of each slot (default %(default)s)")
    complete.add_argument("--category", action="append", help="only items of this category (may come again)")
    complete.add_argument("--max-price", type=float, help="only items at most this dear")
    complete.add_argument("--sold-out", action="store_true", help="also items that are not in stock")
    complete.add_argument("--json", action="store_true", help="JSON instead of a table")
    common(complete)
    embed = commands.add_parser("embed", help="embeddings of the pieces as one outfit, or of all outfits of --data")
    embed.add_argument("pieces", nargs="*", metavar="PIECE", help="item id or picture file")
    embed.add_argument("--out", type=Path, required=True, help=".npy file, float32 (outfits, D)")
    common(embed)
    check = commands.add_parser("check", help="validate a data set folder")
    check.add_argument("data", type=Path)
    check.add_argument("--skip-bad", action="store_true", help="count what would be dropped")
    integrity = commands.add_parser("integrity", help="what the splits of a data set folder have in common")
    integrity.add_argument("data", type=Path)
    integrity.add_argument("--json", action="store_true", help="JSON instead of a table")
    split = commands.add_parser("split", help="write a data set folder again with another split of its outfits")
    split.add_argument("data", type=Path)
    split.add_argument("--by", choices=("component",), required=True, help="what is never torn apart")
    split.add_argument("--out", type=Path, required=True, help="the new folder; a data set folder there is replaced")
    split.add_argument("--val-share", type=float, default=0.1, help="of all outfits (default %(default)s)")
    split.add_argument("--test-share", type=float, default=0.1, help="of all outfits (default %(default)s)")
    split.add_argument("--seed", type=int, default=0, help="orders components of one size (default %(default)s)")
    split.add_argument("--join-pictures", action="store_true", help="keep items of equal pictures together too")
    split.add_argument("--json", action="store_true", help="JSON instead of text")
    return root


def common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, required=True, help="folder written by train_fcn.py")
    command.add_argument("--data", type=Path, help="data set folder whose catalogue to use instead of the model's")


def load(arguments: argparse.Namespace):
    from fcn.scorer import OutfitScorer

    scorer = OutfitScorer.from_pretrained(arguments.model)
    return scorer.use(arguments.data) if arguments.data else scorer


def score(arguments: argparse.Namespace) -> None:
    if arguments.out is not None or not arguments.pieces:
        score_all(arguments)
        return
    result = load(arguments).score(arguments.pieces, arguments.profile)
    if arguments.json:
        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
        return
    print(
        f"score      {result.score:.3f}\ncoherence  {result.coherence:.3f}\npersonal   {result.personal:.3f}"
        f"   (.5 is the average outfit)\n{'sure' if result.sure else 'UNSURE':10} {result.familiarity:.3f}"
        "   of known outfits are at least as strange to the model"
    )
    for name, found in zip(result.items, result.slots, strict=True):
        if found.source == "predicted":
            print(f"  {name}: taken for {found.slot}, p {found.probability:.2f}")
    for one in result.evidence:
        print(
            f"  {one.label:34} {'for' if one.effect > 0 else 'against':8} {one.effect:+.2f}  "
            f"p {one.probability:.2f}, on average {one.base_rate:.2f}"
        )
    for label, reason in result.silent.items():
        print(f"  {label:34} says nothing: {reason}")
    print("labels, most likely first")
    for label, p in sorted(result.labels.items(), key=lambda pair: -pair[1])[:8]:
        print(f"  {label:34} {p:.2f}")


def score_all(arguments: argparse.Namespace) -> None:
    from fcn.bulk import write_scores
    from fcn.folder import DataFolder
    from fcn.scorer import OutfitScorer

    if arguments.pieces or arguments.out is None or arguments.data is None:
        remedy = "name pieces; or give --data and --out to score all outfits of a folder"
        raise DataError(Problem(None, None, "pieces", None, "neither one outfit nor a folder's", remedy))
    folder = DataFolder.open(arguments.data)
    scorer = OutfitScorer.from_pretrained(arguments.model).use(folder)
    count = write_scores(scorer, folder, arguments.profile, arguments.out)
    print(f"{count} outfits scored, written to {arguments.out}")


def explain(arguments: argparse.Namespace) -> None:
    result = load(arguments).score(arguments.pieces, arguments.profile)
    explanation = result.explain(arguments.swaps, arguments.max_price, arguments.item)
    if arguments.out is not None:
        from fcn.card import draw_card

        draw_card(result, explanation, arguments.out)
    print(json.dumps(explanation.to_json(), indent=2, ensure_ascii=False) if arguments.json else explanation)


def complete(arguments: argparse.Namespace) -> None:
    filters = {"category": arguments.category, "max_price": arguments.max_price}
    if arguments.sold_out:
        filters["in_stock"] = None
    scorer = load(arguments)
    found = scorer.complete(arguments.pieces, arguments.slot, arguments.profile, arguments.k, filters)
    if arguments.json:
        answer = {slot: [one.to_json() for one in items] for slot, items in found.items()}
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for slot, items in found.items():
        print(slot if items else f"{slot}: no item passes the filters")
        for one in items:
            price = "" if one.item.price is None else f", {one.item.price:.2f}"
            scores = f"{one.score:.2f} = {one.coherence:.2f} x {one.personal:.2f}"
            print(f"  {scores}  {one.item.item_id} {one.item.title}{price}")


def embed(arguments: argparse.Namespace) -> None:
    import numpy as np

    if arguments.pieces:
        outfits = [arguments.pieces]
    elif arguments.data is not None:
        from fcn.folder import DataFolder

        outfits = [outfit.item_ids for outfit in DataFolder.open(arguments.data).outfit_list() if outfit.item_ids]
    else:
        remedy = "name pieces, or a data set folder with --data"
        raise DataError(Problem(None, None, "pieces", None, "nothing to embed", remedy))
    vectors = load(arguments).embed(outfits)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = arguments.out.with_name(f".{arguments.out.name}.{os.getpid()}.npy")
    np.save(temporary, vectors)
    os.replace(temporary, arguments.out)
    print(f"{vectors.shape[0]} x {vectors.shape[1]} written to {arguments.out}")


def check(arguments: argparse.Namespace) -> None:
    from fcn.folder import DataFolder

    folder = DataFolder.open(arguments.data, skip_bad=arguments.skip_bad, images="full")
    print(folder)
    for file, count in folder.dropped.items():
        if count:
            print(f"{file}: {count} rows would be dropped")
    for problem in folder.problems[:50]:
        print(problem)
    if not folder.problems:
        print("no problems")


def integrity(arguments: argparse.Namespace) -> int:
    from fcn.folder import DataFolder
    from fcn.integrity import check_integrity

    report = check_integrity(DataFolder.open(arguments.data))
    print(json.dumps(report.to_json(), indent=2, ensure_ascii=False) if arguments.json else report)
    return 0 if report.clean else 1


def split(arguments: argparse.Namespace) -> None:
    from fcn.resplit import component_resplit

    a = arguments
    result = component_resplit(a.data, a.out, a.val_share, a.test_share, a.seed, a.join_pictures)
    print(json.dumps(result.to_json(), indent=2, ensure_ascii=False) if arguments.json else result)


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        commands = {"score": score, "explain": explain, "complete": complete, "embed": embed, "check": check,
                    "integrity": integrity, "split": split}  # fmt: skip
        return commands[arguments.command](arguments) or 0
    except DresswellError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
