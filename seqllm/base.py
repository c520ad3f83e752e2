"""The language model under the recommender: any causal LM by id or path, or a small one made from the catalogue's text.

    tokenizer, model = load_base("Qwen/Qwen2.5-0.5B")          # or a local folder
    build_base(texts, "runs/x/base"); load_base("runs/x/base")   # the same classes from a tiny configuration
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from fcn.errors import ArtifactError
from fcn.training import first_alone, fit, set_seed

END = "<|end|>"


def load_base(name_or_path: str | Path, quantize: bool = False) -> tuple[PreTrainedTokenizerBase, nn.Module]:
    """Tokenizer and causal LM by hub id or local path, frozen.

    Args:
        quantize: load in 4 bits (QLoRA: NF4, double quantisation; Dettmers et al. 2023). Needs a GPU and bitsandbytes.

    Raises:
        ArtifactError: the name is neither a local folder nor a model that can be reached.
    """
    options: dict = {}
    if quantize:
        if not torch.cuda.is_available():
            raise ArtifactError("4-bit loading needs an NVIDIA GPU; leave --quantize out to train on this machine")
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options["device_map"] = {"": torch.cuda.current_device()}  # of several, this process's
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name_or_path))
        model = AutoModelForCausalLM.from_pretrained(str(name_or_path), **options)
    except Exception as error:  # a damaged file is said by whichever library reads it, in an exception of its own
        raise not_loaded(name_or_path, "causal language model", error) from error
    model.requires_grad_(False)
    return tokenizer, model


def not_loaded(name_or_path: str | Path, kind: str, error: Exception) -> ArtifactError:
    """What to say of a base that does not load."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ArtifactError(
        f"{name_or_path}: cannot be loaded as a {kind} ({first}); "
        "give a local folder or a hub id that is cached or can be reached, or leave --base out for the built-in one"
    )


def build_tokenizer(texts: Sequence[str], vocab_size: int = 4096) -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on ``texts``: every string can be written, nothing is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


class _Pieces(torch.utils.data.Dataset):
    """One long stream of tokens, cut into pieces of equal length."""

    def __init__(self, stream: np.ndarray, length: int):
        self.pieces = stream[: len(stream) // length * length].reshape(-1, length)

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, k: int) -> np.ndarray:
        return self.pieces[k]


def build_base(
    texts: Sequence[str],
    out: str | Path,
    *,
    vocab_size: int = 4096,
    hidden: int = 128,
    layers: int = 2,
    heads: int = 4,
    length: int = 128,
    max_tokens: int = 1_500_000,
    seed: int = 0,
    restart: bool = False,
) -> Path:
    """Train a small Llama-architecture model from scratch on the catalogue's own text and save it as any other.

    Args:
        texts: what the model may know (training items' texts, training queries, the prompt's own sentences).
        max_tokens: the text is read at most so far; 1.5 million tokens take about two minutes on two cores.
    """
    out = Path(out)
    set_seed(seed)
    tokenizer = build_tokenizer(texts, vocab_size)
    order = np.random.default_rng(seed).permutation(len(texts))
    stream, total = [], 0
    for begin in range(0, len(order), 4096):
        for row in tokenizer([texts[k] for k in order[begin : begin + 4096]], add_special_tokens=False)["input_ids"]:
            stream.append(np.array([*row, tokenizer.eos_token_id], np.int64))
            total += len(row) + 1
        if total >= max_tokens:
            break
    tokens = np.concatenate(stream)[:max_tokens]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=hidden * 11 // 4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    length = min(length, max(16, len(tokens) // 20))
    pieces = _Pieces(tokens, length)
    held = max(1, len(pieces) // 20)
    train, test = torch.utils.data.Subset(pieces, range(held, len(pieces))), pieces.pieces[:held]

    def collate(batch: list[np.ndarray]) -> dict[str, torch.Tensor]:
        ids = torch.from_numpy(np.stack(batch))
        return {"input_ids": ids, "labels": ids}

    def perplexity(model: nn.Module) -> dict[str, float]:
        losses = [model(**collate(list(test[k : k + 32]))).loss.item() for k in range(0, len(test), 32)]
        return {"log_likelihood": -float(np.mean(losses)), "perplexity": math.exp(min(float(np.mean(losses)), 50.0))}

    epochs = max(1, min(8, round(400_000 / max(len(tokens), 1))))
    if len(train):
        fit(
            model,
            train,
            perplexity,
            out=out.parent / f"{out.name}-training",
            collate=collate,
            epochs=epochs,
            batch_size=16,
            lr=2e-3,
            metric="log_likelihood",
            seed=seed,
            run_key={"tokens": int(len(tokens)), "hidden": hidden, "layers": layers},
            restart=restart,
        )
    with first_alone() as first:
        if first:
            model.save_pretrained(out)
            tokenizer.save_pretrained(out)
    return out
