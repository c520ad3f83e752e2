import json

import numpy as np
import pytest

from fcn.__main__ import main


@pytest.fixture(scope="module")
def pieces(scorer, small_sample):
    return [scorer.catalog[0].item_id, str(small_sample / scorer.catalog[5].image)]


@pytest.fixture(scope="module")
def model(tiny_run):
    return ["--model", str(tiny_run[0])]


def test_score_as_json_and_as_table(scorer, model, pieces, capsys):
    assert main(["score", *model, *pieces, "--profile", "body_figure=triangle,height=low", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["score"] == scorer.score(pieces, "body_figure=triangle,height=low").score
    assert main(["score", *model, *pieces, "--profile", "body_figure=triangle"]) == 0
    out = capsys.readouterr().out
    assert "coherence" in out and "body_figure=triangle" in out and "of known outfits are at least as strange" in out


def test_explain_with_card(model, pieces, capsys, tmp_path):
    card = tmp_path / "card.png"
    assert main(["explain", *model, *pieces, "--swaps", "1", "--out", str(card)]) == 0
    assert "without it" in capsys.readouterr().out and card.stat().st_size > 1000
    assert main(["explain", *model, *pieces, "--json"]) == 0
    assert "items" in json.loads(capsys.readouterr().out)


def test_complete(scorer, model, pieces, capsys):
    item = scorer.catalog[0].item_id
    arguments = ["complete", *model, item, "--slot", "shoes", "--slot", "bag", "-k", "2", "--profile", "height=low"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = scorer.complete([item], ["shoes", "bag"], "height=low", k=2)
    assert found == {slot: [json.loads(json.dumps(one.to_json())) for one in items] for slot, items in expected.items()}
    assert main([*arguments, "--max-price", "0"]) == 0
    assert capsys.readouterr().out == "shoes: no item passes the filters\nbag: no item passes the filters\n"
    assert main(["complete", *model, *pieces, "--category", "no such thing"]) == 2
    assert "no such category" in capsys.readouterr().err
    assert main(["complete", *model, *pieces]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = scorer.complete(pieces, k=5)
    assert [line for line in lines if not line.startswith(" ")] == list(missing)
    assert len(lines) == len(missing) + sum(map(len, missing.values()))


def test_embed(scorer, model, pieces, tmp_path, capsys):
    assert main(["embed", *model, *pieces, "--out", str(tmp_path / "e.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "e.npy"), scorer.embed([pieces]), atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["e.npy"]


def test_check(toy_folder, capsys):
    assert main(["check", str(toy_folder)]) == 0
    assert "no problems" in capsys.readouterr().out
    (toy_folder / "images" / "coat.png").write_bytes(b"")
    assert main(["check", str(toy_folder)]) == 2
    assert "coat.png" in capsys.readouterr().err
    assert main(["check", str(toy_folder), "--skip-bad"]) == 0
    assert "items.parquet: 1 rows would be dropped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["i99999"], "i99999"),
        (["gone.png"], "gone.png"),
        (["i00001", "--profile", "height=tall"], "height"),
        (["i00001", "--profile", "height"], "group=value"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(model, arguments, said, capsys):
    assert main(["score", *model, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and said in captured.err and captured.err.count("\n") == 1


def test_a_model_that_is_not_there(tmp_path, capsys):
    assert main(["score", "--model", str(tmp_path / "none"), "i1"]) == 2
    assert "artifact.json" in capsys.readouterr().err
