"""How fast seqllm recommends, retrieves and trains, beside other ways and what the machine's arithmetic must take.

A recommender of the default size is trained for a moment on a part of the Amazon data (speed hangs on how many weights
there are, not on what they say) and then knows all events of it. Everything is measured in one run, in turns. The
recommender and the vectors of the large catalogue are kept in runs/seqllm_speed.

    python benchmarks/seqllm_speed.py
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import retrieval  # noqa: E402
from benchmarks.fcn_speed import best_of, floor_kind, floors  # noqa: E402
from benchmarks.report import collector, write_report  # noqa: E402
from benchmarks.seqllm_data import made  # noqa: E402
from benchmarks.sequential import SASRecModel, Sizes  # noqa: E402
from fcn import DataFolder, write_folder  # noqa: E402
from fcn.schema import INTERACTIONS, SCHEMAS  # noqa: E402
from seqllm.data import Collator, TrainingSet, question_prompts  # noqa: E402
from seqllm.evaluate import questions_of  # noqa: E402
from seqllm.model import fast_bfloat16  # noqa: E402
from seqllm.ranker import Question  # noqa: E402
from seqllm.recommender import Recommender  # noqa: E402
from seqllm.rerank import Reranker  # noqa: E402
from seqllm.sequences import EventLog  # noqa: E402
from seqllm.train import Options, train  # noqa: E402

PLACE = ROOT / "runs" / "seqllm_speed"
COUNTS = (10_000, 100_000, 1_000_000)
TRAINING_PEOPLE, BATCH, CALLS, WRITTEN = 1500, 512, 200, 32
TITLE_TOKENS = 24  # of a title written by the language model: about the mean of the catalogue's


def prepared(place: Path) -> Path:
    """The recommender to measure with, trained where it is not there yet on the events of some of the people."""
    out = place / "model"
    if not (out / "artifact.json").exists():
        whole = DataFolder.open(made("amazon"), images="none")
        if not (place / "data").exists():
            events = whole.interactions.filter(pc.less(whole.interactions["user"], TRAINING_PEOPLE))
            events = events.select(SCHEMAS[INTERACTIONS].names)
            write_folder(place / "data", whole.info, whole.catalog.table, None, None, events)
        train(DataFolder.open(place / "data", images="none"), out, Options(head_epochs=1, epochs=1))
    return out


def opened(path: Path) -> tuple[Recommender, EventLog, list[Question]]:
    """The recommender, reading and looking twice as a fully trained one may; the events it knows; test questions."""
    recommender, folder = Recommender.from_pretrained(path), DataFolder.open(made("amazon"), images="none")
    log = EventLog.from_folder(folder)
    recommender.learn(log, "train", "val")
    model = recommender.ranker.model
    model.sizes = dataclasses.replace(model.sizes, reads=True)
    recommender.reranker = recommender.reranker or Reranker().eval()
    questions, _, _ = questions_of(log, log.profiles, "test")
    order = np.random.default_rng(0).permutation(len(questions))
    return recommender, log, [questions[k] for k in order]


# --- one person and many --------------------------------------------------------------------------------------------


def ids_of(recommender: Recommender, questions: Sequence[Question]) -> list[list[str]]:
    ids = recommender.catalog.ids
    return [[ids[int(row)].as_py() for row in question.history] for question in questions]


def timed(call: Callable[[int], object]) -> dict[str, float]:
    for i in range(10):
        call(i)
    took = []
    for i in range(CALLS):
        start = time.perf_counter()
        call(i)
        took.append(1e3 * (time.perf_counter() - start))
    return {"p50_ms": float(np.percentile(took, 50)), "p99_ms": float(np.percentile(took, 99))}


def sasrec(recommender: Recommender, questions: Sequence[Question]) -> Callable[[list[int]], object]:
    """SASRec as deep and as wide as the language model: the ten best items of some people."""
    config = recommender.ranker.model.lm.get_base_model().config
    sizes = Sizes(config.hidden_size, config.num_hidden_layers, config.num_attention_heads, length=50)
    n = len(recommender.catalog)
    model = SASRecModel(n, sizes, torch.zeros(n)).eval()

    @torch.inference_mode()
    def answer(picked: list[int]) -> object:
        recent = [questions[k].history[-sizes.length :] + 1 for k in picked]
        sequence = torch.zeros(len(picked), max(map(len, recent)), dtype=torch.int64)
        for row, run in enumerate(recent):
            sequence[row, sequence.shape[1] - len(run) :] = torch.from_numpy(run)
        scores = model.states(sequence)[:, -1] @ model.items.weight[1:].T
        for row, run in enumerate(recent):
            scores[row, run - 1] = float("-inf")
        return scores.topk(10)

    return answer


def writer(recommender: Recommender, questions: Sequence[Question]) -> Callable[[list[int]], object]:
    """The same base writes a title with five beams from the same prompts; nothing is looked up afterwards."""
    ranker = recommender.ranker
    base = ranker.model.lm.get_base_model().eval()

    @torch.inference_mode()
    def answer(picked: list[int]) -> object:
        some = [questions[k] for k in picked]
        prompts = question_prompts(ranker.builder, [q.events for q in some], [np.zeros(0, np.int64)] * len(some))
        ids = torch.full((len(some), max(len(p.ids) for p in prompts)), ranker.pad_id)
        for row, prompt in enumerate(prompts):
            ids[row, ids.shape[1] - len(prompt.ids) :] = torch.from_numpy(prompt.ids)
        mask, words = (ids != ranker.pad_id).long(), ids.clamp(max=ranker.builder.vocab_size - 1)
        return base.generate(
            input_ids=words, attention_mask=mask, num_beams=5, do_sample=False, max_new_tokens=TITLE_TOKENS,
            min_new_tokens=TITLE_TOKENS, pad_token_id=ranker.pad_id,
        )  # fmt: skip

    return answer


def measure_people(recommender: Recommender, questions: list[Question], floor: dict) -> dict[str, dict[str, float]]:
    """People per second and one person's milliseconds of each way, end to end, and their ratios to ours."""
    histories = ids_of(recommender, questions[:BATCH])
    model, sizes = recommender.ranker.model, recommender.ranker.model.sizes
    beside, write = sasrec(recommender, questions), writer(recommender, questions)
    every, few = list(range(BATCH)), list(range(WRITTEN))

    def ours() -> object:
        return recommender.recommend(history=histories, k=10)

    found = {"dresswell": {"people_per_second": BATCH / best_of(1, ours)}}
    found["dresswell"] |= timed(lambda i: recommender.recommend(history=histories[i], k=10))
    model.sizes = dataclasses.replace(sizes, reads=False)
    found["dresswell/heads alone"] = {"people_per_second": BATCH / best_of(1, ours)}
    found["dresswell/heads alone"] |= timed(lambda i: recommender.recommend(history=histories[i], k=10))
    model.sizes = sizes
    halves = [every[at : at + 256] for at in range(0, BATCH, 256)]
    found["sasrec"] = {"people_per_second": BATCH / best_of(1, lambda: [beside(some) for some in halves])}
    found["sasrec"] |= timed(lambda i: beside([i]))
    found["writes a title, beam 5"] = {"people_per_second": WRITTEN / best_of(1, lambda: write(few))}
    took = [best_of(1, lambda k=k: write([k])) for k in range(3)]
    found["writes a title, beam 5"]["p50_ms"] = 1e3 * float(np.median(took))
    ours_row = found["dresswell"]
    for row in found.values():
        row["time_to_ours"] = ours_row["people_per_second"] / row["people_per_second"]
        row["p50_to_ours"] = row["p50_ms"] / ours_row["p50_ms"]
    flop = flops(recommender, questions[:64]) / 64
    ours_row["mflop"] = flop / 1e6
    ours_row["time_to_gemm_floor"] = floor[floor_kind(floor)] * 1e9 / flop / ours_row["people_per_second"]
    return found


