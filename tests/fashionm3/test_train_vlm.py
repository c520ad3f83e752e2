"""The command train_vlm.py."""

import json
import subprocess
import sys

from fashionm3.vlm import FashionVLM

QUICK = ["--vq-epochs", "1", "--epochs", "1", "--examples", "16", "--batch-size", "8"]


def run(root, *arguments):
    command = [sys.executable, str(root / "train_vlm.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_command_trains_a_model(repo_root, toy_folder, tmp_path):
    done = run(repo_root, "--data", toy_folder, "--out", tmp_path / "vlm", *QUICK)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "epoch 1/1" in done.stdout and "psnr" in done.stdout
    told = json.loads((tmp_path / "vlm" / "history.json").read_text())
    assert {"psnr", "codes", "perplexity"} <= set(told["tokenizer"][0]) and "text" in told["model"][0]
    assert FashionVLM.from_pretrained(tmp_path / "vlm").draw("red coat").size == (64, 64)


def test_what_is_wrong_is_said_in_one_line(repo_root, toy_folder, tmp_path):
    nowhere = run(repo_root, "--data", tmp_path / "nowhere", "--out", tmp_path / "vlm")
    assert nowhere.returncode == 2 and "no such folder" in nowhere.stderr and "Traceback" not in nowhere.stderr
    unknown = run(repo_root, "--data", toy_folder, "--out", tmp_path / "vlm", "--base", tmp_path / "nowhere")
    assert unknown.returncode == 2 and "Janus" in unknown.stderr and "Traceback" not in unknown.stderr
