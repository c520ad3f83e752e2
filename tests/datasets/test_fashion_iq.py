"""datasets/fashion_iq/prepare.py: captions as lines, and the release's counts as the card states them."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "datasets" / "fashion_iq" / "prepare.py"
spec = importlib.util.spec_from_file_location("fashion_iq_prepare", SCRIPT)
fashion_iq = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fashion_iq)


def test_captions_become_lines(tmp_path, capsys):
    pair = {"target": "T", "candidate": "C", "captions": ["is longer and red", "has a dog"]}
    (tmp_path / "cap.toptee.val.json").write_text(json.dumps([pair]))
    out = tmp_path / "out.jsonl"
    assert fashion_iq.main(["--raw", str(tmp_path), "--out", str(out)]) == 0
    assert [json.loads(line)["changes"] for line in out.read_text().splitlines()] == [["color=red", "longer"], None]
    assert "captions understood" in capsys.readouterr().out
    assert fashion_iq.main(["--raw", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == 2
    assert "put the captions of the Fashion IQ release there" in capsys.readouterr().err


def test_the_release_and_its_card(shared_data, tmp_path):
    raw = shared_data / "fashion_iq"
    if not raw.is_dir():
        pytest.skip("the Fashion IQ captions are not here")
    counts = fashion_iq.prepare(raw, tmp_path / "out.jsonl")
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", card, re.MULTILINE)
    assert len(table) > 8 and all(number == f"{counts[name]:,}" for name, number in table)
