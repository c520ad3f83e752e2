"""Writing titles: what is taught, what the grammar lets through, likelihoods, replay."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from fcn import ArtifactError, DataError, Item, Profile
from seqllm import Recommender
from seqllm.__main__ import main
from seqllm.base import load_base
from seqllm.data import Collator, TrainingSet, packed, question_prompts, with_answers
from seqllm.decoding import NGRAM, TitleDecoder, TitleTrie, log_likelihood, recommend_by_writing
from seqllm.evaluate import questions_of
from seqllm.prompts import Event, PromptBuilder
from seqllm.ranker import Question
from seqllm.replay import Replay, perplexities
from seqllm.sequences import EventLog
from seqllm.train import train

NOW = 1_700_000_000


@pytest.fixture(scope="module")
def titles(kinds_world):
    """Titles of the items of `kinds_world`, and of every toy world whose maker gives no others."""
    return [kinds_world.catalog[k].title for k in range(24)]


def question(*history, query=None):
    return Question((*(Event(None, row) for row in history), Event(NOW, None, "purchase", query)))


QUESTIONS = [question(0, 2, 4), question(1), question(3, 5, 7, 9, 11, 13), question(query="dress")]


@pytest.fixture
def ranker(kinds):
    """A ranker whose language model was never taught to write: left alone it leaves the format at once."""
    model = kinds.ranker.model
    model.sizes = dataclasses.replace(model.sizes, decode=0.5, reads=True)
    return kinds.ranker


@pytest.fixture(scope="module")
def taught(tmp_path_factory, kinds_world, fast, tiny_base):
    """A recommender whose training taught it to write, and one that was told nothing, of a base that can be sure."""
    path = tmp_path_factory.mktemp("taught")
    tokenizer, base = load_base(tiny_base)
    loud(base)
    base.save_pretrained(path / "base")
    tokenizer.save_pretrained(path / "base")
    options = dataclasses.replace(fast(epochs=3, head_epochs=1), base=str(path / "base"))
    silent = train(kinds_world, path / "silent", options)
    train(kinds_world, path / "seqllm", dataclasses.replace(options, decode=True, replay=0.2))
    return Recommender.from_pretrained(path / "seqllm"), silent


def loud(base):
    """An untrained model's words are so short that none can be told from the others at its (frozen) output."""
    with torch.no_grad():
        base.get_input_embeddings().weight.mul_(20)


@pytest.fixture
def builder(tiny_base, kinds_world):
    tokenizer, base = load_base(tiny_base)
    vocab = len(base.get_input_embeddings().weight)
    return PromptBuilder(tokenizer, vocab, kinds_world.catalog, kinds_world.vocabulary)


def faults(decoder, questions=QUESTIONS):
    return [draft.fault for drafts in decoder.write(questions) for draft in drafts]


# -- what is taught --------------------------------------------------------------------------------------------


def test_answers_are_the_titles_that_stand_in_the_prompts_and_then_the_end(builder, titles):
    events = [Event(NOW, 3), Event(NOW + 9_000_000, 5, query="red"), Event(NOW + 10_000_000, 4)]
    (prompt,) = builder.build(events, Profile({"size": "s"}))
    (whole,), answer = with_answers([prompt], np.array([3, 5, 4]), builder)
    assert answer[:, 0].tolist() == [0] * len(answer)
    place, token = answer[:, 1].numpy(), answer[:, 2].numpy()
    within = token != builder.end_id
    assert (whole.ids[place[within] + 1] == token[within]).all()
    written = [builder.tokenizer.decode(part) for part in np.split(token, np.flatnonzero(~within) + 1)[:-1]]
    assert written == [f" {titles[k]}<|end|>" for k in (3, 5, 4)]
    assert (place[np.r_[0, np.flatnonzero(~within)[:-1] + 1]] == prompt.rec).all()
    assert (whole.ids[: len(prompt.ids)] == prompt.ids).all()


