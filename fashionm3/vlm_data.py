"""What the vision-language model learns from a data set folder: talks about outfits, what a picture shows, drawing.

A piece is of the split of the outfits it is worn in, the training ones first: pieces that only held-out outfits wear
are neither drawn nor named from their picture in training.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fashionm3 import calls
from fashionm3.dialogue_building import DialogueBuilder
from fashionm3.dialogues import Dialogue, Turn, read_dialogues
from fashionm3.feedback import drawn_split
from fashionm3.orders import order
from fashionm3.vlm_pictures import as_pixels, grid_of, squared
from fashionm3.vlm_prompts import ChatFormat, Prompt
from fashionm3.wording import one_of, title
from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.images import open_image
from fcn.schema import DIALOGUES, SPLITS
from fcn.types import Item, one_line

SHARES = {"draw": 0.48, "talk": 0.24, "look": 0.08, "call": 0.2}  # of the examples of an epoch
NOTED = 0.4  # of the calls come from talks whose turns' acts were noted
UNGUIDED = 0.1  # of drawings have their description blotted out (classifier-free guidance, Ho and Salimans 2021)
HELD_OUT = {"test": 0.15, "val": 0.05}  # shares of the pieces where outfits hold out none
LOOK = ("What is this?", "What do you see in the picture?", "Describe this piece.", "What kind of piece is it?")
IGNORED = -100
MULTIPLE = 32  # of a batch's length: kernels and memory are made anew for each shape


def split_items(folder: DataFolder) -> dict[str, list[int]]:
    """split -> catalogue rows of the pieces with a picture; see the head of this file."""
    pictures = folder.catalog.column("image").to_pylist()
    ids = folder.catalog.ids.to_pylist()
    rows = [row for row, image in enumerate(pictures) if image]
    if not rows:
        remedy = "give each item of items.parquet the path of its picture"
        raise DataError(Problem(str(folder.path), None, "image", None, "no item has a picture", remedy))
    of: dict[int, str] = {}
    if folder.outfits is not None:
        found: dict[str, set[int]] = {split: set() for split in SPLITS}
        columns = (folder.outfits.column(name).to_pylist() for name in ("split", "items"))
        for split, pieces in zip(*columns, strict=True):
            found[split].update(pieces)
        of = {row: split for split in reversed(SPLITS) for row in found[split]}
    splits: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row in rows:
        splits[of.get(row, "train")].append(row)
    for split, share in HELD_OUT.items():
        if not splits[split]:
            kept = [row for row in splits["train"] if drawn_split(f"picture {ids[row]}", {split: share}) != split]
            splits[split] = sorted(set(splits["train"]) - set(kept)) or kept[-1:]
            splits["train"] = [row for row in kept if row not in splits[split]]
    if not splits["train"]:
        remedy = "give more items a picture"
        raise DataError(Problem(str(folder.path), None, "image", len(rows), "too few pictures to learn from", remedy))
    return splits


def read_talks(folder: DataFolder, seed: int = 0) -> dict[str, list[Dialogue]]:
    """split -> the folder's dialogues.jsonl, or where it has none, dialogues built from its outfits and events."""
    talks: dict[str, list[Dialogue]] = {split: [] for split in SPLITS}
    if (folder.path / DIALOGUES).is_file():
        found: Iterable[Dialogue] = read_dialogues(folder.path)
    elif folder.outfits is not None or folder.interactions is not None:
        found = DialogueBuilder(folder, seed).build()
    else:
        found = ()
    for talk in found:
        talks[talk.split].append(talk)
    return talks


def caption(item: Item, rng: random.Random) -> str:
    """One of the ways to ask for a picture of `item`: its title whole or in part, or some of its attributes."""
    category, values = one_line(item.category), [value for value in map(one_line, item.attributes.values()) if value]
    way = rng.random()
    if way < 0.3:
        said = title(item)
    elif way < 0.65:
        words = title(item).split()
        said = " ".join(word for word in words if rng.random() < 0.7)
        if rng.random() < 0.3:
            said = " ".join(rng.sample(said.split(), len(said.split())))
        if not _holds(said, category):
            said = f"{said} {category}"
    else:
        named = rng.sample(values, min(len(values), rng.choice((1, 1, 2, 2, 3, 4))))
        colour = next((one_line(v) for k, v in item.attributes.items() if k.lower() in ("color", "colour")), None)
        if colour and colour not in named and rng.random() < 0.7:
            named.insert(rng.randrange(len(named) + 1), colour)
        one = one_of(category) if rng.random() < 0.3 else category
        if colour in named and rng.random() < 0.3:
            said = " ".join([*(v for v in named if v != colour), one, "in", colour])
        else:
            said = " ".join([*named, one])
    said = one_line(said) or title(item)
    return said.lower() if rng.random() < 0.5 else said


def _holds(text: str, words: str) -> bool:
    return bool(re.search(rf"\b{re.escape(words.lower())}", text.lower()))


