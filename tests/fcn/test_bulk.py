import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from fcn import DataError, DataFolder, OutfitScorer, bulk

PROFILE = "body_figure=triangle,skin_color=fair,height=low"
FIELDS = ("score", "coherence", "personal")


@pytest.fixture(scope="module")
def outfits(small_sample):
    return [list(outfit.item_ids) for outfit in DataFolder.open(small_sample).outfit_list()]


@pytest.fixture(scope="module")
def rows(scorer, outfits):
    found = [scorer.catalog.rows(outfit) for outfit in outfits]
    return np.array([np.pad(row, (0, 7 - len(row)), constant_values=-1) for row in found])


def numbers(scores):
    return np.array([getattr(scores, name) for name in FIELDS])


def test_rows_are_scored_as_outfits_are(scorer, outfits, rows):
    one_by_one = [scorer.score(outfit, PROFILE) for outfit in outfits[:40]]
    expected = np.array([[getattr(result, name) for result in one_by_one] for name in FIELDS])
    np.testing.assert_allclose(numbers(scorer.score_rows(rows, PROFILE))[:, :40], expected, atol=1e-6, rtol=0)
    assert numbers(scorer.score_rows(rows[:0], PROFILE)).shape == (3, 0)


def test_order_and_place_of_padding_do_not_matter(scorer, rows):
    turned = np.random.default_rng(0).permuted(rows, axis=1)
    assert (turned[:, 0] == -1).any()
    found, expected = scorer.score_rows(turned, PROFILE), scorer.score_rows(rows, PROFILE)
    np.testing.assert_allclose(numbers(found), numbers(expected), atol=1e-6, rtol=0)


def test_a_stream_of_ids_comes_in_batches(scorer, outfits, rows, monkeypatch):
    expected = numbers(scorer.score_rows(rows, PROFILE))
    monkeypatch.setattr(bulk, "BATCH", 100)
    parts = list(scorer.score_many(iter(outfits), PROFILE))
    assert [len(part.score) for part in parts] == [100, 100, 40]
    np.testing.assert_allclose(np.concatenate([numbers(part) for part in parts], 1), expected, atol=1e-6, rtol=0)
    assert list(scorer.score_many([], PROFILE)) == []


def test_a_catalogue_too_large_for_the_table_scores_the_same(tiny_run, scorer, rows):
    small = OutfitScorer.from_pretrained(tiny_run[0])
    small.table_bytes = 0
    expected = numbers(scorer.score_rows(rows, PROFILE))
    np.testing.assert_allclose(numbers(small.score_rows(rows, PROFILE)), expected, atol=1e-6, rtol=0)
    assert scorer._table is not None and small._table is None


def test_another_catalogue_is_scored_with_its_own_items(tiny_run, rows):
    scorer = OutfitScorer.from_pretrained(tiny_run[0])
    before = numbers(scorer.score_rows(rows, PROFILE))
    turned = np.arange(len(scorer.catalog))[::-1]
    scorer.attach(scorer.catalog.take(turned), np.array(scorer.features)[turned])
    mirrored = np.where(rows >= 0, len(turned) - 1 - rows, -1)
    np.testing.assert_allclose(numbers(scorer.score_rows(mirrored, PROFILE)), before, atol=1e-6, rtol=0)


def part_of(path, rows, threads):
    """In a process of its own."""
    torch.set_num_threads(threads)
    return numbers(OutfitScorer.from_pretrained(path).score_rows(rows, PROFILE))


def test_processes_and_threads_do_not_change_a_score(tiny_run, scorer, rows):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context) as pool:
        halves = [pool.submit(part_of, tiny_run[0], part, i + 1) for i, part in enumerate(np.array_split(rows, 2))]
        found = np.concatenate([half.result() for half in halves], 1)
    np.testing.assert_allclose(found, numbers(scorer.score_rows(rows, PROFILE)), atol=1e-6, rtol=0)


def test_the_command_scores_every_outfit_of_a_folder(tiny_run, small_sample, scorer, rows, tmp_path):
    out = tmp_path / "new" / "scores.parquet"
    command = [sys.executable, "-m", "fcn", "score", "--model", tiny_run[0], "--data", small_sample]
    done = subprocess.run([*command, "--profile", PROFILE, "--out", out], capture_output=True, text=True)
    assert done.returncode == 0 and "240 outfits" in done.stdout, done.stderr
    table = pq.read_table(out)
    assert table.column_names == ["outfit_id", *FIELDS]
    names = [outfit.outfit_id for outfit in DataFolder.open(small_sample).outfit_list()]
    assert table["outfit_id"].to_pylist() == names
    found = np.array([table[name].to_numpy() for name in FIELDS])
    np.testing.assert_allclose(found, numbers(scorer.score_rows(rows, PROFILE)), atol=1e-6, rtol=0)
    assert os.listdir(out.parent) == ["scores.parquet"]


def test_no_file_is_left_when_scoring_fails(scorer, small_sample, tmp_path, monkeypatch):
    folder = DataFolder.open(small_sample)
    monkeypatch.setattr(bulk, "BATCH", 100)
    scored = []

    def fail(rows, profile):
        if scored:
            raise KeyboardInterrupt
        scored.append(len(rows))
        return bulk.score_rows(scorer, rows, scorer._profile(profile))

    monkeypatch.setattr(scorer, "score_rows", fail)
    with pytest.raises(KeyboardInterrupt):
        bulk.write_scores(scorer, folder, PROFILE, tmp_path / "scores.parquet")
    assert scored == [100] and os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[0, 300]], "row 0, rows: 300: no such row"),
        ([[0, 1], [2, -2]], "row 1, rows: -2: no such row"),
        ([[0, 1], [-1, -1]], "row 1, rows: an outfit without items"),
        ([[0.5, 1.0]], "not outfits"),
        ([0, 1], "not outfits"),
    ],
)
def test_bad_rows_give_one_clear_error(scorer, rows, said):
    with pytest.raises(DataError, match=said):
        scorer.score_rows(np.array(rows), PROFILE)


def test_bad_streams_and_commands_give_one_clear_error(scorer, toy_folder, capsys):
    with pytest.raises(DataError, match="did you mean"):
        list(scorer.score_many([["i00001"], ["i0000"]]))
    with pytest.raises(DataError, match="an outfit without items"):
        list(scorer.score_many([["i00001"], []]))
    from fcn.__main__ import main

    for arguments in ([], ["--data", str(toy_folder)], ["i00", "--out", "scores.parquet"]):
        assert main(["score", "--model", "none", *arguments]) == 2
        assert "name pieces" in capsys.readouterr().err
