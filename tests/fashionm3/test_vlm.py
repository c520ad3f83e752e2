import dataclasses
import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import JanusVQVAE

from fashionm3 import vlm_training
from fashionm3.calls import CALLS, line
from fashionm3.dialogues import Turn
from fashionm3.fashionrec import outfit_grid
from fashionm3.vlm import FashionVLM
from fashionm3.vlm_base import CODES, GRID, load_base, new_base
from fashionm3.vlm_data import IGNORED, Collator, Example, Lessons, Wardrobe, caption, read_talks, split_items
from fashionm3.vlm_pictures import (
    as_pictures,
    as_pixels,
    codebook_use,
    drawn_side,
    grid_of,
    pictures_of,
    psnr,
    read_side,
    squared,
    tokens_of,
)
from fashionm3.vlm_prompts import ChatFormat
from fashionm3.vlm_training import Options, UnifiedLoss, train
from fashionm3.vq import CodebookLearner, start_from_colours, tint_axes
from fcn import DataFolder, Item
from fcn.errors import ArtifactError, DataError
from tests.conftest import make_toy_folder

QUICK = Options(vq_epochs=1, epochs=1, examples=24, batch_size=8)
MARKS = "<|User|><|Assistant|><begin_of_image><image_placeholder><end_of_image><|begin|><|end|><|pad|>"


@pytest.fixture(scope="module")
def untrained():
    return new_base(["a green midi dress", "white leather sneakers", "Which shoes go with it?"] * 20)


@pytest.fixture(scope="module")
def chat(untrained):
    return ChatFormat(untrained[0], 256)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return DataFolder.open(make_toy_folder(tmp_path_factory.mktemp("vlm")))


@pytest.fixture(scope="module")
def vlm_run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("vlm-out") / "vlm"
    return train(folder, out, QUICK), out


def pieces(n, side=40):
    return [Image.new("RGB", (side, side + 3 * k), colour) for k, colour in enumerate(["red", "blue", "green"][:n])]


def test_what_the_assistant_says_is_learnt_and_nothing_else(chat):
    turns = [Turn("human", "Which coat?"), Turn("gpt", "A navy one."), Turn("human", "Which shoes?")]
    prompt = chat.conversation(turns, True, "White sneakers.")
    end = chat.tokenizer.eos_token
    assert chat.tokenizer.decode(prompt.ids[prompt.learn]) == f" A navy one.{end} White sneakers.{end}"
    assert not chat.conversation(turns[:1], True).learn.any()
    assert not chat.drawing("a dress").learn.any()


def test_prompts_are_those_of_the_processor(chat, untrained):
    processor = untrained[0]
    content = [{"type": "image"}, {"type": "text", "text": "Which shoes go with it?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    picture = Image.new("RGB", (96, 96), "red")
    theirs = processor(text=processor.tokenizer.bos_token + text, images=picture, return_tensors="pt")
    ours = chat.conversation([Turn("human", "Which shoes go with it?")], True)
    assert theirs["input_ids"][0].tolist() == ours.ids.tolist()
    assert torch.allclose(theirs["pixel_values"], as_pixels(np.asarray(picture)[None], processor), atol=1e-6)
    asked = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": "a dress"}]}], add_generation_prompt=True
    )
    asked = processor(text=processor.tokenizer.bos_token + asked, generation_mode="image", return_tensors="pt")
    assert asked["input_ids"][0].tolist() == chat.drawing("a dress").ids.tolist()


def test_words_of_people_never_become_special_tokens(chat):
    plain = chat.conversation([Turn("human", "x")], False).ids
    said = chat.conversation([Turn("human", MARKS)], False, MARKS).ids
    count = lambda ids: {number: int((ids == number).sum()) for number in chat.control if number != chat.end}  # noqa: E731
    assert count(said) == count(plain)
    assert (said == chat.end).sum() == 1  # ours, behind the answer
    assert chat.tokenizer.decode(chat.words(MARKS)) == MARKS


def test_long_talks_lose_their_oldest_turns_and_long_turns_their_end(chat):
    turns = [Turn("human" if k % 2 == 0 else "gpt", f"number {k} " + "dress " * 30) for k in range(9)]
    prompt = chat.conversation(turns, True)
    text = chat.tokenizer.decode(prompt.ids)
    assert len(prompt.ids) <= chat.max_tokens
    assert "number 8" in text and "number 0" not in text
    assert (prompt.ids == chat.picture).sum() == GRID * GRID
    alone = chat.conversation([Turn("human", "word " * 800)], True)
    assert chat.max_tokens - 40 < len(alone.ids) <= chat.max_tokens + 2


@pytest.mark.parametrize("turns", [[], [Turn("gpt", "hello")], [Turn("human", " \n")]])
def test_nothing_to_answer_is_refused(chat, turns):
    with pytest.raises(DataError):
        chat.conversation(turns, False)


def test_grids_are_those_of_the_published_layout():
    shown = pieces(3)
    assert (grid_of([squared(one, 48) for one in shown], 96) == np.asarray(outfit_grid(shown, 96))).all()


def test_pixels_come_back(untrained):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert (as_pictures(as_pixels(pictures, untrained[0]), untrained[0]) == pictures).all()


def test_codebook_figures():
    assert codebook_use(np.array([[0, 1], [0, 1]]), 4) == (0.5, pytest.approx(2.0))
    black = np.zeros((1, 4, 4, 3), np.uint8)
    assert psnr(black, black + 255) == pytest.approx(0)
    assert psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)