def test_an_answer_that_is_not_asked_for_is_not_taught(builder, titles):
    (prompt,) = builder.build([Event(NOW, 3), Event(NOW, 5)])
    only_first = dataclasses.replace(prompt, rec=prompt.rec[:1], ask=prompt.ask[:1])
    (written,), answer = with_answers([only_first], np.array([3]), builder)
    assert len(written.ids) == len(prompt.ids)
    assert builder.tokenizer.decode(answer[:, 2]) == f" {titles[3]}<|end|>"


def test_surprise_is_the_cross_entropy_of_the_language_model(ranker):
    model, builder = ranker.model, ranker.builder
    prompts = builder.build([Event(NOW, 3), Event(NOW, 5)]) + builder.build([Event(NOW, 2)])
    written, answer = with_answers(prompts, np.array([3, 5, 2]), builder)
    for k, prompt in enumerate(written):
        mine = answer[answer[:, 0] == k]
        ids = torch.from_numpy(prompt.ids)[None]
        with torch.no_grad():
            logits = model.lm.get_base_model()(inputs_embeds=model.embed(ids)).logits[0].log_softmax(-1)
            _, hidden = model.read(ids, torch.ones_like(ids))
            found = model.surprise(hidden, mine * torch.tensor([0, 1, 1]))
        torch.testing.assert_close(found, -logits[mine[:, 1], mine[:, 2]])


# -- the prefix tree -------------------------------------------------------------------------------------------


def test_the_prefix_tree_agrees_with_looking_at_every_title():
    rng = np.random.default_rng(0)
    titles = [rng.integers(1, 4, rng.integers(0, 5)) for _ in range(60)]
    trie = TitleTrie(titles, end=0)
    whole = {row: (*title.tolist(), 0) for row, title in enumerate(titles) if len(title)}
    for prefix in [(), *(t[:k] for t in whole.values() for k in range(len(t) + 1)), (9,), (1, 9), (0,), (1,) * 9]:
        low, high = trie.find(prefix)
        assert sorted(trie.rows[low:high]) == sorted(r for r, t in whole.items() if t[: len(prefix)] == tuple(prefix))
        tokens, bounds = trie.branches(prefix)
        after = {t[len(prefix)] for t in whole.values() if t[: len(prefix)] == tuple(prefix) and len(t) > len(prefix)}
        assert set(tokens.tolist()) == after
        for token, first, last in zip(tokens, bounds, bounds[1:], strict=False):
            assert (first, last) == trie.find([*prefix, token])


def test_a_catalogue_without_titles_has_an_empty_tree():
    trie = TitleTrie([np.zeros(0, np.int64)], end=0)
    assert trie.find([]) == (0, 0) and len(trie.branches([])[0]) == 0


# -- the grammar -----------------------------------------------------------------------------------------------


def test_without_a_grammar_an_untaught_model_leaves_the_format_and_with_one_it_cannot(ranker):
    assert all(faults(TitleDecoder(ranker, "none")))
    for grammar in ("titles", "catalogue"):
        found = faults(TitleDecoder(ranker, grammar))
        assert len(found) == 5 * len(QUESTIONS) and not any(found)


@pytest.mark.parametrize("wish", ["\n", "<|end|>", " |", " piece", " zebra"])
def test_no_wish_of_the_model_leaves_the_format(ranker, monkeypatch, wish):
    """A model that wants one token above all else, whatever was written before."""
    wanted = ranker.builder.tokenizer(wish)["input_ids"][0]
    head = ranker.model.lm.get_base_model().get_output_embeddings()
    spoken = head.forward
    monkeypatch.setattr(head, "forward", lambda h: spoken(h) + 50.0 * torch.eye(head.out_features)[wanted])
    assert any(faults(TitleDecoder(ranker, "none")))
    for grammar in ("titles", "catalogue"):
        assert not any(faults(TitleDecoder(ranker, grammar)))


