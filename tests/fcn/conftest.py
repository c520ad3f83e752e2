"""A small sample and a network trained on it for a moment, shared by the tests of the fcn package."""

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

TINY = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory, repo_root) -> Path:
    """The built-in sample in small: 300 items, 240 outfits."""
    out = tmp_path_factory.mktemp("sample") / "data"
    script = repo_root / "datasets" / "sample" / "prepare.py"
    sizes = ["--items", "300", "--outfits", "240", "--people", "20", "--events", "200"]
    subprocess.run([sys.executable, script, "--out", out, *sizes], check=True, capture_output=True)
    return out


@pytest.fixture(scope="session")
def tiny_image_encoder(tmp_path_factory) -> Path:
    """A folder with an untrained picture network of a few thousand weights."""
    from fcn.encoders import ImageEncoder

    torch.manual_seed(0)  # whichever tests came before
    model = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    out = tmp_path_factory.mktemp("encoder") / "image"
    ImageEncoder(model, config).save_pretrained(out)
    return out


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, small_sample, tiny_image_encoder):
    """(folder of a model trained for two epochs, its report)."""
    from fcn.train import TrainOptions, train

    out = tmp_path_factory.mktemp("runs") / "fcn"
    options = TrainOptions(small_sample, out, image_encoder=str(tiny_image_encoder), epochs=2, sizes=TINY)
    return out, train(options)


@pytest.fixture(scope="session")
def scorer(tiny_run):
    from fcn import OutfitScorer

    return OutfitScorer.from_pretrained(tiny_run[0])