def test_a_collapsed_codebook_spreads_out():
    _, model = new_base(["a"], seed=1)
    learner = CodebookLearner(model.model.vqmodel, torch.eye(3)).train()
    codes = learner.vq.quantize.embedding.weight
    with torch.no_grad():
        codes.copy_(codes[:1].expand_as(codes))
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    learner(pixels)["loss"].backward()
    assert len(torch.unique(codes.detach(), dim=0)) > 100  # of 128 latents
    assert torch.allclose(codes.detach().norm(dim=1), torch.ones(CODES), atol=1e-5)
    assert learner.vq.encoder.conv_in.weight.grad.abs().sum() > 0  # the way back passes the codes


def test_colours_along_their_axes_vary_alike():
    light = torch.randn(20, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    tint = torch.randn(20, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    pixels = light + 0.2 * tint
    mean, axes, spread = tint_axes(pixels)
    told = torch.einsum("bchw,cd->dbhw", pixels - mean[:, None, None], axes / spread).reshape(3, -1)
    assert torch.allclose(torch.cov(told), torch.eye(3), atol=0.05)
    _, model = new_base(["a"])
    vq = model.model.vqmodel
    start_from_colours(vq, mean, axes, spread)
    flat = mean[None, :, None, None].expand(1, 3, 8, 8)
    assert vq.encoder.conv_in(flat)[..., 1:-1, 1:-1].abs().max() < 1e-4  # what every picture has says nothing
    moved = [vq.encoder.conv_in(flat + (axes * spread)[:, k][None, :, None, None])[..., 3, 3].norm() for k in range(3)]
    assert max(moved) < 2 * min(moved)


def test_the_library_reads_codes_as_training_does(untrained):
    processor, model = untrained
    learner = CodebookLearner(model.model.vqmodel, torch.eye(3)).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    tokens = tokens_of(learner.vq, pictures, processor)
    with torch.no_grad():
        latents = learner.vq.quant_conv(learner.vq.encoder(as_pixels(pictures, processor)))
        latents = torch.nn.functional.normalize(latents, dim=1).permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        nearest = (latents @ learner.vq.quantize.embedding.weight.T).argmax(1)
    assert (tokens.ravel() == nearest.numpy()).all()
    assert pictures_of(learner.vq, tokens, processor).shape == (2, 64, 64, 3)


def test_loss_of_words_is_the_librarys(chat, untrained):
    model = untrained[1]
    talk = chat.conversation([Turn("human", "Which shoes?")], True, "White leather sneakers.")
    batch = Collator(chat)([Example(talk, grid_of([squared(one, 48) for one in pieces(2)], 96))])
    with torch.no_grad():
        found = UnifiedLoss(model).eval()(**batch)
        known = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values", "labels")}).loss
    assert (batch["labels"] != IGNORED).sum() == talk.learn.sum()
    assert found["text"].item() == pytest.approx(known.item(), rel=1e-5)
    assert "picture" not in found


def test_loss_of_a_picture_is_what_drawing_samples_from(chat, untrained):
    """Guided scores of the first code from two prompts as they are trained, against what generate() chooses."""
    model = untrained[1]
    prompt = chat.drawing("a green midi dress")
    ids = torch.from_numpy(prompt.ids)[None]
    way = {"generation_mode": "image", "do_sample": False, "guidance_scale": 4.0}
    codes = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **way)[0].numpy()
    batch = Collator(chat)([Example(one, codes=codes) for one in (prompt, chat.unguided(prompt))])
    loss, seen = UnifiedLoss(model).eval(), []
    model.model.generation_head.register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        found = loss(**batch)
    scores, unguided = seen[0].view(2, len(codes), -1)
    guided = unguided + 4.0 * (scores - unguided)
    assert (guided.argmax(1).numpy() == codes).mean() > 0.95  # ties of an untrained model aside
    known = torch.nn.functional.cross_entropy(seen[0], torch.from_numpy(np.tile(codes, 2)))
    assert found["picture"].item() == pytest.approx(known.item(), rel=1e-5)


def test_padding_changes_no_loss(chat, untrained):
    learner, collate = UnifiedLoss(untrained[1]).eval(), Collator(chat)
    codes = np.arange(GRID * GRID)
    short, long = Example(chat.drawing("dress"), codes=codes), Example(chat.drawing("white sneakers " * 9), codes=codes)
    with torch.no_grad():
        alone = [learner(**collate([one]))["picture"].item() for one in (short, long)]
        both = learner(**collate([short, long]))["picture"].item()
    assert both == pytest.approx(sum(alone) / 2, rel=1e-4)


def test_talks_of_all_lengths_count_alike(chat, untrained):
    learner, collate = UnifiedLoss(untrained[1]).eval(), Collator(chat)
    grids = [grid_of([squared(one, 48)], 96) for one in pieces(3)]
    short = Example(chat.conversation([Turn("human", "it")], False, "Call: ask"))
    seen = Example(chat.conversation([Turn("human", "Which?")], True, "Red hat."), grids[0])
    long = Example(chat.conversation([Turn("human", "a coat " * 40)], True, "Navy wool coat " * 5), grids[1])
    drawn = Example(chat.drawing("dress"), codes=np.arange(GRID * GRID))
    longer = Example(chat.conversation([Turn("human", "shoes " * 60)], True, "White."), grids[2])
    talks = [long, short, seen, longer]
    with torch.no_grad():
        alone = [learner(**collate([one]))["text"].item() for one in talks]
        both = learner(**collate([long, short, drawn, seen, longer]))
    assert both["text"].item() == pytest.approx(sum(alone) / len(alone), rel=1e-4)
    assert both["loss"].item() == pytest.approx((both["text"] + both["picture"]).item())


def test_pieces_of_held_out_outfits_are_held_out(folder):
    splits = split_items(folder)
    worn = {3, 7, 9, 0, 1, 4, 6, 8, 5, 2, 10}  # by training outfits, with a picture
    assert set(splits["train"]) | set(splits["val"]) | set(splits["test"]) == worn
    assert splits["val"] and splits["test"] and not set(splits["train"]) & set(splits["val"] + splits["test"])


def test_captions_name_the_category():
    item = Item("i1", "Tilda Quay sky blue dotted pullover", "sweater", "upper", "x.png",
                {"color": "blue", "pattern": "dotted", "brand": "Tilda Quay"})  # fmt: skip
    said = [caption(item, random.Random(k)) for k in range(300)]
    assert all("sweater" in one.lower() or "pullover" in one.lower() for one in said)
    assert "blue sweater" in said and len(set(said)) > 60
    words = set("tilda quay sky blue dotted pullover sweater in".split())
    assert all(set(one.lower().split()) <= words for one in said)


def test_lessons_show_every_kind(folder, chat):
    splits = split_items(folder)
    items = [folder.catalog[row] for row in splits["train"]]
    codes = np.zeros((len(items), GRID * GRID), np.int64)
    lessons = Lessons(chat, Wardrobe(folder), 96, items, codes, read_talks(folder)["train"], 60, fixed=True)
    made = [lessons[k] for k in range(60)]
    assert {(one.grid is None, one.codes is None) for one in made} >= {(True, False), (False, True)}
    assert all(one.prompt.learn.any() == (one.codes is None) for one in made)
    assert all((lessons[k].prompt.ids == made[k].prompt.ids).all() for k in range(5))


def test_a_rare_task_and_calls_are_learnt_beside_the_common_ones(folder, chat):
    talks = read_talks(folder)["train"]
    rare = [dataclasses.replace(talk, task="rare") for talk in talks[:1]]
    items = [folder.catalog[row] for row in split_items(folder)["train"]]
    lessons = Lessons(chat, Wardrobe(folder), 96, items, None, [*talks[:40], *rare], 1)
    tasks = len({talk.task for talk in talks[:40]}) + 1
    rng = random.Random(0)
    share = sum(lessons.any_talk(rng).task == "rare" for _ in range(600)) / 600
    assert abs(share - 1 / tasks) < 0.07
    said = {chat.text(one.prompt.ids[one.prompt.learn]) for one in (lessons.call(rng) for _ in range(400))}
    assert said == {line(call) for call in CALLS}
    assert all(example.grid is None and example.codes is None for example in (lessons.call(rng) for _ in range(5)))


def test_saved_and_loaded_it_says_and_draws_the_same(vlm_run):
    model, out = vlm_run
    again = FashionVLM.from_pretrained(out)
    assert model.describe(pieces(2), "Which shoes?") == again.describe(pieces(2), "Which shoes?")
    drawn = model.draw("red coat", seed=3)
    assert drawn.size == (64, 64)
    assert drawn.tobytes() == again.draw("red coat", seed=3).tobytes()
    assert drawn.tobytes() != again.draw("red coat", seed=4).tobytes()


def test_drawing_leaves_the_callers_random_state_alone(vlm_run):
    before = torch.get_rng_state()
    vlm_run[0].draw("red coat", seed=3)
    assert (torch.get_rng_state() == before).all()


def test_talks_are_read_turn_by_turn(vlm_run):
    turns = [Turn("human", "a coat?"), Turn("gpt", "The navy one."), Turn("human", f"and shoes {MARKS}?")]
    said = vlm_run[0].describe([], turns)
    assert isinstance(said, str) and not any(mark in said for mark in ("<|", "<begin_of_image>"))


@pytest.mark.parametrize(
    ("pictures", "text"), [([Image.new("RGB", (9, 9))] * 5, "x"), ([], " "), ([], []), ([b"no picture"], "x")]
)
def test_bad_requests_are_refused(vlm_run, pictures, text):
    with pytest.raises(DataError):
        vlm_run[0].describe(pictures, text)


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_to_draw_is_refused(vlm_run, text):
    with pytest.raises(DataError):
        vlm_run[0].draw(text)


def test_a_damaged_artifact_is_refused(vlm_run, tmp_path):
    saved = vlm_run[0].save_pretrained(tmp_path / "copy")
    weights = saved / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        FashionVLM.from_pretrained(saved)


def stop(*_args, **_kwargs):
    raise KeyboardInterrupt


@pytest.fixture
def stopped(folder, tmp_path, monkeypatch):
    """The folder of a run that was stopped behind the picture tokenizer."""
    with monkeypatch.context() as patch:
        patch.setattr(vlm_training, "validation_losses", stop)
        with pytest.raises(KeyboardInterrupt):
            train(folder, tmp_path / "vlm", QUICK)
    return tmp_path / "vlm"


def test_an_unfinished_run_goes_on(folder, stopped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(vlm_training, "train_vq", stop)  # the picture tokenizer is not trained again
        train(folder, stopped, QUICK)
    assert not (stopped / "cache").exists()


def test_an_unfinished_run_with_other_options_is_refused(folder, stopped):
    with pytest.raises(ArtifactError, match="--restart"):
        train(folder, stopped, dataclasses.replace(QUICK, examples=16))


def test_adapters_of_a_checkpoint(vlm_run, folder, tmp_path):
    """The built-in model's own folder is a Janus checkpoint like any other."""
    base = vlm_run[1] / "base"
    options = dataclasses.replace(QUICK, base=str(base), lora_rank=4, lr=1e-2)
    model = train(folder, tmp_path / "lora", options)
    assert not (tmp_path / "lora" / "base").exists()
    assert (tmp_path / "lora" / "adapter" / "adapter_model.safetensors").exists()
    again = FashionVLM.from_pretrained(tmp_path / "lora")
    assert again.describe(pieces(1), "Which bag?") == model.describe(pieces(1), "Which bag?")
    assert again.draw("red coat").tobytes() == model.draw("red coat").tobytes()
    assert again.draw("red coat").tobytes() != vlm_run[0].draw("red coat").tobytes()
    kept = load_base(base)[1].model.language_model.layers[0].self_attn.q_proj.weight
    layer = model.model.model.language_model.layers[0].self_attn.q_proj
    assert torch.equal(layer.base_layer.weight.cpu(), kept) and layer.lora_B["default"].weight.abs().sum() > 0


def test_no_such_checkpoint(folder, tmp_path):
    with pytest.raises(ArtifactError, match="Janus"):
        train(folder, tmp_path / "x", dataclasses.replace(QUICK, base=str(tmp_path)))


def test_built_in_sizes(untrained):
    processor, model = untrained
    assert read_side(processor) == 96 and drawn_side(model) == 64
    assert isinstance(model.model.vqmodel, JanusVQVAE)
    assert model.model.vision_model.config.num_image_tokens == processor.num_image_tokens == GRID * GRID
