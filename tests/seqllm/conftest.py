"""Small worlds with known answers, and recommenders trained on them for seconds, shared by the seqllm tests."""

import functools

import numpy as np
import pytest
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from fcn import DataFolder, Item, LabelGroup, LabelVocabulary, Profile, write_folder

DAY = 86_400
START = 1_700_000_000 // DAY * DAY
TASTE = LabelVocabulary([LabelGroup("taste", ("plain", "loud"), None), LabelGroup("size", ("s", "m", "l"), "suits")])
CODES = ("abel brio cade dune echo fern gale hale iris jade kite lark mote nova opal pike "
         "quay rune sage tarn umber vale wren yarn").split()  # fmt: skip


def write_world(path, events, people=None, titles=None, items=24) -> DataFolder:
    """A folder of items i00 ... whose titles say nothing, and events: one list of (item, query) a person; the last
    is for test, the one before for validation."""
    made = [
        Item(f"i{k:02}", titles[k] if titles else f"{CODES[k % len(CODES)]} piece", "dress" if k % 4 else "coat",
             "onepiece" if k % 4 else "outerwear", None, {}, 10.0 + k, k % 5 != 4)  # fmt: skip
        for k in range(items)
    ]
    rows = []
    for user, chosen in enumerate(events):
        for step, (item, query) in enumerate(chosen):
            left = len(chosen) - step
            rows.append(
                {
                    "user_id": f"u{user:03}", "item_id": f"i{item:02}", "event": "purchase", "query": query,
                    "timestamp": START + DAY * (3 * step + user % 7), "occasion": None, "rating": None,
                    "split": {1: "test", 2: "val"}.get(left, "train"),
                }  # fmt: skip
            )
    info = {"name": "world", "licence": "CC0-1.0", "source": "made for tests", "description": "a toy", "made": True}
    info["label_groups"] = TASTE.to_json()
    return write_folder(path, info, made, None, people, rows)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A folder with a causal language model of a few thousand weights and its tokenizer."""
    from seqllm.base import build_tokenizer
    from seqllm.prompts import phrases

    path = tmp_path_factory.mktemp("base") / "llama"
    tokenizer = build_tokenizer([f"{code} piece | dress | coat" for code in CODES] + phrases(["wedding"]), 600)
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=512, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def options(base, **changes):
    from seqllm.train import Options

    return Options(**{"base": str(base), "head_epochs": 6, "epochs": 1, "lr": 5e-3, "lora_rank": 8,
                      "id_dim": 16, "max_tokens": 160, "tokens_per_batch": 1024, "patience": 6, **changes})  # fmt: skip


@pytest.fixture(scope="session")
def make_world():
    """`write_world`, for the tests that make their own."""
    return write_world


@pytest.fixture(scope="session")
def fast(tiny_base):
    """Training options of seconds, to be changed by name."""
    return functools.partial(options, tiny_base)


@pytest.fixture(scope="session")
def kinds_world(tmp_path_factory) -> DataFolder:
    """The checkerboard: 60 people of two kinds choose 6 of the even, or 6 of the odd, of 24 items; item 23 by none."""
    rng = np.random.default_rng(0)
    events = [[(2 * int(k) + user % 2, None) for k in rng.permutation(11)[:6]] for user in range(60)]
    people = {f"u{user:03}": Profile({"size": ("s", "m", "l")[user % 3]}) for user in range(60)}
    return write_world(tmp_path_factory.mktemp("kinds") / "data", events, people)


@pytest.fixture(scope="session")
def kinds_path(tmp_path_factory, kinds_world, tiny_base):
    """Folder of a recommender trained on `kinds_world`."""
    from seqllm.train import train

    out = tmp_path_factory.mktemp("kinds-run") / "seqllm"
    train(kinds_world, out, options(tiny_base, head_epochs=12, patience=12))
    return out


@pytest.fixture
def kinds(kinds_path):
    """A recommender trained on `kinds_world`, loaded afresh for each test."""
    from seqllm import Recommender

    return Recommender.from_pretrained(kinds_path)


@pytest.fixture(scope="session")
def taste(tmp_path_factory, tiny_base):
    """A recommender of a world in which nothing but the stated taste decides between even and odd items."""
    from seqllm.train import train

    rng = np.random.default_rng(1)
    events = [[(2 * int(k) + user % 2, None) for k in rng.permutation(12)[:3]] for user in range(120)]
    people = {f"u{user:03}": Profile({"taste": ("plain", "loud")[user % 2]}) for user in range(120)}
    path = tmp_path_factory.mktemp("taste")
    long = options(tiny_base, head_epochs=16, patience=16)  # one training event a person: steps must come from epochs
    return train(write_world(path / "data", events, people), path / "seqllm", long)


@pytest.fixture(scope="session")
def asking(tmp_path_factory, tiny_base):
    """A recommender of a world in which nothing but the query decides between even and odd items."""
    from seqllm.train import train

    rng = np.random.default_rng(2)
    kinds = rng.integers(0, 2, (80, 6))
    words = ("alpha", "omega")
    events = [[(2 * int(k) + kind, words[kind]) for k, kind in zip(rng.permutation(12)[:6], row, strict=True)]
              for row in kinds]  # fmt: skip
    path = tmp_path_factory.mktemp("asking")
    return train(write_world(path / "data", events), path / "seqllm", options(tiny_base, head_epochs=16, patience=16))
