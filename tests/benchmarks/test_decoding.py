"""benchmarks/decoding.py on a toy world: its rows differ in where the direction comes from and in nothing else."""

import dataclasses

import numpy as np
import pytest

from benchmarks import decoding
from fcn import DataFolder
from seqllm.evaluate import KNOWN, questions_of
from seqllm.metrics import ranking_metrics
from seqllm.ranker import Mix
from seqllm.rerank import ranks
from seqllm.sequences import EventLog
from seqllm.train import train
from tests.seqllm.conftest import options, tiny_base, write_world  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> DataFolder:
    """Forty people go on from item to item."""
    events = [[((user + 2 * step) % 20, None) for step in range(5)] for user in range(40)]
    return write_world(tmp_path_factory.mktemp("world") / "data", events)


@pytest.fixture(scope="module")
def recommender(tmp_path_factory, folder, tiny_base):  # noqa: F811
    out = tmp_path_factory.mktemp("run") / "seqllm"
    return train(folder, out, options(tiny_base, head_epochs=1, decode=True))


def test_every_row_ranks_the_whole_catalogue_and_only_free_writing_leaves_the_format(recommender, folder):
    found = {grammar: decoding.measured(recommender, folder, grammar) for grammar in (None, "titles", "none")}
    log = EventLog.from_folder(folder)
    asked, targets, _ = questions_of(log, log.profiles, "test")
    with recommender.knowing(log, *KNOWN["test"]):
        expected = ranking_metrics(ranks(recommender.ranker, asked, targets, Mix(lam=1.0)), ks=(10,))
    assert found[None]["ndcg@10"] == pytest.approx(expected["ndcg@10"]) and "malformed" not in found[None]
    assert found["titles"]["malformed"] == found["titles"]["malformed_any"] == 0
    assert found["none"]["malformed_any"] > 0  # the toy's language model knows no language
    assert all(np.isfinite(value) for row in found.values() for value in row.values())


def test_trainings_share_title_space_and_base_and_are_done_once(recommender, folder, tmp_path, monkeypatch):
    told = []

    def fake(folder, place, options):
        told.append(options)
        return recommender.save_pretrained(place) and recommender

    monkeypatch.setattr(decoding, "PLACE", tmp_path)
    monkeypatch.setattr(decoding, "train", fake)
    assert list(decoding.trained(folder, 7)) == ["plain", "taught", "replay"]
    plain, taught, replay = told
    assert plain == decoding.Options(seed=7) and taught.base == str(tmp_path / "plain-7" / "base")
    assert dataclasses.replace(taught, replay=replay.replay) == replay and taught.decode and replay.replay > 0
    for name in decoding.TAUGHT:
        (tmp_path / f"{name}-7" / "evaluation.json").write_text("{}")
    decoding.trained(folder, 7)
    assert len(told) == 3