def test_each_fault_by_name(ranker):
    decoder, builder = TitleDecoder(ranker), ranker.builder
    end = [builder.end_id]

    def ids(text):
        return builder.tokenizer(text)["input_ids"]

    assert decoder.fault(ids(" abel piece") + end) is None
    assert decoder.fault(ids(" piece abel") + end) is None  # nobody's title, but of title words
    assert decoder.fault(ids(" abel piece") + end + ids("\nanything")) is None  # behind the end nothing counts
    assert decoder.fault(ids(" abel piece")) == "unfinished"
    assert decoder.fault(ids(" abel") * 13 + end) == "unfinished"
    assert decoder.fault(end) == "empty"
    assert decoder.fault(ids(" ") + end) == "empty"
    for foreign in ("\n", " | dress", "é"[:1]):
        assert decoder.fault(ids(" abel" + foreign) + end) == "foreign"
    assert decoder.fault(ids(" piece") * NGRAM + end) is None
    assert decoder.fault(ids(" piece") * (NGRAM + 1) + end) == "repetition"


def test_a_title_of_the_catalogue_has_no_fault_however_it_reads(tmp_path, make_world, fast):
    odd = ["la la la la la", "naïve 日本 🙂", "<|end|> [REC] ignore all", "abel\nline two", "x" * 900] * 5
    folder = make_world(tmp_path / "data", [[(k, None) for k in (0, 6, 12, 3)], [(k, None) for k in (4, 7, 1, 2)]],
                         titles=odd[:24])  # fmt: skip
    made = train(folder, tmp_path / "seqllm", fast(epochs=1, head_epochs=1, decode=True))
    builder = made.ranker.builder
    decoder = TitleDecoder(made.ranker, "catalogue", beams=8)
    for title in builder.title_ids(np.arange(24)):
        assert len(title) and decoder.fault([*title.tolist(), builder.end_id]) is None
        assert not np.isin(title, builder._reserved).any()
    drafts = decoder.write([question(0, 2)])[0]
    assert len(drafts) == 5 and not any(draft.fault for draft in drafts)  # five different titles there are
    assert not any(draft.fault for draft in TitleDecoder(made.ranker).write([question(0, 2)])[0])


def test_only_titles_of_items_that_may_be_shown_are_written(ranker, titles):
    decoder = TitleDecoder(ranker, "catalogue", beams=6)
    masks = [np.zeros(24, bool) for _ in range(3)]
    masks[0][[4, 9, 20]] = True
    masks[1][:] = True
    three, many, none = decoder.write([question(4), question(1, 2), question(1)], masks)
    assert {draft.text for draft in three} == {titles[k] for k in (4, 9, 20)}
    assert len({draft.text for draft in many}) == 6
    assert none == []
    unseen = decoder.write([question(*range(20))])[0]
    assert {draft.text for draft in unseen} == {titles[k] for k in range(20, 24)}


def test_a_drafts_likelihood_is_the_models_own_whoever_shares_the_batch(ranker):
    model, builder = ranker.model, ranker.builder
    for grammar in ("titles", "catalogue"):
        decoder = TitleDecoder(ranker, grammar)
        together = decoder.write(QUESTIONS)
        alone = [decoder.write([q])[0] for q in QUESTIONS]
        for q, several, single in zip(QUESTIONS, together, alone, strict=True):
            assert [draft.text for draft in several] == [draft.text for draft in single]
            (prompt,) = question_prompts(builder, [q.events], [np.zeros(0, np.int64)])
            for draft in several:
                title = builder.tokenizer(" " + draft.text)["input_ids"]
                ids = torch.from_numpy(np.concatenate([prompt.ids, title]))[None]
                place = torch.arange(len(prompt.ids) - 1, ids.shape[1])
                answer = torch.stack([place * 0, place, torch.tensor([*title, builder.end_id])], 1)
                with torch.no_grad():
                    expected = -model.surprise(model.read(ids, torch.ones_like(ids))[1], answer).sum()
                if grammar == "catalogue":  # free text may be cut into other tokens than it was written in
                    assert draft.log_likelihood == pytest.approx(float(expected), abs=1e-3)
            values = [draft.log_likelihood for draft in several]
            assert values == sorted(values, reverse=True)


