"""Training by torchrun on two processes: shared batches, one writer, the same curve as one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqllm import Recommender

ROOT = Path(__file__).resolve().parents[2]

FIT = '''
import json, sys
from pathlib import Path
import torch
from fcn.training import fit, processes

out = Path(sys.argv[1])
x = torch.linspace(-1, 1, 32)[:, None] * torch.tensor([[1.0, 2.0, -1.0]]) + torch.eye(3).repeat(11, 1)[:32]
y = x @ torch.tensor([1.0, -2.0, 0.5])
seen, told = [], []


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def forward(self, rows):
        seen.append(rows.tolist())
        return {"loss": ((x[rows] @ self.weight - y[rows]) ** 2).mean()}


def validate(model):
    told.append(1.0 + len(told) - 10 * processes().process_index)  # the others would stop at once
    return {"map": told[-1]}


model = Line()
history = fit(model, list(range(32)), validate, out=out / "run", collate=lambda rows: {"rows": torch.tensor(rows)},
              epochs=3, batch_size=16, lr=0.1, patience=1)
found = {"weight": model.weight.tolist(), "seen": seen, "rows": history.rows, "world": processes().num_processes}
(out / f"{processes().num_processes}-{processes().process_index}.json").write_text(json.dumps(found))
'''


def run(*command: object, processes: int = 2) -> str:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    python = launcher if processes > 1 else [sys.executable]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*python, *map(str, command)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_two_processes_share_each_batch_and_step_as_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(FIT)
    for processes in (1, 2):
        run(script, tmp_path, processes=processes)
    alone, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1"))
    assert (alone["world"], first["world"], second["world"]) == (1, 2, 2)
    steps = list(zip(first["seen"], second["seen"], strict=True))
    assert len(steps) == len(alone["seen"]) == 6  # two batches of 16 an epoch, three epochs
    for one, other in steps:
        assert len(one) == len(other) == 8 and not set(one) & set(other)
    for epoch in (steps[:2], steps[2:4], steps[4:]):
        assert sorted(row for pair in epoch for half in pair for row in half) == list(range(32))
    np.testing.assert_allclose(first["weight"], second["weight"])
    assert first["rows"] == second["rows"]  # the first process's figures count everywhere
    assert [row["map"] for row in first["rows"]] == [row["map"] for row in alone["rows"]] == [1.0, 2.0, 3.0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, kinds_world, tiny_base):
    """Folders of the same training on one process and on two, and what each said."""
    place, found = tmp_path_factory.mktemp("distributed"), {}
    asked = "--head-epochs 4 --epochs 4 --patience 8 --lr 5e-3 --lora-rank 8 --id-dim 16 --max-tokens 160"
    asked = ["--base", tiny_base, "--tokens-per-batch", "1024", *asked.split()]
    for processes in (1, 2):
        out = place / f"{processes}"
        said = run(ROOT / "train_llm.py", "--data", kinds_world.path, "--out", out, *asked, processes=processes)
        found[processes] = out, said
    return found


def test_the_curve_on_two_processes_is_that_on_one(trained):
    one, two = (json.loads((trained[n][0] / "history.json").read_text()) for n in (1, 2))
    assert [(row["phase"], row["epoch"]) for row in one] == [(row["phase"], row["epoch"]) for row in two]
    loss = np.array([[row["loss"] for row in rows] for rows in (one, two)])
    assert loss[0, -1] < 0.9 * loss[0, 0]
    np.testing.assert_allclose(loss[1], loss[0], rtol=0.08)
    best = [max(row["ndcg@10"] for row in rows) for rows in (one, two)]
    assert abs(best[0] - best[1]) < 0.1


def test_one_process_writes_and_speaks(trained):
    out, said = trained[2]
    assert said.count("wrote ") == said.count("choices in") == said.count("tuned on validation") == 1
    assert not (out / "cache").exists() and not (out / "checkpoints").exists()
    hits = Recommender.from_pretrained(out).recommend(["i02"], k=5)
    assert len(hits) == 5


def test_the_settings_for_gpus_are_read_by_accelerate():
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(ROOT / "configs" / "gpus.yaml"))
    assert (found.distributed_type, found.num_machines, found.mixed_precision) == ("MULTI_GPU", 1, "no")