def flops(recommender: Recommender, questions: list[Question]) -> float:
    """Operations of the matrix products of one pass over the questions and of scoring every item for them."""
    order = sorted(questions, key=lambda q: len(q.events))
    with FlopCounterMode(display=False) as counter:
        recommender.ranker.ask(order)
    return counter.get_total_flops() + 2.0 * len(order) * recommender.index.vectors.size


# --- training -------------------------------------------------------------------------------------------------------


def measure_training(recommender: Recommender, log: EventLog) -> dict[str, dict[str, float]]:
    """Prompt tokens a second of training: ours, and the same base with LoRA and the plain language-model loss."""
    ranker = recommender.ranker
    model, builder = ranker.model, ranker.builder
    batches = TrainingSet(log, builder)
    # The recommender learnt from a part of these events: an item is warm here if any of them chose it.
    warm = np.bincount(log.item[log.in_split("train")], minlength=len(model.titles)) > 0
    zeros = np.zeros((max(len(log.queries), 1), model.sizes.title_dim), np.float32)
    collate = Collator(log, builder, log.profiles, zeros, ranker.evidence.trend, warm, model.sizes)
    picked = np.random.default_rng(0).permutation(len(batches))[:8]
    tokens = sum(len(window.prompt.ids) for k in picked for window in batches[k])
    state = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    for name, p in model.lm.named_parameters():
        p.requires_grad_("lora_" in name)

    def steps(loss_of: Callable[[dict], torch.Tensor], weights: list) -> Callable[[], None]:
        optimiser = torch.optim.AdamW(weights, lr=1e-5, fused=True)

        def run() -> None:
            for k in picked:
                loss_of(collate([batches[k]])).backward()
                optimiser.step()
                optimiser.zero_grad()

        return run

    def plain(batch: dict) -> torch.Tensor:
        ids = batch["input_ids"].clamp(max=builder.vocab_size - 1)
        labels = ids.masked_fill(batch["attention_mask"] == 0, -100)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=fast_bfloat16(model.device)):
            return model.lm(input_ids=ids, attention_mask=batch["attention_mask"], labels=labels).loss

    model.train()
    own = steps(lambda batch: model(**batch)["loss"], [p for p in model.parameters() if p.requires_grad])
    other = steps(plain, [p for p in model.lm.parameters() if p.requires_grad])
    took = {"dresswell": best_of(2, own), "the base, plain loss": best_of(2, other)}
    model.eval()
    model.load_state_dict(state, strict=False)
    return {
        way: {"tokens_per_second": tokens / t, "time_to_ours": t / took["dresswell"]} for way, t in took.items()
    }