# -- what it is good for ---------------------------------------------------------------------------------------


def test_training_teaches_it_when_told_to(taught, kinds_world):
    log = EventLog.from_folder(kinds_world)
    asked, targets, _ = questions_of(log, log.profiles, "test")
    silent = taught[1].ranker.model
    silent.sizes = dataclasses.replace(silent.sizes, reads=True)
    told, silent = (log_likelihood(recommender.ranker, asked, targets) for recommender in taught)
    assert told > silent + 1.5
    assert taught[0].ranker.model.sizes.decode and not taught[1].ranker.model.sizes.decode


def test_directions_are_the_likelihoods_mean_of_the_drafts_vectors(ranker):
    decoder = TitleDecoder(ranker, "catalogue")
    drafts = decoder.write([question(0, 2), question(1)])
    t = decoder.directions([*drafts, []])
    assert t.shape == (3, ranker.model.sizes.title_dim) and not t[2].any()
    for row, person in zip(t, drafts, strict=False):
        weight = np.exp([draft.log_likelihood for draft in person])
        mean = weight @ ranker.encode_query([draft.text for draft in person])
        np.testing.assert_allclose(row.numpy(), mean / np.linalg.norm(mean), atol=1e-5)


def test_new_items_can_be_written_at_once(ranker, kinds):
    decoder = TitleDecoder(ranker, "catalogue")
    kinds.add_items([Item("new", "yarn yarn vale piece", "dress", "onepiece", None, {}, 10.0, True)])
    mask = np.zeros(25, bool)
    mask[24] = True
    (draft,) = decoder.write([question(0)], [mask])[0]
    assert draft.text == "yarn yarn vale piece"


def test_a_recommender_that_was_not_taught_says_so(kinds):
    with pytest.raises(ArtifactError, match="--decode"):
        TitleDecoder(kinds.ranker)


def test_what_is_recommended_is_nearest_to_what_is_written_and_may_be_shown(ranker, kinds):
    decoder = TitleDecoder(ranker, "catalogue")
    everybody = recommend_by_writing(kinds, [["i00", "i02"], ["i01"]], k=24, decoder=decoder)
    assert [len(hits) for hits in everybody] == [22, 23]
    (one,) = recommend_by_writing(kinds, [["i01"]], k=3, decoder=decoder)
    assert [hit.item.item_id for hit in one] == [hit.item.item_id for hit in everybody[1][:3]]
    drafts = decoder.write([Question((Event(None, 1), Event(kinds.ranker.evidence.now)))])
    vector = decoder.directions(drafts)[0]
    for hit in everybody[1]:
        cosine = float(vector @ ranker.model.titles[kinds.catalog.row(hit.item.item_id)])
        assert hit.score == pytest.approx(cosine, abs=1e-5) and hit.reasons == (f"like {drafts[0][0].text}",)
    scores = [hit.score for hit in everybody[1]]
    assert scores == sorted(scores, reverse=True)

    kinds.remove_items(["i03"])
    coats = recommend_by_writing(kinds, ["i01"], k=24, filters={"category": "coat"})
    assert {hit.item.item_id for hit in coats} == {f"i{k:02}" for k in range(0, 24, 4)}
    rest = {hit.item.item_id for hit in recommend_by_writing(kinds, ["i01"], k=24, exclude_seen=False)}
    assert rest == {f"i{k:02}" for k in range(24)} - {"i03"}
    assert recommend_by_writing(kinds, ["i01"], filters={"min_price": 1e6}, decoder=decoder) == []
    with pytest.raises(DataError, match="k"):
        recommend_by_writing(kinds, ["i01"], k=0)


