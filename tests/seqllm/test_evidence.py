"""What is counted from events: of which splits, moved to another catalogue, saved and loaded."""

import dataclasses

import numpy as np
import pytest

from fcn.errors import DataError
from seqllm.evidence import Evidence
from seqllm.sequences import EventLog


def encode(texts):
    return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]


@pytest.fixture
def log(kinds_world):
    log = EventLog.from_folder(kinds_world)
    words = np.arange(len(log)) % 3  # two searches and none
    return dataclasses.replace(log, query=(words - 1).astype(np.int32), queries=["ab", "abc"])


def same(one: Evidence, other: Evidence) -> bool:
    a, b = one.tensors(), other.tensors()
    return one.now == other.now and a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def learn(log, vocabulary, *splits):
    return Evidence.learn(log, splits, 24, vocabulary, encode)


def test_later_splits_are_not_counted(log, kinds_world):
    vocabulary, later = kinds_world.vocabulary, log.split > 0
    changed = dataclasses.replace(
        log, item=np.where(later, 23, log.item).astype(np.int32), query=np.where(later, -1, log.query).astype(np.int32),
        time=np.where(later, log.time + 10**6, log.time),
    )  # fmt: skip
    assert same(learn(log, vocabulary, "train"), learn(changed, vocabulary, "train"))
    assert not same(learn(log, vocabulary, "train", "val"), learn(changed, vocabulary, "train", "val"))


def test_every_part_counts(log, kinds_world):
    evidence = learn(log, kinds_world.vocabulary, "train")
    train = log.in_split("train")
    assert evidence.trend.counts(np.array([evidence.now]))[0].sum() == len(train)
    assert evidence.neighbours.similarity.nnz and evidence.peers.counts.sum() == len(train)  # one label a person
    assert len(evidence.memory) == 2 and evidence.now == log.time[train].max() + 86_400


def test_rearranged_it_says_the_same_of_each_item(log, kinds_world):
    evidence = learn(log, kinds_world.vocabulary, "train")
    place = np.random.default_rng(0).permutation(30)[:24]
    moved, at = evidence.rearranged(place, 30), np.array([evidence.now])
    np.testing.assert_array_equal(moved.trend.counts(at)[0][place], evidence.trend.counts(at)[0])
    np.testing.assert_array_equal(moved.peers.lift()[place], evidence.peers.lift())
    searched = encode(["ab", "abc", ""])
    np.testing.assert_array_equal(
        moved.memory.scores(searched).toarray()[:, place], evidence.memory.scores(searched).toarray()
    )
    near = evidence.neighbours.scores([np.array([2, 4])]).toarray()
    np.testing.assert_allclose(moved.neighbours.scores([place[[2, 4]]]).toarray()[:, place], near, rtol=1e-6)


def test_saved_and_loaded_it_is_the_same(log, kinds_world):
    evidence = learn(log, kinds_world.vocabulary, "train", "val")
    parts = {}
    for name, value in evidence.tensors().items():
        part, _, array = name.partition(".")
        parts.setdefault(part, {})[array] = value
    again = Evidence.from_tensors(parts, kinds_world.vocabulary, evidence.peers.occasions, evidence.now)
    assert same(evidence, again)


def test_no_events_is_said(log, kinds_world):
    none = dataclasses.replace(log, split=np.zeros_like(log.split))
    with pytest.raises(DataError, match="no events to learn from"):
        learn(none, kinds_world.vocabulary, "val")
