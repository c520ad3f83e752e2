"""Training the vision-language model: picture tokenizer -> talks and drawings -> artifact.

The built-in model learns all of it from scratch; of a checkpoint, LoRA adapters of the language model learn and the
rest stays as it is. Words and pictures are one stream: what the assistant says is learnt through the language model's
output layer, the codes of a picture through Janus' generation head, both as the next token.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import JanusForConditionalGeneration, JanusProcessor, JanusVQVAE

from fashionm3.vlm import FashionVLM
from fashionm3.vlm_base import load_base, new_base
from fashionm3.vlm_data import IGNORED, MULTIPLE, Collator, Lessons, Wardrobe, read_talks, split_items
from fashionm3.vlm_pictures import codebook_use, drawn_side, pictures_of, psnr, read_side, tokens_of
from fashionm3.vlm_prompts import ChatFormat
from fashionm3.vq import train_vq
from fcn.artifacts import refuse_foreign, write_json
from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.training import describe_machine, device_for, fingerprint_of, fit, processes, set_seed
from seqllm.model import fast_bfloat16

DISTURBED = 0.6  # of the codes a model made from scratch reads, at most; see UnifiedLoss
VALIDATION = 256  # examples looked at after each epoch


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run can be told.

    base: "built-in" (a small Janus made from scratch) or any Janus checkpoint by id or path.
    vq_epochs: passes over the training pictures for the built-in model's picture tokenizer; None is as many as make
        2,600 batches, at most 40.
    epochs, examples: of talks and drawings, so many examples an epoch.
    lr: by default 2e-3 from scratch, 1e-4 for LoRA.
    max_tokens: of a conversation; longer ones lose their oldest turns.
    """

    base: str = "built-in"
    vq_epochs: int | None = None
    epochs: int = 10
    examples: int = 5120
    batch_size: int = 32
    lr: float | None = None
    lora_rank: int = 16
    max_tokens: int = 256
    seed: int = 0


class UnifiedLoss(nn.Module):
    """``forward(**batch)`` of vlm_data.Collator -> {"loss", "text", "picture"}: mean cross entropy (nats) of the
    assistant's words, examples counting alike, of the picture's codes (each where the batch has any), and their sum.

    disturbed: in training, of each picture a random share up to this of the codes that are read is replaced by any
    others. Codes say so much of the next ones that the words would long go unheard.
    """

    def __init__(self, model: JanusForConditionalGeneration, disturbed: float = 0.0):
        super().__init__()
        self.model, self.disturbed = model, disturbed

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        drawn: Tensor,
        pixel_values: Tensor | None = None,
        codes: Tensor | None = None,
    ) -> dict[str, Tensor]:
        janus, losses, draws = self.model.model, {}, drawn.any(1)
        device = input_ids.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(device)):
            if not draws.all():  # apart, as talks are much longer than requests to draw
                losses["text"] = self._said(~draws, input_ids, attention_mask, labels, pixel_values)
            if codes is not None:
                ids, mask, placed = _trimmed(draws, attention_mask, input_ids, attention_mask, drawn)
                embedded = self.model.get_input_embeddings()(ids)
                read = self.model.prepare_embeddings_for_image_generation(self._disturb(codes))
                embedded = embedded.masked_scatter(placed[..., None], read.to(embedded.dtype))
                scores = janus.generation_head(self._states(embedded, mask)[placed[:, 1:]])
                losses["picture"] = F.cross_entropy(scores.float(), codes.reshape(-1))
        return {"loss": sum(losses.values()), **losses}

    def _said(
        self, rows: Tensor, ids: Tensor, mask: Tensor, labels: Tensor, pixel_values: Tensor | None
    ) -> Tensor:
        """Mean over some rows of the mean cross entropy of what the assistant says in each: a call of three words
        counts as much as a long talk. Short rows are read apart from long ones, as each costs as much as the longest
        beside it."""
        lengths = mask.sum(1)
        short = rows & (lengths <= lengths[rows].max() / 2)
        pictured = (ids == self.model.config.image_token_id).any(1)
        losses = []
        for some in (short, rows & ~short):
            if not some.any():
                continue
            tokens, seen, asked = _trimmed(some, mask, ids, mask, labels)
            embedded = self.model.get_input_embeddings()(tokens)
            if (some & pictured).any():
                pixels = pixel_values[some[pictured]].to(self.model.dtype)
                pictures = self.model.model.get_image_features(pixels, return_dict=True).pooler_output
                shown = (tokens == self.model.config.image_token_id)[..., None]
                embedded = embedded.masked_scatter(shown, pictures.to(embedded.dtype))
            said, next_words = asked[:, 1:] != IGNORED, asked[:, 1:]
            scores = self.model.lm_head(self._states(embedded, seen)[said])
            each = F.cross_entropy(scores.float(), next_words[said], reduction="none")
            sums = torch.zeros(len(said), device=each.device).index_add(0, said.nonzero()[:, 0], each)
            losses.append(sums / said.sum(1).clamp(min=1))
        return torch.cat(losses).mean()

    def _states(self, embedded: Tensor, mask: Tensor) -> Tensor:
        model = self.model.model.language_model
        return model(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]

    def _disturb(self, codes: Tensor) -> Tensor:
        if not self.training or not self.disturbed:
            return codes
        shares = torch.rand(len(codes), 1, device=codes.device) * self.disturbed
        others = torch.randint_like(codes, self.model.config.vq_config.num_embeddings)
        return torch.where(torch.rand(codes.shape, device=codes.device) < shares, others, codes)