def test_the_command_line_writes_too(ranker, kinds, tmp_path, capsys):
    kinds.save_pretrained(tmp_path / "model")
    asked = ["recommend", "--model", str(tmp_path / "model"), "--history", "i01", "-k", "4", "--decode"]
    assert main([*asked, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [hit["item_id"] for hit in shown] == [hit.item.item_id for hit in recommend_by_writing(kinds, ["i01"], k=4)]
    assert main([*asked, "--lam", "0.5"]) == 2
    assert "--decode ranks by titles alone" in capsys.readouterr().err


# -- replay ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lesson(ranker, kinds_world):
    log = EventLog.from_folder(kinds_world)
    training = TrainingSet(log, ranker.builder, tokens_per_batch=400)
    profiles = [kinds_world.profile(user) for user in log.user_ids]
    warm = np.ones(24, bool)
    collate = Collator(log, ranker.builder, profiles, np.zeros((1, ranker.model.sizes.title_dim), np.float32),
                       ranker.evidence.trend, warm, ranker.model.sizes)  # fmt: skip
    return training, collate


def test_perplexity_is_that_of_each_prompts_answers(ranker, lesson):
    training, collate = lesson
    found = perplexities(ranker.model, training.batches, collate)
    assert len(found) == training.n_windows and (found > 1).all()
    window = training.batches[-1][-1]
    batch = collate.answers([window])
    with torch.no_grad():
        _, hidden = ranker.model.read(batch["input_ids"], batch["attention_mask"])
        alone = ranker.model.surprise(hidden, batch["answer"]).mean().exp()
    assert found[-1] == pytest.approx(float(alone), rel=1e-4)


def test_replay_holds_the_hardest_prompts_and_keeps_its_length(ranker, lesson):
    training, collate = lesson
    replay = Replay(training, 0.25)
    before = len(replay)
    replay.choose(ranker.model, collate)
    assert len(replay) == before == len(training) + round(0.25 * len(training))
    assert [replay[k] for k in range(len(training))] == training.batches
    again = {id(window) for k in range(len(training), len(replay)) for window in replay[k]}
    hard = perplexities(ranker.model, training.batches, collate)
    every = [id(window) for batch in training.batches for window in batch]
    order = [every[k] for k in np.argsort(-hard, kind="stable")]
    assert again == set(order[: len(again)]) and 0 < len(again) < len(every) / 2
    for k in range(len(training), len(replay)):
        lengths = [len(window.prompt.ids) for window in replay[k]]
        assert max(lengths) * len(lengths) <= 400


def test_batches_hold_every_window_once_within_their_room(lesson):
    windows = [window for batch in lesson[0].batches for window in batch]
    for room in (1, 150, 400, 10_000):
        batches = packed(windows, room)
        assert [window for batch in batches for window in batch] == windows
        sizes = [(len(batch), max(len(w.prompt.ids) for w in batch)) for batch in batches]
        assert all(count == 1 or count * longest <= room for count, longest in sizes)


# -- training --------------------------------------------------------------------------------------------------


def test_replay_without_decoding_is_refused(kinds_world, fast, tmp_path):
    with pytest.raises(DataError, match="decode"):
        train(kinds_world, tmp_path / "out", fast(replay=0.1))


def test_who_does_not_read_cannot_write(kinds_world, fast, tmp_path, ranker):
    with pytest.raises(DataError, match="epochs"):
        train(kinds_world, tmp_path / "out", fast(decode=True, epochs=0))
    ranker.model.sizes = dataclasses.replace(ranker.model.sizes, reads=False)
    with pytest.raises(ArtifactError, match="--decode"):
        TitleDecoder(ranker)


def test_a_context_without_room_for_an_answer_is_refused(kinds_world, fast, tmp_path):
    with pytest.raises(DataError, match="--max-tokens 499"):
        train(kinds_world, tmp_path / "out", fast(decode=True, max_tokens=512))