class Wardrobe:
    """Pictures of a folder, squared; the last ones used are kept."""

    def __init__(self, folder: DataFolder, kept: int = 20_000):
        self.folder = folder
        self.squared = functools.lru_cache(kept)(self._squared)

    def _squared(self, path: str, side: int) -> np.ndarray:
        """uint8 (side, side, 3). DataError when the picture does not read."""
        return squared(open_image(path, root=self.folder.path), side)

    def of_rows(self, rows: Sequence[int], side: int) -> np.ndarray:
        """uint8 (N, side, side, 3) of catalogue rows that have pictures; not kept."""
        paths = self.folder.catalog.column("image").take(list(rows)).to_pylist()
        return np.stack([self._squared(path, side) for path in paths])


@dataclass(frozen=True)
class Example:
    """A prompt; the outfit it reads, uint8 (S, S, 3); the codes it draws behind it, (T,). None where it has none."""

    prompt: Prompt
    grid: np.ndarray | None = None
    codes: np.ndarray | None = None


def call_example(chat: ChatFormat, told: str, call: str) -> Example:
    """What the model is told (fashionm3.calls.heard), answered by a call."""
    return Example(chat.conversation([Turn("human", told)], False, calls.line(call)))


class Lessons(torch.utils.data.Dataset):
    """Examples drawn at random, `size` an epoch, in the shares of SHARES; other wordings each time.

    items, codes: the pieces to draw and their (N, T) codes. talks: the conversations; each task of theirs is drawn as
    often. fixed: the k-th example is the same in every epoch, and none is blotted out (for validation).
    """

    def __init__(
        self, chat: ChatFormat, wardrobe: Wardrobe, side: int, items: Sequence[Item], codes: np.ndarray,
        talks: Sequence[Dialogue], size: int, fixed: bool = False,
    ):  # fmt: skip
        self.chat, self.wardrobe, self.side, self.fixed = chat, wardrobe, side, fixed
        self.items, self.codes, self.size = items, codes, size
        self.talks: dict[str, list[Dialogue]] = {}
        for talk in talks:
            self.talks.setdefault(talk.task, []).append(talk)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, k: int) -> Example:
        drawn = k if self.fixed else int(torch.randint(2**62, ()))  # torch's state is part of a checkpoint
        rng = random.Random(drawn)
        kinds = {kind: share for kind, share in SHARES.items() if kind != "talk" or self.talks}
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        if kind == "talk":
            return self.talk(self.any_talk(rng))
        if kind == "call":
            return self.call(rng)
        place = rng.randrange(len(self.items))
        return self.draw(place, rng) if kind == "draw" else self.look(self.items[place], rng)

    def any_talk(self, rng: random.Random) -> Dialogue:
        return rng.choice(self.talks[rng.choice(tuple(self.talks))])

    def call(self, rng: random.Random) -> Example:
        """What is wanted of the assistant: by the notes of a talk, or a message that such talks have not."""
        noted = list(calls.calls_of(self.any_talk(rng))) if self.talks and rng.random() < NOTED else []
        told, call = rng.choice(noted) if noted else order(rng, self.items)
        return call_example(self.chat, told, call)

    def draw(self, place: int, rng: random.Random) -> Example:
        prompt = self.chat.drawing(caption(self.items[place], rng))
        if not self.fixed and rng.random() < UNGUIDED:
            prompt = self.chat.unguided(prompt)
        return Example(prompt, codes=self.codes[place])

    def look(self, item: Item, rng: random.Random) -> Example:
        prompt = self.chat.conversation([Turn("human", rng.choice(LOOK))], True, f"{title(item)}.")
        return Example(prompt, grid_of([self.wardrobe.squared(item.image, self.side // 2)], self.side))

    def talk(self, talk: Dialogue) -> Example:
        paths = [piece.path for piece in talk.partial_outfit if piece.path][:4]
        prompt = self.chat.conversation(talk.turns[:-1], bool(paths), talk.turns[-1].text)
        if not prompt.pictures:
            return Example(prompt)
        return Example(prompt, grid_of([self.wardrobe.squared(path, self.side // 2) for path in paths], self.side))


class Collator:
    """Examples -> the batch that `UnifiedLoss.forward` reads, padded on the right."""

    def __init__(self, chat: ChatFormat):
        self.chat = chat

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        sizes = [len(one.prompt.ids) + (0 if one.codes is None else len(one.codes)) for one in examples]
        shape = len(examples), -(-max(sizes) // MULTIPLE) * MULTIPLE
        ids = torch.full(shape, self.chat.tokenizer.pad_token_id)
        labels = torch.full(shape, IGNORED)
        mask, drawn = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
        for row, (one, size) in enumerate(zip(examples, sizes, strict=True)):
            length = len(one.prompt.ids)
            known = torch.from_numpy(one.prompt.ids)
            ids[row, :length] = known
            labels[row, :length] = torch.where(torch.from_numpy(one.prompt.learn), known, IGNORED)
            mask[row, :size] = 1
            drawn[row, length:size] = True
        batch = {"input_ids": ids, "attention_mask": mask, "labels": labels, "drawn": drawn}
        grids = [one.grid for one in examples if one.grid is not None]
        codes = [one.codes for one in examples if one.codes is not None]
        if grids:
            batch["pixel_values"] = as_pixels(np.stack(grids), self.chat.processor)
        if codes:
            batch["codes"] = torch.from_numpy(np.stack(codes))
        return batch