# --- the whole ------------------------------------------------------------------------------------------------------


def child(path: Path, count: int) -> dict[str, dict[str, float]]:
    """retrieval.measure in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--retrieval", str(path), str(count)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS, help="catalogue sizes of the retrieval part")
    parser.add_argument("--retrieval", nargs=2, metavar=("MODEL", "COUNT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.retrieval:
        recommender, _, questions = opened(Path(args.retrieval[0]))
        print(json.dumps(retrieval.measure(recommender, questions, int(args.retrieval[1]), PLACE)))
        return
    results, add = collector()
    path = prepared(PLACE)
    recommender, log, questions = opened(path)
    measured = []
    for _ in range(args.turns):
        measured.append(floors(recommender.ranker.model.device))
        add(f"people, {len(recommender.catalog):,} items", measure_people(recommender, questions, measured[-1]))
        add("training", measure_training(recommender, log))
    for count in args.counts:
        add(f"retrieval, {count:,} items", child(path, count))
    model = recommender.ranker.model
    language = sum(p.numel() for p in model.lm.parameters())
    notes = [
        f"{model.device}, {torch.get_num_threads()} threads; the language model has {language:,} weights, "
        f"{model.lm.get_base_model().config.num_hidden_layers} layers of "
        f"{model.lm.get_base_model().config.hidden_size}, as SASRec here; index vectors have "
        f"{recommender.index.vectors.shape[1]} dimensions",
        "people: ten items for the next choice of real people, ids in, items with reasons out; batches of "
        f"{BATCH}. SASRec gives row numbers. heads alone: as where validation finds that reading adds nothing.",
        f"writes a title: {TITLE_TOKENS} tokens from the same prompts; nothing is embedded or looked up afterwards.",
        "time_to_gemm_floor: to doing the matrix products of one pass and of scoring every item at the measured rate "
        "of large ones.",
        "training: forward, backward and step on the same batches, preparing them included.",
        f"retrieval: {retrieval.ASKED} people's queries, other {retrieval.SAMPLES} chose the depth; _200: 200 results, "
        "_filtered: ten of the 30% that a filter allows; lists 1: approximate (inverted lists), 0: every item scored.",
    ]
    floor = {key: [round(one[key], 1) for one in measured] for key in measured[0]} if measured else {}
    write_report("seqllm_speed", "python benchmarks/seqllm_speed.py", results, floor, notes)


if __name__ == "__main__":
    main()
