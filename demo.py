"""The main job, end to end, on the built-in sample: data -> FCN -> sequential recommender -> a report to look at.

    python demo.py --out runs/demo            # the whole of it; about ten minutes on 2 cores, no download
    python demo.py --out runs/demo            # again, after a stop: finished stages are kept, a training resumes
    python demo.py --out runs/small --items 300 --outfits 600 --people 200 --events 2000 --epochs 2

Leaves OUT/{data,fcn,seqllm,metrics.json,report.html}. What only the demo needs stands in reports/ (not installed).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from fcn import DataFolder, OutfitScorer
from fcn import train as fcn_train
from fcn.errors import DresswellError
from reports.measure import measure, print_table
from reports.page import write_page
from reports.sample import make_sample
from reports.stages import Stages
from seqllm import Recommender
from seqllm import train as llm_train

SIZES = {"items": 1200, "outfits": 3000, "people": 2000, "events": 20_000}


def demo(
    out: Path, seed: int, sizes: dict[str, int], epochs: int | None, image_encoder: str | None, restart: bool
) -> None:
    """Run what is not finished yet. Raises DresswellError or, for sizes that do not go together, ValueError."""
    data, fcn, seqllm = out / "data", out / "fcn", out / "seqllm"
    stages = Stages(out, restart)
    stages.run("data", f"make the sample in {data}", {"seed": seed, **sizes}, lambda: DataFolder.open(data),
               lambda: make_sample(data, seed, sizes))  # fmt: skip
    folder = DataFolder.open(data)
    few = {} if epochs is None else {"epochs": epochs}
    key = {"data": folder.fingerprint, "seed": seed, **few}

    options = fcn_train.TrainOptions(data, fcn, image_encoder=image_encoder, seed=seed, restart=restart, **few)
    stages.run("fcn", "train the Fashion Cognitive Network: whom does an outfit suit, does it hang together?",
               key | {"image_encoder": image_encoder}, lambda: OutfitScorer.from_pretrained(fcn),
               lambda: fcn_train.train(options))  # fmt: skip

    llm_options = llm_train.Options(seed=seed, head_epochs=epochs, **few)
    key |= {"fcn": llm_train.fcn_fingerprint(fcn), **dataclasses.asdict(llm_options)}
    stages.run("seqllm", "train the sequential recommender: what should she be shown next?", key,
               lambda: Recommender.from_pretrained(seqllm),
               lambda: llm_train.train(folder, seqllm, llm_options, fcn, restart))  # fmt: skip

    metrics = stages.report(lambda: measure(folder, fcn, seqllm, seed), out / "metrics.json",
                            lambda metrics: write_page(out / "report.html", folder, fcn, seqllm, metrics))  # fmt: skip
    print_table(metrics)
    print(f"\n{out / 'metrics.json'}\n{out / 'report.html'}   <- open it in a browser")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder to fill (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, help="of the sample (default %(default)s)")
    parser.add_argument("--epochs", type=int, help="at most, of both trainings (default: each its own)")
    parser.add_argument("--image-encoder", help="timm model, name or path (default: built in)")
    parser.add_argument("--restart", action="store_true", help="do everything again")
    given = parser.parse_args()
    sizes = {name: getattr(given, name) for name in SIZES}
    try:
        demo(given.out, given.seed, sizes, given.epochs, given.image_encoder, given.restart)
    except (DresswellError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
