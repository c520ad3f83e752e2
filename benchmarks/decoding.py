"""Writing the next title, against ranking by the model's state, on the sample: python benchmarks/decoding.py

Three trainings on the same title space and base: as usual; taught to write; taught to write with replay of the hardest
prompts. From them, on the test choices of a small sample, ranked over the whole catalogue by cosine in title space
alone (no ID side, no second look), so that rows differ in nothing but where the direction comes from:

    dresswell/state                  the state at [REC], trained as usual;  -taught: of the model taught to write
    dresswell/decoding               five titles written under the grammar, embedded, averaged by likelihood
    dresswell/decoding-catalogue     the same, only titles of the catalogue
    dresswell/decoding-free          the same without a grammar
    dresswell/decoding-replay        the grammar after replay;  -replay-free: without a grammar after replay

malformed is the share of questions whose likeliest title leaves the format (TitleDecoder.fault), malformed_any that of
all titles written. people_per_core_second counts processor time, from questions to scores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.adapters import script  # noqa: E402
from benchmarks.report import write_report  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402
from seqllm import Recommender  # noqa: E402
from seqllm.decoding import Draft, TitleDecoder  # noqa: E402
from seqllm.evaluate import KNOWN, questions_of  # noqa: E402
from seqllm.metrics import rank_of_target, ranking_metrics  # noqa: E402
from seqllm.ranker import Question  # noqa: E402
from seqllm.sequences import EventLog  # noqa: E402
from seqllm.train import Options, train  # noqa: E402

PLACE = ROOT / "runs" / "decoding"
SIZES = {"items": 400, "outfits": 300, "people": 600, "events": 5000}
TAUGHT = {"plain": {}, "taught": {"decode": True}, "replay": {"decode": True, "replay": 0.2}}
WAYS = {  # row -> training, grammar (None: the state)
    "state": ("plain", None),
    "state-taught": ("taught", None),
    "decoding": ("taught", "titles"),
    "decoding-catalogue": ("taught", "catalogue"),
    "decoding-free": ("taught", "none"),
    "decoding-replay": ("replay", "titles"),
    "decoding-replay-free": ("replay", "none"),
}


def trained(folder: DataFolder, seed: int) -> dict[str, Recommender]:
    """The finished run of each training, or a new one; all have the title space and the base of the plain one."""
    found: dict[str, Recommender] = {}
    plain = PLACE / f"plain-{seed}"
    for name, changes in TAUGHT.items():
        place, options = PLACE / f"{name}-{seed}", Options(seed=seed)
        if found:
            shared = {"title_encoder": str(plain / "titles"), "base": str(plain / "base"), "lr": 1e-3}
            options = Options(seed=seed, **shared, **changes)
        if (place / "evaluation.json").exists():
            found[name] = Recommender.from_pretrained(place)
            if found[name].data_fingerprint == folder.fingerprint:
                continue
        found[name] = train(folder, place, options)
    return found


def by_state(recommender: Recommender, questions: Sequence[Question]) -> tuple[torch.Tensor, list[list[Draft]]]:
    return recommender.ranker.ask(questions).title, []


def by_writing(grammar: str) -> Callable[[Recommender, Sequence[Question]], tuple[torch.Tensor, list[list[Draft]]]]:
    def directions(recommender: Recommender, questions: Sequence[Question]) -> tuple[torch.Tensor, list[list[Draft]]]:
        decoder = TitleDecoder(recommender.ranker, grammar)
        drafts = decoder.write(questions)
        return decoder.directions(drafts), drafts

    return directions


def measured(recommender: Recommender, folder: DataFolder, grammar: str | None) -> dict[str, float]:
    """Metrics of one row on the test choices."""
    log = EventLog.from_folder(folder)
    questions, targets, _ = questions_of(log, log.profiles, "test")
    ways = by_state if grammar is None else by_writing(grammar)
    ranks, drafts, spent = np.zeros(len(questions), np.int64), [], 0.0
    with recommender.knowing(log, *KNOWN["test"]), torch.no_grad():
        for rows in recommender.ranker.batches(questions):
            asked = [questions[k] for k in rows]
            started = time.process_time()
            directions, written = ways(recommender, asked)
            scores = directions @ recommender.ranker.model.titles.T
            spent += time.process_time() - started
            ranks[rows] = rank_of_target(scores, targets[rows], [q.history for q in asked])
            drafts += written
    found = {name: value for name, value in ranking_metrics(ranks, ks=(10,)).items() if name != "mrr"}
    if drafts:
        found["malformed"] = float(np.mean([person[0].fault is not None for person in drafts if person]))
        found["malformed_any"] = float(np.mean([draft.fault is not None for person in drafts for draft in person]))
    return found | {"people_per_core_second": len(questions) / spent}


def run(seeds: Sequence[int]) -> tuple[dict, list[str]]:
    """results: data set -> method -> metric -> one value a seed; and notes."""
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        data = PLACE / f"data-{seed}"
        if not data.exists():
            unfinished = data.with_name(f".{data.name}.unfinished")
            script("sample").prepare(unfinished, seed=seed, **SIZES)
            unfinished.rename(data)
        folder = DataFolder.open(data, images="none")
        recommenders = trained(folder, seed)
        for name, (training, grammar) in WAYS.items():
            found = measured(recommenders[training], folder, grammar)
            for metric, value in found.items():
                rows.setdefault(f"dresswell/{name}", {}).setdefault(metric, []).append(value)
            shown = ", ".join(f"{metric} {value:.4g}" for metric, value in found.items())
            print(f"seed {seed}  {name}  {shown}", flush=True)
    sizes = ", ".join(f"{count:,} {name}" for name, count in SIZES.items())
    notes = [
        f"sample, decoding: made for each seed anew with {sizes}; title space alone, five beams",
        f"sample, decoding: replay of {TAUGHT['replay']['replay']:.0%} of the prompts in each epoch",
    ]
    return {"sample": rows}, notes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    results, notes = run(parser.parse_args().seeds)
    write_report("seqllm_decoding", "python benchmarks/decoding.py", results, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
