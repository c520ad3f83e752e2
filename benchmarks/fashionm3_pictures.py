"""Do the pictures that the vision-language model draws show what was asked for?

    python benchmarks/fashionm3_pictures.py --data runs/demo/data --model runs/demo-vlm --out runs/fashionm3_pictures

A classifier of category and colour that knows nothing of the model, a small convolutional network trained on the
training pieces' own pictures, looks at held-out pieces (worn in no training outfit): at their pictures, at what comes
back of these from the picture tokenizer, and at what is drawn from their titles, each with another seed. Also asked
for: plain wishes ("green dress"), pairs of colour and category that training pieces have. Leaves OUT/pictures.png.

What it says is read by another classifier, of the words of titles: does its answer in a held-out dialogue name a piece
of the category and colour of the true one? Of the category that is mostly said in the question; of the colour, the
stylist's choice, no more than what goes together can be known, but where she asks for another colour.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import write_report  # noqa: E402
from fashionm3.dialogues import TASKS  # noqa: E402
from fashionm3.vlm import FashionVLM  # noqa: E402
from fashionm3.vlm_data import Wardrobe, read_talks, split_items  # noqa: E402
from fashionm3.vlm_pictures import drawn_side, pictures_of, psnr, tokens_of  # noqa: E402
from fcn.folder import DataFolder  # noqa: E402
from fcn.training import set_seed  # noqa: E402
from fcn.types import Item  # noqa: E402

KINDS = ("category", "color")
PLAIN = 100  # wishes of two words, drawn from the pairs


class Looker(nn.Module):
    """(B, 3, S, S) in 0..1 -> logits of category and of colour."""

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        widths, layers = (3, 32, 64, 96, 128), []
        for before, after in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Dropout(0.3))
        self.heads = nn.ModuleList(nn.Linear(4 * widths[-1], size) for size in sizes)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        seen = self.body(pixels)
        return [head(seen) for head in self.heads]


def as_tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def disturbed(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Moved, turned left to right, blurred or noisy: a drawing is none of the pictures it learns from."""
    side, (top, left) = pixels.shape[-1], rng.integers(9, size=2)
    pixels = F.pad(pixels, (4,) * 4, mode="replicate")[..., top : top + side, left : left + side]
    if rng.random() < 0.5:
        pixels = pixels.flip(3)
    if rng.random() < 0.5:
        pixels = F.avg_pool2d(F.pad(pixels, (1,) * 4, mode="replicate"), 3, 1)
    return pixels + 0.03 * torch.randn(pixels.shape)


