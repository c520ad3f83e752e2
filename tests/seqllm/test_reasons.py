"""Reasons: each is true of the item it is given for."""

import numpy as np

from fcn import Item, LabelGroup, Profile
from seqllm.profiles import ProfileInference


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


def test_chosen_together_is_said_only_of_what_was(kinds):
    hits, phrase = kinds.recommend(["i00"], k=30), "chosen by people who chose what you chose"
    for hit in hits:
        together = kinds.ranker.evidence.neighbours.similarity[0, int(hit.item.item_id[1:])] > 0
        assert (phrase in hit.reasons) == together


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
    stated = kinds.recommend(["i00"], Profile.parse("size=s"), k=24)
    assert "suits your s size" in reasons(stated, "i07")
    assert not any("suits" in r for r in reasons(stated, "i08"))
    inferred = kinds.recommend(["i00"], k=24)
    assert "suits what seems to be your m size" in reasons(inferred, "i08")
    assert not any("suits" in r for r in reasons(inferred, "i07"))


def test_no_more_than_three(kinds):
    assert all(1 <= len(hit.reasons) <= 3 for hit in kinds.recommend(["i00", "i04"], query="abel piece", k=24))
