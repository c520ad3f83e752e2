"""A small sample with an outfit model and a recommender trained on it in seconds, shared by the tests of talks."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import timm


@dataclasses.dataclass(frozen=True)
class Trained:
    """Folders of a data set, of the recommender trained on it, and of the outfit model within."""

    data: Path
    seqllm: Path
    fcn: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory, repo_root) -> Trained:
    """The built-in sample in small (420 items), networks of a few thousand weights trained on it for a moment."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from fcn import DataFolder
    from fcn.encoders import ImageEncoder
    from fcn.train import TrainOptions
    from fcn.train import train as train_fcn
    from seqllm.base import build_tokenizer
    from seqllm.prompts import phrases
    from seqllm.train import Options
    from seqllm.train import train as train_llm

    root = tmp_path_factory.mktemp("fashionm3")
    data, fcn, seqllm = root / "data", root / "fcn", root / "seqllm"
    sizes = ["--items", "420", "--outfits", "260", "--people", "60", "--events", "600"]
    script = repo_root / "datasets" / "sample" / "prepare.py"
    subprocess.run([sys.executable, script, "--out", data, *sizes], check=True, capture_output=True)

    network = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    ImageEncoder(network, config).save_pretrained(root / "image")
    small = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}
    train_fcn(TrainOptions(data, fcn, image_encoder=str(root / "image"), epochs=2, sizes=small))

    folder = DataFolder.open(data)
    tokenizer = build_tokenizer(folder.catalog.texts() + phrases(["wedding"]), 600)
    set_seed(0)
    ends = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.eos_token_id}
    llama = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, **ends,
    )  # fmt: skip
    LlamaForCausalLM(llama).save_pretrained(root / "base")
    tokenizer.save_pretrained(root / "base")
    options = Options(base=str(root / "base"), head_epochs=3, epochs=0, id_dim=16, lora_rank=4, max_tokens=200)
    train_llm(folder, seqllm, options, fcn)
    return Trained(data, seqllm, fcn)
