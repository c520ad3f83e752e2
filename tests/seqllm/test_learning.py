"""The two phases: heads without the language model, then the model through a gate, kept where it helps."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from fcn.errors import ArtifactError
from seqllm import learning
from seqllm.learning import Pace, learn
from seqllm.prompts import Event
from seqllm.ranker import Question
from seqllm.train import Options

CHOICES = Question((Event(None, 3), Event(None, 5), Event(1_700_000_000, None, "purchase", "abel", "wedding")))


def reads(recommender, value):
    model = recommender.ranker.model
    model.sizes = dataclasses.replace(model.sizes, reads=value)


def title(recommender):
    with torch.no_grad():
        return recommender.ranker.ask([CHOICES]).title


@pytest.mark.parametrize(("batches", "heads", "reading"), [(10, 12, 8), (433, 5, 1), (865, 2, 1), (40_000, 2, 1)])
def test_epochs_follow_from_the_size_of_the_data(batches, heads, reading):
    pace = Pace.of(Options(), batches)
    assert (pace.head_epochs, pace.epochs) == (heads, reading)
    assert Pace.of(Options(head_epochs=3, epochs=0, lr=5e-3), batches) == Pace(3, 0, 5e-3, 2)


def test_a_closed_gate_is_as_if_nothing_were_read(kinds):
    model = kinds.ranker.model
    torch.nn.init.normal_(model.title_head.weight, std=0.1)
    model.state_gate.data.zero_()
    reads(kinds, True)
    closed = title(kinds)
    reads(kinds, False)
    torch.testing.assert_close(title(kinds), closed)
    reads(kinds, True)
    model.state_gate.data.fill_(0.5)
    assert not torch.allclose(title(kinds), closed, atol=1e-3)


def test_without_reading_the_language_model_is_not_run(kinds, monkeypatch):
    def run(*_, **__):
        raise AssertionError("the language model was run")

    monkeypatch.setattr(kinds.ranker.model.lm.get_base_model().base_model, "forward", run)
    reads(kinds, False)
    assert len(kinds.recommend(["i00"], query="abel", k=4)) == 4
    reads(kinds, True)
    with pytest.raises(AssertionError, match="was run"):
        kinds.recommend(["i00"], query="abel", k=4)


class Fits:
    """Stands for the training loop: a phase moves every weight it may move and reports the value it is given."""

    def __init__(self, model, values):
        self.model, self.values, self.calls = model, dict(values), []

    def __call__(self, model, batches, validate, *, out, parameter_groups, epochs, **options):
        self.calls.append((out.name, epochs))
        with torch.no_grad():
            for group in parameter_groups:
                for p in group["params"]:
                    p.add_(1.0)
        rows = [{"epoch": 1, "ndcg@10": self.values[out.name]}]
        return type("History", (), {"rows": rows, "best": rows[0]})


def run(kinds, monkeypatch, place, key=None, epochs=1, **values):
    fits = Fits(kinds.ranker.model, values)
    monkeypatch.setattr(learning, "fit", fits)
    pace = Pace(2, epochs, 1e-3, 2)
    key = {"data": "a"} if key is None else key
    rows = learn(kinds.ranker.model, [], None, None, place, pace, key=key, seed=0, restart=False)
    return fits.calls, [row["phase"] for row in rows]


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def test_the_first_phase_leaves_the_language_model_alone(kinds, monkeypatch, tmp_path):
    model, before = kinds.ranker.model, weights(kinds.ranker.model)
    calls, phases = run(kinds, monkeypatch, tmp_path / "phases", epochs=0, heads=0.5)
    assert calls == [("heads", 2)] and phases == ["heads"] and not model.sizes.reads
    for name, p in weights(model).items():
        assert torch.equal(p, before[name]) == name.startswith("lm.")


@pytest.mark.parametrize("helps", [True, False])
def test_reading_is_kept_only_where_it_ranks_better(kinds, monkeypatch, tmp_path, helps, capsys):
    place = tmp_path / "phases"
    calls, phases = run(kinds, monkeypatch, place, heads=0.5, reading=0.53 if helps else 0.505)
    model = kinds.ranker.model
    assert phases == ["heads", "reading"] and model.sizes.reads == helps
    first = load_file(place / "heads.safetensors")
    same = all(torch.equal(p, first[name]) for name, p in weights(model).items() if not name.startswith("lm."))
    assert same == (not helps) and ("is left out" in capsys.readouterr().out) == (not helps)


def test_a_finished_first_phase_is_not_repeated(kinds, monkeypatch, tmp_path):
    place = tmp_path / "phases"
    run(kinds, monkeypatch, place, epochs=0, heads=0.5)
    heads = load_file(place / "heads.safetensors")
    with torch.no_grad():
        kinds.ranker.model.item_bias.fill_(7.0)
    calls, phases = run(kinds, monkeypatch, place, reading=0.4)
    assert calls == [("reading", 1)] and phases == ["heads", "reading"]
    assert torch.equal(kinds.ranker.model.item_bias.detach(), heads["item_bias"])
    assert json.loads((place / "heads.json").read_text())[0]["ndcg@10"] == 0.5


def test_what_another_run_left_is_refused_with_the_remedy(kinds, monkeypatch, tmp_path):
    place = tmp_path / "phases"
    run(kinds, monkeypatch, place, epochs=0, heads=0.5)
    with pytest.raises(ArtifactError, match=r"other data.*--restart"):
        run(kinds, monkeypatch, place, key={"data": "b"}, heads=0.5)