def train_looker(pictures: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...], epochs: int, seed: int) -> Looker:
    """labels: int64 (N, 2)."""
    set_seed(seed)
    rng, looker = np.random.default_rng(seed), Looker(sizes)
    pixels, said = as_tensor(pictures), torch.from_numpy(labels)
    steps = epochs * -(-len(pixels) // 32)
    optimiser = torch.optim.AdamW(looker.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    looker.train()
    for _ in range(epochs):
        for rows in torch.from_numpy(rng.permutation(len(pixels))).split(32):
            logits = looker(disturbed(pixels[rows], rng))
            loss = sum(F.cross_entropy(one, said[rows, k]) for k, one in enumerate(logits))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return looker.eval()


@torch.inference_mode()
def seen(looker: Looker, pictures: np.ndarray) -> np.ndarray:
    """int64 (N, 2): the likeliest category and colour of each picture."""
    return torch.stack([one.argmax(1) for one in looker(as_tensor(pictures))], 1).numpy()


def shares(found: np.ndarray, asked: np.ndarray) -> dict[str, float]:
    right = found == asked
    return {"category": right[:, 0].mean(), "colour": right[:, 1].mean(), "both": right.all(1).mean()}


def sheet(rows: list[np.ndarray], zoom: int = 2) -> Image.Image:
    """Rows of pictures one above the other, `zoom` times their size."""
    whole = np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)
    return Image.fromarray(whole).resize((whole.shape[1] * zoom, whole.shape[0] * zoom), Image.Resampling.BICUBIC)


def said_right(model: FashionVLM, folder: DataFolder, split: str, train: list[Item], most: int) -> dict[str, dict]:
    """task -> shares of the first `most` dialogues of `split` whose answer names the category, the colour, both."""
    words = CountVectorizer(ngram_range=(1, 2), token_pattern=r"[\w-]+")
    counted = words.fit_transform([item.title for item in train])
    labels = [[label_of(item, kind) for item in train] for kind in KINDS]
    readers = [LogisticRegression(C=30, max_iter=500).fit(counted, one) for one in labels]
    talks, found = read_talks(folder)[split], {}
    for task in TASKS:
        right = []
        for talk in [one for one in talks if one.task == task][:most]:
            pictures = [folder.path / piece.path for piece in talk.partial_outfit if piece.path][:4]
            answer = model.describe(pictures, talk.turns[:-1])
            for old in talk.changeable_items[1:]:  # named too, as what is replaced
                answer = answer.replace(old.description, "")
            seen = words.transform([answer])
            target = folder.catalog.get(talk.target_items[-1].item_id)
            named = [reader.predict(seen)[0] == label_of(target, KINDS[k]) for k, reader in enumerate(readers)]
            right.append([*named, all(named)])
        if right:
            found[task] = dict(zip(("category", "colour", "both"), np.mean(right, 0).tolist(), strict=True))
    return found


def label_of(item: Item, kind: str) -> str:
    return item.category if kind == "category" else item.attributes.get(kind, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(ROOT / "runs" / "demo" / "data"))
    parser.add_argument("--model", default=str(ROOT / "runs" / "demo-vlm"))
    parser.add_argument("--out", default=str(ROOT / "runs" / "fashionm3_pictures"))
    parser.add_argument("--split", default="test", choices=("val", "test"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--talks", type=int, default=200, help="dialogues of each task")
    parser.add_argument("--epochs", type=int, default=40, help="of the classifier")
    arguments = parser.parse_args()
    folder, model = DataFolder.open(arguments.data), FashionVLM.from_pretrained(arguments.model)
    vq, side, wardrobe = model.model.model.vqmodel, drawn_side(model.model), Wardrobe(folder)
    rows = {split: found for split, found in split_items(folder).items() if split in ("train", arguments.split)}
    items = {split: [folder.catalog[row] for row in found] for split, found in rows.items()}
    names = [sorted({label_of(item, kind) for item in items["train"]} - {""}) for kind in KINDS]
    place = [{name: k for k, name in enumerate(one)} for one in names]
    pictures, labels = {}, {}
    for split, found in items.items():
        known = [all(label_of(item, kind) in place[k] for k, kind in enumerate(KINDS)) for item in found]
        items[split] = [item for item, is_known in zip(found, known, strict=True) if is_known]
        pictures[split] = wardrobe.of_rows(np.array(rows[split])[known], side)
        labels[split] = np.array([[place[k][label_of(i, kind)] for k, kind in enumerate(KINDS)] for i in items[split]])
    held, asked = items[arguments.split], labels[arguments.split]
    pairs = sorted({tuple(pair) for pair in labels["train"].tolist()})
    originals = pictures[arguments.split]
    back = pictures_of(vq, tokens_of(vq, originals, model.processor), model.processor)
    chance = [Counter(labels["train"][:, k].tolist()).most_common(1)[0][0] for k in range(2)]
    results: dict[str, dict[str, list[float]]] = {}

    def add(name: str, **values: float) -> None:
        for key, value in values.items():
            results.setdefault(name, {}).setdefault(key, []).append(float(value))

    for seed in arguments.seeds:
        looker = train_looker(pictures["train"], labels["train"], tuple(map(len, names)), arguments.epochs, seed)
        begun = time.perf_counter()
        drawn = model.draw_many([item.title for item in held], [1000 * seed + k for k in range(len(held))])
        each = (time.perf_counter() - begun) / len(held)
        picked = np.random.default_rng(seed).permutation(len(pairs))[:PLAIN]
        wishes = np.array([pairs[k] for k in picked])
        words = [f"{names[1][colour]} {names[0][category]}" for category, colour in wishes]
        plain = model.draw_many(words, [1000 * seed + k for k in range(len(words))])
        add("the commonest of training, always", **shares(np.tile(chance, (len(asked), 1)), asked))
        add("original pictures", **shares(seen(looker, originals), asked))
        add("through the picture tokenizer", **shares(seen(looker, back), asked), psnr=psnr(originals, back))
        add("drawn from the title", **shares(seen(looker, drawn), asked), seconds=each)
        add("drawn from colour and category", **shares(seen(looker, plain), wishes))
        if seed == arguments.seeds[0]:
            out, shown = Path(arguments.out), np.random.default_rng(0).permutation(len(held))[:48].reshape(3, -1)
            out.mkdir(parents=True, exist_ok=True)
            sheet([kind[some] for some in shown for kind in (originals, back, drawn)]).save(out / "pictures.png")
            sheet(list(plain[:48].reshape(3, 16, side, side, 3))).save(out / "plain.png")
            (out / "plain.txt").write_text("\n".join(words[:48]) + "\n", encoding="utf-8")
    words = said_right(model, folder, arguments.split, items["train"], arguments.talks)
    write_report(
        "fashionm3_pictures",
        f"python benchmarks/fashionm3_pictures.py --seeds {' '.join(map(str, arguments.seeds))}",
        {f"{folder.name}, {len(held)} pieces of {arguments.split}": results,
         f"{folder.name}, answers in {arguments.split} dialogues": {
             task: {key: [value] for key, value in row.items()} for task, row in words.items()}},
        notes=["shares of pictures in which the classifier sees the asked category and colour; a seed is another "
               "classifier and other drawings by the same model"],
    )  # fmt: skip


if __name__ == "__main__":
    main()
