"""Train the Fashion Cognitive Network: which people an outfit suits, and whether it hangs together.

    python datasets/sample/prepare.py --out runs/sample   # a data set folder (this one is made, no download)
    python train_fcn.py --data runs/sample --out runs/fcn # a few minutes on 2 cores; interrupted? run it again
    python train_fcn.py --data DIR --out runs/fcn --text-encoder sentence-transformers/all-MiniLM-L6-v2 \
        --image-encoder resnet50                          # with pretrained weights, by hub id or local path

OUT then holds the model (fcn.OutfitScorer.from_pretrained), metrics.json, history.json, and drawings:
curves.png, label_graph.png and reliability.png.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fcn.coherence import HEADS as COHERENCE
from fcn.errors import DresswellError
from fcn.label_heads import HEADS, LOSSES
from fcn.train import TrainOptions, train
from fcn.training import only_first_speaks


def parse() -> TrainOptions:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set folder (see datasets/)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model; a finished one is replaced")
    parser.add_argument("--text-encoder", help="sentence-transformers or CLIP-like model, by id or path")
    parser.add_argument("--image-encoder", help="timm or CLIP-like model, by name, id or path")
    parser.add_argument("--head", choices=HEADS, default=TrainOptions.head, help="label head (default %(default)s)")
    parser.add_argument("--loss", choices=LOSSES, default=TrainOptions.loss, help="label loss (default %(default)s)")
    parser.add_argument(
        "--coherence", choices=COHERENCE, default=TrainOptions.coherence, help="coherence head (default %(default)s)"
    )
    parser.add_argument("--tau", type=float, default=TrainOptions.tau, help="label graph threshold on P(j|i)")
    parser.add_argument("--p", type=float, default=TrainOptions.p, help="label graph weight of neighbours")
    parser.add_argument(
        "--wiring",
        choices=("joint", "group"),
        default=TrainOptions.wiring,
        help="link labels of all groups, or within a group only",
    )
    parser.add_argument("--epochs", type=int, default=TrainOptions.epochs, help="at most (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=TrainOptions.batch_size)
    parser.add_argument("--lr", type=float, default=TrainOptions.lr)
    parser.add_argument("--seed", type=int, default=TrainOptions.seed)
    parser.add_argument("--restart", action="store_true", help="forget an interrupted run instead of resuming it")
    parser.add_argument("--skip-bad", action="store_true", help="drop and count bad rows instead of stopping")
    return TrainOptions(**vars(parser.parse_args()))


def main() -> int:
    options = parse()
    only_first_speaks()
    try:
        report = train(options)
    except DresswellError as error:
        print(error, file=sys.stderr)
        return 2
    names = ("map", "cf1", "of1", "of1_top3", "coherence_auc", "fitb", "ece")
    print(f"\n{'':12}" + "".join(f"{name:>15}" for name in names))
    for title, row in (
        ("validation", report["val"]),
        ("test", report["test"]),
        ("prior (test)", report["prior"].get("test")),
    ):
        if row:
            print(
                f"{title:12}"
                + "".join(f"{'-' if row.get(name) is None else format(row[name], '.3f'):>15}" for name in names)
            )
    if report["made"]:
        print("the data are made, not real: these figures say nothing about real outfits")
    for split, labels in report["absent_labels"].items():
        if labels:
            print(f"no outfit of {split} carries (left out of the figures): {', '.join(labels)}")
    print(f"{report['seconds']['total']:.0f} s; written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