def _trimmed(rows: Tensor, mask: Tensor, *columns: Tensor) -> list[Tensor]:
    """Those rows of (B, L) tensors, as long as the longest of them, in steps of MULTIPLE."""
    longest = -(-int(mask[rows].sum(1).max()) // MULTIPLE) * MULTIPLE
    return [column[rows][:, :longest] for column in columns]


def train(folder: DataFolder, out: str | Path, options: Options, restart: bool = False) -> FashionVLM:
    """Train on `folder`'s training split, choose on its validation split, write `out` with history.json.

    The same call goes on with an unfinished run in `out` unless `restart`. DataError: no pictures, or options that do
    not fit the base; ArtifactError: `out` holds something else, or an unfinished run with other data or options.
    """
    started, out = time.perf_counter(), Path(out)
    refuse_foreign(out)
    built_in = options.base == "built-in"
    if built_in and processes().num_processes > 1:
        remedy = "start train_vlm.py without torchrun, or name a checkpoint"
        raise DataError(Problem(None, None, "base", "built-in", "is trained by one process", remedy))
    set_seed(options.seed)
    print(f"seed {options.seed}  machine {describe_machine()}", flush=True)
    cache = out / "cache"
    if restart:
        shutil.rmtree(cache, ignore_errors=True)
    key = {"data": folder.fingerprint, **dataclasses.asdict(options)}
    splits, talks = split_items(folder), read_talks(folder, options.seed)
    items = {split: [folder.catalog[row] for row in rows] for split, rows in splits.items()}
    wardrobe = Wardrobe(folder)
    print(
        f"{folder.name}: pictures {', '.join(f'{len(rows):,} {split}' for split, rows in splits.items())}; "
        f"dialogues {', '.join(f'{len(found):,} {split}' for split, found in talks.items())}",
        flush=True,
    )
    if built_in:
        said = [turn.text for talk in talks["train"] for turn in talk.turns]
        processor, model = new_base([*folder.catalog.texts(splits["train"]), *said], options.seed)
        side = drawn_side(model)
        tokenizer_rows = _train_tokenizer(
            model.model.vqmodel, processor, *(wardrobe.of_rows(splits[s], side) for s in ("train", "val")),
            cache / "vq", options, {name: key[name] for name in ("data", "seed", "vq_epochs")}, restart,
        )  # fmt: skip
        with torch.no_grad():  # the model begins with the tokenizer's own codes
            model.model.generation_embeddings.weight.copy_(model.model.vqmodel.quantize.embedding.weight)
        model.requires_grad_(True)
        model.model.vqmodel.requires_grad_(False)
        adapted = None
    else:
        processor, model = load_base(options.base)
        tokenizer_rows = []
        rank = {"r": options.lora_rank, "lora_alpha": 2 * options.lora_rank}
        adapted = get_peft_model(model, LoraConfig(target_modules=r".*language_model\..*_proj", **rank))
    side, vq = drawn_side(model), model.model.vqmodel
    if torch.cuda.is_available():
        model.cuda()
    chat = ChatFormat(processor, options.max_tokens)
    codes = {split: tokens_of(vq, wardrobe.of_rows(splits[split], side), processor) for split in ("train", "val")}
    learner = UnifiedLoss(model, DISTURBED if built_in else 0.0)
    sizes = {"train": options.examples, "val": min(VALIDATION, options.examples)}
    lessons = {
        split: Lessons(chat, wardrobe, read_side(processor), items[split], codes[split], talks[split], size,
                       fixed=split == "val")
        for split, size in sizes.items()
    }  # fmt: skip
    collate = Collator(chat)
    print(f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,} weights to train", flush=True)

    def validate(_: nn.Module) -> dict[str, float]:
        return validation_losses(learner, lessons["val"], collate, options.batch_size)

    history = fit(
        learner, lessons["train"], validate, out=cache / "model", collate=collate, epochs=options.epochs,
        batch_size=options.batch_size, lr=options.lr or (2e-3 if built_in else 1e-4), metric="log_likelihood",
        patience=options.epochs, seed=options.seed, run_key=key, restart=restart,
    )  # fmt: skip
    vlm = FashionVLM(processor, model, options.max_tokens, adapted, options.base, folder.fingerprint)
    if processes().is_main_process:
        vlm.save_pretrained(out)
        told = {
            "seconds": round(time.perf_counter() - started, 1),
            "options": dataclasses.asdict(options),
            "machine": describe_machine(),
            "tokenizer": tokenizer_rows,
            "model": history.rows,
            "test": _test_pictures(vq, processor, wardrobe.of_rows(splits["test"], side)),
        }
        write_json(out / "history.json", told)
        print(f"pictures of test through the tokenizer: {told['test']}", flush=True)
        shutil.rmtree(cache, ignore_errors=True)
    processes().wait_for_everyone()
    return vlm


def _train_tokenizer(
    vq: JanusVQVAE, processor: JanusProcessor, train: np.ndarray, val: np.ndarray, place: Path, options: Options,
    key: dict, restart: bool,
) -> list[dict]:  # fmt: skip
    """Train `vq`, or take what an interrupted run has trained. Returns the metrics of each epoch."""
    kept = place.with_name(f"vq-{fingerprint_of(key)}")
    if not kept.exists():
        print(f"phase 1: the picture tokenizer, {len(train):,} pictures", flush=True)
        history = train_vq(
            vq, processor, train, val, place, epochs=options.vq_epochs, seed=options.seed, run_key=key,
            restart=restart,
        )  # fmt: skip
        unfinished = kept.with_name(f"{kept.name}.unfinished")
        vq.save_pretrained(unfinished)
        write_json(unfinished / "history.json", history.rows)
        unfinished.rename(kept)
    vq.load_state_dict(JanusVQVAE.from_pretrained(kept).state_dict())
    return json.loads((kept / "history.json").read_text(encoding="utf-8"))


@torch.no_grad()
def validation_losses(learner: UnifiedLoss, lessons: Lessons, collate: Collator, batch: int) -> dict[str, float]:
    """Mean cross entropy (nats a token) of words ("text", examples counting alike) and codes ("picture"), and minus
    their sum."""
    sums, weights = {"text": 0.0, "picture": 0.0}, {"text": 0, "picture": 0}
    device = device_for(learner)
    for begin in range(0, len(lessons), batch):
        made = collate([lessons[k] for k in range(begin, min(begin + batch, len(lessons)))])
        found = learner(**{name: value.to(device) for name, value in made.items()})
        drawn = made["drawn"].any(1)
        counts = {"text": int((~drawn).sum()), "picture": int(drawn.sum())}
        for name, count in counts.items():
            if count:
                sums[name] += found[name].item() * count
                weights[name] += count
    means = {name: sums[name] / max(weights[name], 1) for name in sums}
    return {"log_likelihood": -sum(means.values()), **means}


def _test_pictures(vq: JanusVQVAE, processor: JanusProcessor, pictures: np.ndarray) -> dict[str, float]:
    tokens = tokens_of(vq, pictures, processor)
    used, perplexity = codebook_use(tokens, vq.config.num_embeddings)
    return {"psnr": psnr(pictures, pictures_of(vq, tokens, processor)), "codes": used, "perplexity": perplexity}
