"""Training batches: what is asked, what is known then, and that nothing held out is in them."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fcn import DataFolder, Profile
from seqllm.base import build_tokenizer
from seqllm.data import SILENT, Collator, TrainingSet, pool
from seqllm.model import ModelConfig
from seqllm.prompts import PromptBuilder, phrases
from seqllm.sequences import EventLog
from seqllm.trend import Trend


class Setup:
    """Builder, batches and collator of a folder."""

    def __init__(self, folder, **options):
        self.folder, self.log = folder, EventLog.from_folder(folder)
        self.tokenizer = build_tokenizer(phrases([]), 400)
        self.builder = PromptBuilder(self.tokenizer, len(self.tokenizer), folder.catalog, folder.vocabulary)
        train, n = self.log.in_split("train"), len(folder.catalog)
        self.warm = np.bincount(self.log.item[train], minlength=n) > 0
        self.batches = TrainingSet(self.log, self.builder, 512)
        config = ModelConfig(n, len(self.builder.specials), 4, len(self.tokenizer), 8)
        profiles = [folder.profile(user) for user in self.log.user_ids]
        vectors = np.ones((max(len(self.log.queries), 1), 4), np.float32)
        trend = Trend(self.log.item[train], self.log.time[train], n)
        self.collate = Collator(self.log, self.builder, profiles, vectors, trend, self.warm, config, **options)


@pytest.fixture
def made(kinds_world):
    return Setup(kinds_world)


def test_every_training_choice_is_asked_for_once_and_nothing_else(made):
    asked = np.concatenate([w.rows for batch in made.batches for w in batch])
    assert sorted(asked.tolist()) == made.log.in_split("train").tolist()
    assert made.batches.n_targets == len(asked)


def test_some_occasions_are_not_told_though_all_are_known(made):
    log = dataclasses.replace(made.log, occasion=np.zeros_like(made.log.occasion), occasions=["zanzibar"])
    batches = TrainingSet(log, made.builder, 512)
    texts = [made.builder.text(w.prompt) for batch in batches for w in batch]
    told, asked = sum(text.count("zanzibar") for text in texts), sum(text.count("[REC]") for text in texts)
    assert asked >= batches.n_targets
    assert SILENT / 2 < 1 - told / asked < 2 * SILENT


def test_batches_keep_to_their_size(made):
    for batch in made.batches:
        assert len(batch) == 1 or max(len(w.prompt.ids) for w in batch) * len(batch) <= 512


def test_a_batch_says_what_was_chosen_and_what_was_known_then(made):
    for windows in made.batches:
        batch, log = made.collate([windows]), made.log
        rows = np.concatenate([w.rows for w in windows])
        chosen = batch["candidates"][batch["target"]].numpy()
        assert chosen.tolist() == log.item[rows].tolist()
        at_rec = batch["input_ids"][batch["rec"][:, 0], batch["rec"][:, 1]]
        assert (at_rec == made.builder.rec_id).all() and len(at_rec) == len(rows)
        ends = [*batch["offsets"].tolist()[1:], len(batch["history"])]
        for p, row in enumerate(rows.tolist()):
            past = log.item[log.start[log.user[row]] : row]
            assert batch["history"][batch["offsets"][p] : ends[p]].tolist() == past.tolist()
            excluded = batch["excluded"][batch["excluded"][:, 0] == p, 1]
            assert set(batch["candidates"][excluded].tolist()) == set(past.tolist())
        assert made.warm[batch["candidates"].numpy()].all()


def test_a_profile_is_hidden_as_often_as_asked(kinds_world):
    def tokens(**options):
        made = Setup(kinds_world, **options)
        ids = [made.collate([windows])["input_ids"].numpy() for windows in made.batches for _ in range(5)]
        low, high = made.builder.rec_id + 1, made.builder.item_base
        return sum(int(((i >= low) & (i < high)).sum()) for i in ids), 5 * made.batches.n_windows

    assert tokens(group_dropout=0.0, profile_dropout=0.0)[0] == tokens()[1]
    assert tokens(profile_dropout=1.0)[0] == 0
    found, windows = tokens(group_dropout=0.0, profile_dropout=0.5)
    assert 0.4 < found / windows < 0.6


def test_sampled_candidates_hold_every_target_and_correct_for_their_chances(kinds_world):
    made = Setup(kinds_world, negatives=5, full_below=4)
    for windows in made.batches:
        batch = made.collate([windows])
        rows = np.concatenate([w.rows for w in windows])
        assert batch["candidates"][batch["target"]].tolist() == made.log.item[rows].tolist()
        assert (batch["log_q"] < 0).all() and len(batch["candidates"]) < made.warm.sum()


def test_the_chance_of_being_a_candidate_is_as_stated(kinds_world):
    made = Setup(kinds_world, negatives=5, full_below=4)
    rng, n, seen = np.random.default_rng(0), len(made.warm), np.zeros(len(made.warm))
    stated = np.zeros(n)
    targets = made.log.item[made.log.in_split("train")]
    for _ in range(2000):
        rows, log_q = made.collate._candidates(rng.choice(targets, 6))
        seen[rows] += 1
        stated[rows] = np.exp(log_q)
    warm = made.warm
    np.testing.assert_allclose(seen[warm] / 2000, stated[warm], atol=0.05)


class Tell:
    """Profile inference that notes what it was shown."""

    def __init__(self):
        self.shown = []

    def infer(self, items):
        self.shown.append(items.tolist())
        return Profile()


def test_held_out_events_between_training_events_stay_out(kinds_world, tmp_path):
    """A split that is not in time order: nothing of the second event may reach what is learnt of the third."""
    path = tmp_path / "data"
    path.mkdir()
    for file in ("dataset.json", "items.parquet", "people.parquet"):
        (path / file).write_bytes((kinds_world.path / file).read_bytes())
    table = pq.read_table(kinds_world.path / "interactions.parquet")
    splits = [("train", "test", "train", "val", "train", "train")[k % 6] for k in range(table.num_rows)]
    at = table.column_names.index("split")
    pq.write_table(table.set_column(at, "split", pa.array(splits)), path / "interactions.parquet")
    tell = Tell()
    made = Setup(DataFolder.open(path), inference=tell)
    train = made.log.split == 0
    for windows in made.batches:
        batch = made.collate([windows])
        for p, row in enumerate(np.concatenate([w.rows for w in windows]).tolist()):
            before = np.arange(made.log.start[made.log.user[row]], row)
            end = [*batch["offsets"].tolist(), len(batch["history"])][p + 1]
            found = batch["history"][batch["offsets"][p] : end].tolist()
            assert found == made.log.item[before[train[before]]].tolist()
        for window, shown in zip(windows, tell.shown[-len(windows) :], strict=True):
            before = np.arange(made.log.start[window.user], window.rows[0])
            assert shown == made.log.item[before[train[before]]].tolist()


def test_the_newest_item_weighs_one_and_each_before_it_less():
    flat = pool([np.arange(3), np.zeros(0, np.int64), np.arange(50)], 0.5)
    assert flat["offsets"].tolist() == [0, 3, 3]
    assert flat["weights"][:3].tolist() == [0.25, 0.5, 1.0]
    assert flat["history"][3:].tolist() == list(range(20, 50))
