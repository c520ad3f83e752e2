"""python -m seqllm, as typed."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from fcn import Catalog, Item
from seqllm.__main__ import main


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def model(kinds_path, tmp_path):
    """A copy of the trained folder that a test may write into."""
    return shutil.copytree(kinds_path, tmp_path / "model")


def test_recommend_prints_json_and_nothing_else(kinds_path, capfd):
    code, out, _ = run(
        capfd, "recommend", "--model", str(kinds_path), "--history", "i00", "i02",
        "--profile", "size=s", "--query", "abel piece", "--occasion", "wedding", "-k", "3", "--category", "dress",
        "--in-stock", "--max-price", "40", "--json",
    )  # fmt: skip
    hits = json.loads(out)
    assert code == 0 and len(hits) == 3
    assert {"item_id", "title", "category", "price", "score", "reasons"} <= hits[0].keys()
    assert all(h["category"] == "dress" and h["in_stock"] and h["price"] <= 40 for h in hits)


def test_recommend_prints_a_table_a_person_reads(capsys, kinds_path):
    code, out, _ = run(capsys, "recommend", "--model", kinds_path, "--history", "i00", "-k", 4, "--diversity", 0.3)
    lines = out.splitlines()
    assert code == 0 and len(lines) == 4
    assert lines[0].split()[0] == "1" and "piece" in lines[0] and "chosen by people" in out


def test_lambda_reaches_the_ranking(capsys, kinds_path):
    asked = ["recommend", "--model", kinds_path, "--history", "i00", "-k", 20, "--json", "--lam"]
    titles, own = (json.loads(run(capsys, *asked, lam)[1]) for lam in (1, 0))
    assert [h["item_id"] for h in titles] != [h["item_id"] for h in own]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--history", "i99"], ["i99", "did you mean"]),
        (["--history", "i00", "--profile", "size=xxl"], ["size", "xxl", "unknown value of size"]),
        (["--history", "i00", "--profile", "size"], ["size", "group=value"]),
        (["--history", "i00", "--category", "drss"], ["drss", "did you mean 'dress'"]),
        (["--history", "i00", "--slot", "shoe"], ["shoe", "shoes"]),
        (["--history", "i00", "-k", "0"], ["k", "1 or more"]),
        (["--history"], ["history", "nothing else is known"]),
        ([], ["history", "nothing else is known"]),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(capsys, kinds_path, arguments, words):
    code, out, err = run(capsys, "recommend", "--model", kinds_path, *arguments)
    assert code == 2 and out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and all(word in errors[0] for word in words)


def test_an_error_is_the_only_line_on_stderr(kinds_path):
    command = [sys.executable, "-m", "seqllm", "recommend", "--model", str(kinds_path), "--history", "i99"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "i99" in done.stderr, done.stderr


def test_a_folder_without_a_model_is_said(capsys, tmp_path):
    code, _, err = run(capsys, "recommend", "--model", tmp_path / "none", "--history", "i00")
    assert code == 2 and "train one first" in err and len(err.splitlines()) == 1


def test_evaluate_writes_the_report_and_the_ranks(capsys, model, kinds_world, tmp_path):
    ranks, out = tmp_path / "out" / "ranks.parquet", tmp_path / "out" / "report.json"
    trained = json.loads((model / "evaluation.json").read_text())
    asked = ["evaluate", "--model", model, "--data", kinds_world.path]
    code, printed, _ = run(capsys, *asked, "--json", "--dump-ranks", ranks, "--out", out)
    report = json.loads(printed)
    assert code == 0 and report == json.loads(out.read_text()) == json.loads((model / "evaluation.json").read_text())
    # What training measured, loading and measuring again gives.
    assert report["ndcg@10"] == pytest.approx(trained["ndcg@10"], abs=1e-6)
    assert report["training"] == trained["training"]
    table = pq.read_table(ranks)
    assert table.num_rows == report["events"] and min(table["rank"].to_pylist()) == 0
    code, printed, _ = run(capsys, *asked, "--split", "val")
    assert code == 0 and "itemknn" in printed and "dresswell" in printed
    assert json.loads((model / "evaluation.json").read_text()) == report
    assert json.loads((model / "evaluation-val.json").read_text())["split"] == "val"


def test_evaluate_refuses_other_data_and_leaves_the_report(capsys, model, toy_folder):
    before = (model / "evaluation.json").read_bytes()
    code, _, err = run(capsys, "evaluate", "--model", model, "--data", toy_folder)
    assert code == 2 and "other items" in err and (model / "evaluation.json").read_bytes() == before


def test_index_brings_the_model_up_to_date(capsys, model, kinds_world, tmp_path):
    data = shutil.copytree(kinds_world.path, tmp_path / "data")
    items = [dataclasses.replace(item, price=1.5) for item in kinds_world.catalog if item.item_id != "i22"]
    Catalog.from_items([*items, Item("i24", "zephyr hat", "hat", "accessory")]).write(data / "items.parquet")
    code, out, _ = run(capsys, "index", "--model", model, "--data", data, "--out", tmp_path / "new")
    assert code == 0 and "24 items, 1 added, 1 removed, 0 changed" in out
    asked = ["--history", "i00", "-k", 50, "--json"]
    new = json.loads(run(capsys, "recommend", "--model", tmp_path / "new", *asked)[1])
    old = json.loads(run(capsys, "recommend", "--model", model, *asked)[1])
    assert {h["item_id"] for h in new} - {h["item_id"] for h in old} == {"i24"}
    assert "i22" not in {h["item_id"] for h in new} and {h["price"] for h in new} == {1.5, None}
    assert run(capsys, "index", "--model", tmp_path / "new", "--data", kinds_world.path)[0] == 0
    again = json.loads(run(capsys, "recommend", "--model", tmp_path / "new", *asked)[1])
    assert (tmp_path / "new" / "history.json").read_bytes() == (model / "history.json").read_bytes()
    assert {h["item_id"] for h in again} == {h["item_id"] for h in old}
    assert run(capsys, "evaluate", "--model", tmp_path / "new", "--data", kinds_world.path)[0] == 0


def test_the_readme_import_is_quick_and_brings_no_torch(repo_root):
    code = "import sys, seqllm, seqllm.__main__; assert 'torch' not in sys.modules; print(dir(seqllm))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repo_root)
    assert "Recommender" in done.stdout, done.stderr
    import seqllm
    from seqllm import Recommender

    assert Recommender.__module__ == "seqllm.recommender"
    assert {"Recommender", "Hit", "EventLog"} <= set(dir(seqllm))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = seqllm.Nothing
