"""The unified vision-language model: it reads the picture of an outfit, answers in words, and draws pieces.

    model = FashionVLM.from_pretrained("runs/demo-vlm")
    model.describe(["shirt.png", "jeans.png"], "Which shoes go with it?")     # "I suggest White leather sneakers."
    model.draw("green midi dress", seed=0)                                      # PIL.Image

After FashionM3 (arXiv 2504.17826), on Janus (arXiv 2410.13848) instead of Show-o. Its words are a model's: whether a
shop sells such a piece, only a catalogue can say.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from PIL import Image
from transformers import GenerationConfig, GenerationMixin, JanusForConditionalGeneration, JanusProcessor

from fashionm3.dialogues import Turn
from fashionm3.vlm_base import load_base
from fashionm3.vlm_pictures import as_pictures, as_pixels, grid_of, read_side, squared
from fashionm3.vlm_prompts import ChatFormat
from fcn.artifacts import load_artifact, save_artifact
from fcn.errors import DataError, Problem
from fcn.images import open_image
from fcn.training import device_for

KIND = "fashionm3"
BUILT_IN = "built-in"
PIECES = 4  # of an outfit, as many as its picture shows
WORDS = 64  # tokens of an answer at most
GUIDANCE, TEMPERATURE = 3.0, 0.7  # of drawing


class FashionVLM:
    """A Janus model with its processor. Safe to call from several threads, one at a time is served.

    max_tokens: of a conversation. adapters: LoRA on `model`'s language model, where it has any; base: the checkpoint
    they are for, or "built-in".
    """

    def __init__(
        self,
        processor: JanusProcessor,
        model: JanusForConditionalGeneration,
        max_tokens: int,
        adapters: PeftModel | None = None,
        base: str = BUILT_IN,
        data_fingerprint: str = "",
    ):
        self.processor, self.model, self.adapters = processor, model.eval(), adapters
        self.base, self.data_fingerprint = base, data_fingerprint
        self.chat = ChatFormat(processor, max_tokens)
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(cls, path: str | Path) -> FashionVLM:
        """Load what `save_pretrained` wrote. ArtifactError names what is missing or damaged."""
        artifact = load_artifact(path, KIND)
        base = artifact.config["base"]
        processor, model = load_base(artifact.path / "base" if base == BUILT_IN else base)
        adapters = None
        if (artifact.path / "adapter").is_dir():
            adapters = PeftModel.from_pretrained(model, str(artifact.path / "adapter"))
        if torch.cuda.is_available():
            model.cuda()
        return cls(processor, model, artifact.config["max_tokens"], adapters, base, artifact.data_fingerprint)

    def save_pretrained(self, path: str | Path) -> Path:
        """Write the artifact: the built-in model whole (its base/ is an ordinary Janus folder), else its adapters and
        the checkpoint's name."""
        base = str(Path(self.base).resolve()) if Path(self.base).is_dir() else self.base

        def files(folder: Path) -> None:
            if self.adapters is not None:
                self.adapters.save_pretrained(folder / "adapter")
            if base == BUILT_IN:
                self.model.save_pretrained(folder / "base")
                self.processor.save_pretrained(folder / "base")

        config = {"base": base, "max_tokens": self.chat.max_tokens}
        return save_artifact(path, KIND, config, {}, data_fingerprint=self.data_fingerprint, files=files)

    def describe(
        self, outfit_pictures: Sequence[str | os.PathLike | bytes | Image.Image], text: str | Sequence[Turn]
    ) -> str:
        """The answer to `text`, naming the wanted piece; the likeliest word each time, so the same every time.

        outfit_pictures: none to four pieces of the outfit, as paths, bytes of files or PIL images.
        text: what the person says, or the conversation so far (fashionm3.dialogues.Turn), hers last.
        DataError: more than four pictures, one that does not read, or nothing said.
        """
        if len(outfit_pictures) > PIECES:
            remedy = f"give the {PIECES} that matter"
            raise DataError(Problem(None, None, "outfit_pictures", len(outfit_pictures), "too many pictures", remedy))
        turns = [Turn("human", text)] if isinstance(text, str) else list(text)
        side = read_side(self.processor)
        cells = [squared(open_image(picture), side // 2) for picture in outfit_pictures]
        prompt = self.chat.conversation(turns, bool(cells))
        device = device_for(self.model)
        ids = torch.from_numpy(prompt.ids)[None].to(device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if prompt.pictures:
            pixels = as_pixels(grid_of(cells, side)[None], self.processor)
            inputs["pixel_values"] = pixels.to(device, self.model.dtype)
        silent = [int(number) for number in self.chat.control if number != self.chat.end]
        way = self._way(max_new_tokens=WORDS, do_sample=False, suppress_tokens=silent)
        with self._lock, torch.inference_mode():
            said = GenerationMixin.generate(self.model, **inputs, generation_config=way)  # Janus' own warns each time
        return self.chat.text(said[0, ids.shape[1] :].tolist())

    def choose(self, text: str, answers: Sequence[str]) -> int:
        """Which of `answers` the model gives to `text`: its likeliest word each time, of those that lead to one.

        DataError: nothing said.
        """
        chat, device = self.chat, device_for(self.model)
        prompt = chat.conversation([Turn("human", text)], False).ids
        ways = [(*chat.words(f" {answer}").tolist(), chat.end) for answer in answers]

        def allowed(_: int, ids: torch.Tensor) -> list[int]:
            said = tuple(ids[len(prompt) :].tolist())
            return sorted({way[len(said)] for way in ways if way[: len(said)] == said and len(way) > len(said)})

        ids = torch.from_numpy(prompt)[None].to(device)
        way = self._way(max_new_tokens=max(map(len, ways)), do_sample=False)
        with self._lock, torch.inference_mode():
            said = GenerationMixin.generate(self.model, input_ids=ids, attention_mask=torch.ones_like(ids),
                                            generation_config=way, prefix_allowed_tokens_fn=allowed)  # fmt: skip
        return ways.index(tuple(said[0, len(prompt) :].tolist()))

    def draw(self, description: str, seed: int = 0) -> Image.Image:
        """A picture of the piece that `description` asks for, square; the same words and seed draw the same one.

        DataError: the description is empty.
        """
        return Image.fromarray(self.draw_many([description], [seed])[0])

    def draw_many(self, descriptions: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """Pictures of descriptions, uint8 (N, S, S, 3), one after the other."""
        device, drawn = device_for(self.model), []
        way = self._way(do_sample=True, guidance_scale=GUIDANCE, temperature=TEMPERATURE, top_k=0, top_p=1.0)
        for description, seed in zip(descriptions, seeds, strict=True):
            ids = torch.from_numpy(self.chat.drawing(description).ids)[None].to(device)
            devices = [device.index] if device.type == "cuda" else []
            with self._lock, torch.inference_mode(), torch.random.fork_rng(devices):
                torch.manual_seed(seed)
                codes = self.model.generate(
                    input_ids=ids, attention_mask=torch.ones_like(ids), generation_mode="image",
                    generation_config=copy.deepcopy(way),  # generate() writes into it
                )  # fmt: skip
                pixels = self.model.decode_image_tokens(codes).permute(0, 3, 1, 2)
            drawn.append(as_pictures(pixels, self.processor)[0])
        return np.stack(drawn)

    def _way(self, **options) -> GenerationConfig:
        chat = self.chat
        return GenerationConfig(
            bos_token_id=chat.begin, eos_token_id=chat.end, pad_token_id=chat.tokenizer.pad_token_id,
            generation_kwargs={"boi_token_id": chat.begin_picture}, **options,
        )  # fmt: skip
