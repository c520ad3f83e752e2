"""datasets/simmc2/prepare.py on the release: counts as the card states them."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from fashionm3.dialogues import read_dialogues

SCRIPT = Path(__file__).parents[2] / "datasets" / "simmc2" / "prepare.py"
spec = importlib.util.spec_from_file_location("simmc2_prepare", SCRIPT)
simmc2 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(simmc2)


def test_a_bad_file_is_one_error_and_nothing_is_written(tmp_path, capsys):
    (tmp_path / "x.json").write_text(json.dumps({"dialogue_data": [{"domain": "fashion"}]}))
    assert simmc2.main(["--raw", str(tmp_path / "x.json"), "--out", str(tmp_path / "out")]) == 2
    assert "x.json, row 0, dialogue_idx: missing" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


def test_the_release_and_its_card(shared_data, tmp_path, capsys):
    raw = shared_data / "simmc2" / "simmc2.1_dials_dstc11_dev.json"
    if not raw.is_file():
        pytest.skip("SIMMC 2 is not here")
    assert simmc2.main(["--raw", str(raw), "--out", str(tmp_path)]) == 0
    printed = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert sum(1 for _ in read_dialogues(tmp_path, tasks=("multi_round",), splits=("test",))) == 563
    card = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|$", card, re.MULTILINE))
    assert table and table == {name.strip(): number for name, number in printed.items()}
