"""Reasons: each is true of the item it is given for."""

import dataclasses

import numpy as np
import scipy.sparse as sp

from fcn import Item, LabelGroup, Profile
from seqllm.answering import answer
from seqllm.memory import QueryMemory
from seqllm.peers import Peers
from seqllm.profiles import ProfileInference
from seqllm.prompts import Event
from seqllm.ranker import Question
from seqllm.reasons import NOTHING_KNOWN, WANTED, _wanted


def reasons(hits, item_id):
    return next(hit.reasons for hit in hits if hit.item.item_id == item_id)


def test_a_search_is_matched_only_by_titles_that_match(kinds):
    hits = kinds.recommend(query="abel", k=24)
    assert "matches your search “abel”" in reasons(hits, "i00")
    assert not any("search" in r for r in reasons(hits, "i05"))


def test_a_look_alike_names_the_past_item(kinds):
    kinds.add_items([Item("twin", kinds.catalog.get("i04").title, "coat", "outerwear")])
    hits = kinds.recommend(["i01", "i04"], k=30)
    assert reasons(hits, "twin")[0] == f"like {kinds.catalog.get('i04').title}"


def test_chosen_together_is_said_only_of_what_was_and_names_the_past_item(kinds):
    hits = kinds.recommend(["i01", "i00"], k=30)
    similarity = kinds.ranker.evidence.neighbours.similarity
    for hit in hits:
        row = int(hit.item.item_id[1:])
        strength = {0: similarity[0, row], 1: similarity[1, row] * kinds.ranker.model.sizes.decay}
        title = kinds.catalog[max(strength, key=strength.get)].title
        assert (f"chosen by people who chose {title}" in hit.reasons) == (max(strength.values()) > 0)
    # One who turns lambda to titles alone is told of nothing else.
    assert not any("chosen by" in r for hit in kinds.recommend(["i00"], k=30, lam=1.0) for r in hit.reasons)


def test_popular_is_said_only_of_what_is(kinds):
    prior = kinds.index.vectors[:, -1]
    for hit in kinds.recommend(profile="size=s", k=24):
        row = kinds.catalog.row(hit.item.item_id)
        assert ("popular now" in hit.reasons) <= (prior[row] > prior.mean())


def test_what_suits_is_told_apart_stated_and_inferred(kinds):
    vocabulary = kinds.vocabulary
    assert LabelGroup("size", ("s", "m", "l"), "suits") in vocabulary.groups
    evidence = np.zeros((24, len(vocabulary)), np.float32)
    evidence[7, vocabulary.index("size=s")] = 1.0
    evidence[8, vocabulary.index("size=m")] = 1.0
    evidence[0, vocabulary.index("size=m")] = 9.0
    nothing = np.zeros(len(vocabulary), np.float32)
    kinds.ranker.inference = ProfileInference(vocabulary, evidence, nothing, 1.0, nothing, nothing + 1)
    kinds.mix = dataclasses.replace(kinds.mix, fit=1.0)
    stated = kinds.recommend(["i00"], Profile.parse("size=s"), k=24)
    assert "suits your s size" in reasons(stated, "i07")
    assert not any("suits" in r for r in reasons(stated, "i08"))
    inferred = kinds.recommend(["i00"], k=24)
    assert "suits what seems to be your m size" in reasons(inferred, "i08")
    assert not any("suits" in r for r in reasons(inferred, "i07"))


def test_no_more_than_three(kinds):
    assert all(1 <= len(hit.reasons) <= 3 for hit in kinds.recommend(["i00", "i04"], query="abel piece", k=24))


def knowing(kinds, **parts):
    """The recommender with other counted evidence, all of it heard."""
    kinds._take(dataclasses.replace(kinds.ranker.evidence, **parts))
    kinds.mix = dataclasses.replace(kinds.mix, peers=1.0, occasion=1.0, memory=1.0)
    return kinds


def test_a_remembered_search_is_named_only_where_it_spoke_for_the_item(kinds):
    def asked_by(n):
        users = np.arange(n)
        return QueryMemory.fit(users, users * 0, users * 0 + 7, ["brio coat"], 24, kinds.encoder.encode)

    phrase = "often chosen after searches like “brio coat”"
    hits = knowing(kinds, memory=asked_by(5)).recommend(query="brio  coat", k=24)
    assert phrase in reasons(hits, "i07")
    assert not any("searches like" in r for hit in hits if hit.item.item_id != "i07" for r in hit.reasons)
    rare = knowing(kinds, memory=asked_by(2)).recommend(query="brio coat", k=24)
    assert not any("searches like" in r for hit in rare for r in hit.reasons)
    knowing(kinds, memory=asked_by(5)).mix = dataclasses.replace(kinds.mix, memory=0.0)
    assert not any("searches like" in r for hit in kinds.recommend(query="brio coat", k=24) for r in hit.reasons)


def test_people_alike_and_occasions_are_named_where_they_chose_more(kinds):
    vocabulary, labels = kinds.vocabulary, len(kinds.vocabulary)
    counts = np.full((24, labels + 2), 20.0, np.float32)
    counts[5, vocabulary.index("size=s")] = 200
    counts[6, labels] = 200
    knowing(kinds, peers=Peers(vocabulary, ["wedding", "work"], sp.csr_matrix(counts)))
    hits = kinds.recommend(profile="size=s", occasion="Wedding", k=24)
    assert "often chosen by people with your s size" in reasons(hits, "i05")
    assert "often chosen for wedding" in reasons(hits, "i06")
    named = [hit.item.item_id for hit in hits for r in hit.reasons if r.startswith("often chosen")]
    assert sorted(named) == ["i05", "i06"]
    assert not any("your s size" in r for hit in kinds.recommend(profile="size=m", k=24) for r in hit.reasons)


def test_an_attribute_is_named_where_she_chose_it_before_and_it_counts(kinds):
    labels = len(kinds.vocabulary)
    assert kinds.attributes == ["category=dress", "category=coat"]
    asked = np.zeros(labels + 2, np.float32)
    dress, coat = kinds.catalog.rows(["i01", "i04"])
    rows = np.array([dress, coat])
    asked[labels:] = 1.0, 1.0
    said = _wanted(kinds, rows, kinds.catalog.rows(["i02", "i03", "i08"]), asked)
    assert said == [[(1.0, "category dress, as 2 of your choices")], []]  # one coat is no habit
    asked[labels:] = WANTED / 2, 0.0
    assert _wanted(kinds, rows, kinds.catalog.rows(["i02", "i03"]), asked) == [[], []]


def test_who_tells_nothing_is_told_no_lies(kinds):
    (shown,) = answer(kinds, [Question((Event(None),))], np.ones(24, bool), 24, True, 0.0, None)
    assert {r for why in shown.reasons for r in why} <= {"popular now", NOTHING_KNOWN}


def test_a_reason_is_one_short_line_whatever_the_titles_and_words(kinds):
    nasty = "red\x1b[2J\u2028dress\n" * 500
    kinds.add_items([Item("n0", nasty, "dress", "onepiece"), Item("n1", nasty + " ", "dress", "onepiece")])
    hits = kinds.recommend(["n0"], query="red dress " + nasty, k=30)
    assert any(r.startswith("like red [2J dress") for r in reasons(hits, "n1"))
    for hit in hits:
        assert all(len(r) <= 120 and r.isprintable() for r in hit.reasons)
