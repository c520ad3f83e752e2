"""A small model of the assistant's class, made from scratch, that learns from talks which tool is to answer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence

import torch

from fashionm3.calls import calls_of
from fashionm3.dialogues import Dialogue
from fashionm3.orders import order
from fashionm3.vlm import FashionVLM
from fashionm3.vlm_base import new_base
from fashionm3.vlm_data import Collator, Example, call_example
from fashionm3.vlm_training import UnifiedLoss
from fcn.training import fit
from fcn.types import Item

EPOCHS, EXAMPLES, NOTED, DROPPED = 10, 1500, 0.7, 0.1  # NOTED: share of talks, the rest made; DROPPED: words left out
MAX_TOKENS = 128


class Noted(torch.utils.data.Dataset):
    """Turns of talks with their noted calls, and made messages, drawn at random; some words are left out."""

    def __init__(self, vlm: FashionVLM, noted: Sequence[tuple[str, str]], items: Sequence[Item]):
        self.vlm, self.noted, self.items = vlm, noted, items

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, _: int) -> Example:
        rng = random.Random(int(torch.randint(2**62, ())))
        told, call = rng.choice(self.noted) if rng.random() < NOTED else order(rng, self.items)
        first, *words = told.split(" ")
        told = " ".join([first, *(word for word in words if rng.random() >= DROPPED)])
        return call_example(self.vlm.chat, told, call)


def trained(talks: Sequence[Dialogue], items: Sequence[Item], seed: int = 0) -> FashionVLM:
    """The model after EPOCHS of EXAMPLES of the talks' turns."""
    noted, rng = [one for talk in talks for one in calls_of(talk)], random.Random(seed)
    processor, model = new_base([told for told, _ in noted] + [order(rng, items)[0] for _ in range(3000)], seed)
    vlm, epochs = FashionVLM(processor, model, MAX_TOKENS), iter(range(EPOCHS))
    with tempfile.TemporaryDirectory() as out:
        fit(
            UnifiedLoss(model.requires_grad_(True)), Noted(vlm, noted, items), lambda _: {"epoch": float(next(epochs))},
            out=out, collate=Collator(vlm.chat), epochs=EPOCHS, batch_size=32, lr=2e-3, metric="epoch",
            patience=EPOCHS, seed=seed, run_key={},
        )  # fmt: skip
    model.requires_grad_(False).eval()
    return vlm
