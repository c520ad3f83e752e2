"""Train the sequential recommender on a data set folder.

    python train_llm.py --data runs/demo/data --fcn runs/demo/fcn --out runs/demo/seqllm
    python train_llm.py --data data/rtr --out runs/rtr
    python train_llm.py --data data/amazon --out runs/amazon --title-encoder sentence-transformers/all-MiniLM-L6-v2
    python train_llm.py --data data/amazon --out runs/qwen --base Qwen/Qwen2.5-0.5B --epochs 2      # on a GPU
    torchrun --nproc_per_node 2 train_llm.py --data data/amazon --out runs/amazon

The same command resumes a run that was stopped; --restart begins anew. Leaves OUT/ for seqllm.Recommender, with
OUT/evaluation.json (test split, full ranking, opponents beside it) and OUT/history.json.
"""

from __future__ import annotations

import argparse
import sys

from fcn import DataFolder
from fcn.errors import DresswellError
from fcn.options import add_options, options_of
from fcn.training import only_first_speaks
from seqllm.train import Options, train


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data set folder (see datasets/README.md)")
    parser.add_argument("--out", required=True, help="folder for the trained recommender")
    parser.add_argument("--fcn", help="trained FCN: missing profile groups are inferred from what people chose")
    parser.add_argument("--skip-bad", action="store_true", help="drop rows with faults instead of stopping")
    parser.add_argument("--restart", action="store_true", help="do not resume an unfinished run")
    add_options(parser, Options)
    arguments = vars(parser.parse_args())
    options = options_of(arguments, Options)
    only_first_speaks()
    try:
        folder = DataFolder.open(arguments["data"], skip_bad=arguments["skip_bad"], images="none")
        recommender = train(folder, arguments["out"], options, arguments["fcn"], arguments["restart"])
    except DresswellError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"wrote {arguments['out']} ({len(recommender.catalog):,} items)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
