"""The talk in a terminal, and the command line's errors."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from fashionm3.assistant import Assistant
from fashionm3.terminal import HELP, converse
from fashionm3.tools import Tools


@pytest.fixture(scope="module")
def assistant(trained):
    from seqllm import Recommender

    return Assistant(Tools(Recommender.from_pretrained(trained.seqllm), trained.data))


def held(assistant, lines, out, save=None) -> list[str]:
    """What is printed, an entry for each line of input and one for the beginning."""
    left, printed = list(lines), [""]

    def ask(_):
        printed.append("")
        if not left:
            raise EOFError
        return left.pop(0)

    def say(text):
        printed[-1] += text + "\n"

    converse(assistant, save, out, ask, say)
    return printed


def test_talk_in_a_terminal(assistant, portrait, tmp_path):
    (tmp_path / "me.jpg").write_bytes(portrait[0])
    lines = ["I need a dress for a summer wedding, I'm short", "cheaper, under 80", f"/picture {tmp_path / 'me.jpg'}",
             "try it on me", "", "/picture /etc/passwd", "/picture nowhere.jpg", "/quit"]  # fmt: skip
    hello, first, cheaper, taken, worn, nothing, wrong, missing, *_ = held(assistant, lines, tmp_path)
    assert HELP in hello and "height: low" in first
    prices = [float(price) for price in re.findall(r"^  \d\. .*?  ([\d.]+)(?:  |$)", cheaper, re.MULTILINE)]
    assert prices and max(prices) < 80 and "under 80" in cheaper
    assert "without its metadata" in taken and nothing == ""
    assert "no picture" in wrong and "no such picture" in missing
    made = re.findall(r"\S+\.png", worn)
    assert len(made) == 2 and all(Image.open(path).size[0] > 100 for path in made)


def test_pictures_go_to_a_new_folder_beside_those_of_earlier_talks(assistant, portrait, tmp_path):
    (tmp_path / "me.jpg").write_bytes(portrait[0])
    lines, out = ["a dress", f"/picture {tmp_path / 'me.jpg'}", "try it on me"], tmp_path / "new" / "pictures"
    first = re.findall(r"\S+\.png", held(assistant, lines, out, tmp_path / "kept" / "talk.json")[3])
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = re.findall(r"\S+\.png", held(assistant, lines, out)[3])
    assert len(before) == 2 and len({*first, *again}) == 4 == len(list(out.iterdir()))
    assert all(path.read_bytes() == kept for path, kept in before.items())
    assert (tmp_path / "kept" / "talk.json").is_file()


def test_a_talk_in_a_terminal_goes_on_where_it_was(assistant, tmp_path):
    save = tmp_path / "talk.json"
    held(assistant, ["a dress under 77"], tmp_path, save)
    assert "under 77" in held(assistant, ["show me more"], tmp_path, save)[1]


@pytest.mark.parametrize("options", [
    ["talk", "--recommender", "nowhere"], ["app", "--recommender", "nowhere"], ["mcp", "--recommender", "nowhere"],
])  # fmt: skip
def test_what_cannot_be_loaded_is_one_line(options, repo_root):
    command = [sys.executable, "-m", "fashionm3", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repo_root, env=os.environ, timeout=120)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr


def test_an_endpoint_needs_a_model_name(trained, repo_root):
    command = [sys.executable, "-m", "fashionm3", "talk", "--recommender", trained.seqllm, "--endpoint", "http://[::1]:9"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=repo_root, timeout=120)
    assert done.returncode == 2 and "--endpoint-model" in done.stderr


def test_a_talk_is_held_where_the_endpoint_is_not_reached(trained, repo_root):
    command = [sys.executable, "-m", "fashionm3", "talk", "--recommender", trained.seqllm, "--endpoint",
               "http://127.0.0.1:9/v1", "--endpoint-model", "m"]  # fmt: skip
    said = "a dress under 80\n/quit\n"
    done = subprocess.run(command, input=said, capture_output=True, text=True, cwd=repo_root, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "under 80" in done.stdout and "not reached" in done.stdout
