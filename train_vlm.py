"""Train the unified vision-language model on a data set folder.

    python train_vlm.py --data runs/demo/data --out runs/demo-vlm
    python train_vlm.py --data data/fashionrec --out runs/fashionrec-vlm --examples 20000
    python train_vlm.py --data data/fashionrec --out runs/janus --base deepseek-community/Janus-Pro-1B     # on a GPU
    torchrun --nproc_per_node 2 train_vlm.py --data data/fashionrec --out runs/janus --base ../Janus-Pro-1B

The same command resumes a run that was stopped; --restart begins anew. Leaves OUT/ for fashionm3.vlm.FashionVLM, with
OUT/history.json. Dialogues are the folder's dialogues.jsonl (datasets/fashionrec/prepare.py), or made from its outfits.
"""

from __future__ import annotations

import argparse
import sys

from fashionm3.vlm_training import Options, train
from fcn import DataFolder
from fcn.errors import DresswellError
from fcn.options import add_options, options_of
from fcn.training import only_first_speaks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="data set folder (see datasets/README.md)")
    parser.add_argument("--out", required=True, help="folder for the trained model")
    parser.add_argument("--skip-bad", action="store_true", help="drop rows with faults instead of stopping")
    parser.add_argument("--restart", action="store_true", help="do not resume an unfinished run")
    add_options(parser, Options)
    arguments = vars(parser.parse_args())
    options = options_of(arguments, Options)
    only_first_speaks()
    try:
        folder = DataFolder.open(arguments["data"], skip_bad=arguments["skip_bad"])
        train(folder, arguments["out"], options, arguments["restart"])
    except DresswellError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"wrote {arguments['out']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
