"""The language model underneath: made here, or any other from a folder."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from fcn.errors import ArtifactError
from seqllm.base import END, build_base, build_tokenizer, load_base

TEXTS = [f"{colour} {kind} | {kind}" for colour in ("red", "blue", "green") for kind in ("dress", "coat")] * 40


def test_a_base_made_here_loads_like_any_other_and_has_learnt_its_text(tmp_path):
    build_base(TEXTS, tmp_path / "base", vocab_size=300, hidden=32, layers=1, heads=2)
    tokenizer, model = load_base(tmp_path / "base")
    assert not any(p.requires_grad for p in model.parameters())

    def loss(text):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        return model(input_ids=ids, labels=ids).loss.item()

    assert loss("red dress | dress") < loss("dress | | red coat green") - 0.5
    assert not list(tmp_path.glob("*training/checkpoints"))


def test_two_bases_from_one_seed_are_the_same(tmp_path):
    weights = []
    for name in ("a", "b"):
        build_base(TEXTS[:60], tmp_path / name, vocab_size=280, hidden=16, layers=1, heads=2)
        weights.append(load_base(tmp_path / name)[1].state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_the_tokenizer_writes_every_string():
    tokenizer = build_tokenizer(TEXTS, 300)
    for text in ("فستان", "👗 dress", "naïve\u2028line"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
    assert tokenizer(END)["input_ids"] == [tokenizer.eos_token_id]


def test_a_base_that_is_not_there_is_said_in_one_line(tmp_path):
    for name in (str(tmp_path / "nothing"), "no-such-owner/no-such-model"):
        with pytest.raises(ArtifactError, match="cannot be loaded as a causal language model.*--base") as error:
            load_base(name)
        assert len(str(error.value).splitlines()) == 1


def test_a_damaged_base_is_said_in_one_line(tmp_path):
    GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=8, n_layer=1, n_head=1, n_positions=32)).save_pretrained(tmp_path)
    build_tokenizer(TEXTS, 300).save_pretrained(tmp_path)
    load_base(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ArtifactError, match="cannot be loaded.*") as error:
        load_base(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_four_bits_without_a_gpu_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="needs an NVIDIA GPU"):
        load_base(tmp_path, quantize=True)
