"""Messages that made dialogues have not, each with its call: facts asked, the basket, a drawing, a try-on, an undo.

Their wording is varied as people vary theirs: politely or not, in small letters, without a full stop.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from fashionm3 import wording
from fashionm3.calls import heard
from fashionm3.wish import Scene
from fcn.types import Item, one_line

REFERENCES = ("it", "it", "this", "that one", "this one", "the first", "the second", "the third one", "the last one",
              "number 2", "the second one", "the {value} one", "the {category}")  # fmt: skip
SOME = ("the first two", "the first and the second", "these two", "both", "the first and the third", "them", "these")
FACTS = ("price", "brand", "material", "colour", "length", "fit", "size", "sizes", "colours")
FOR = (" for summer", " for work", " for a wedding", " for a party", " for my holiday", " for every day")
TEMPLATES: dict[str, tuple[str, ...]] = {
    "recommend": (
        "{wish}", "{wishes}", "{wish}", "I need {a_wish}", "I'm looking for {a_wish}", "do you have {wishes}?",
        "show me {wishes}", "what about {a_wish} instead?", "I want something for a party", "something nice",
        "I have nothing to wear", "what can I wear to a wedding?", "surprise me", "recommend something",
        "any {wishes}?", "shoes and a bag, please", "I prefer {value}. I need {a_wish}", "I want {a_wish}", "{some}",
        "I'm short and I need {a_wish}", "no {others} anymore, {wishes}", "{wishes} but no {others}", "{category}",
        "I'm tall with dark hair, looking for {a_wish}", "I hate {value}", "I like {some}", "not {value}, {wishes}",
        "my favourite colours are {value} and {other}", "instead of {others} I want {a_wish}", "I'd love {a_wish}",
        "it's a present for my mother, she likes {value}", "size M {some}", "now {a_wish}", "have you got {wishes}?",
        "I need something {value} for work", "is there {a_wish}?", "I could use {a_wish}", "the cheapest {category}",
    ),
    "search": (
        "find {wishes}", "search for {a_wish}", "look up {wishes}", "can you find me {a_wish}?", "search {wishes}",
        "find me {a_wish}", "look for {wishes}", "I'm searching for {a_wish}",
    ),
    "refine": (
        "under {price}", "cheaper, under {price}", "cheaper", "not {value}", "no {value} or {other}, please",
        "in {value}, please", "anything but {value}", "something more formal", "max {price}", "show me more",
        "something else", "anything else?", "what else do you have?", "between {price} and {more}", "at least {price}",
        "any colour is fine", "the price doesn't matter", "I don't care about the brand", "{value} is fine after all",
        "none of these", "no, not these", "I don't like {ref}", "{ref} is too {adjective}", "these are too expensive",
        "not my style", "I hate {ref}", "neither the first nor the second", "my budget is {price}", "other ones",
        "could the colour be {value}?", "is there one with {value}?", "preferably {value}", "sold out ones are fine",
        "I'm petite", "I have blonde hair and fair skin", "I'm {height} cm tall", "forget the price", "{price} or less",
        "not too {adjective}", "any size", "with {value}", "without {value}", "{value}", "with a {value} {name}",
        "please with {value} as {name}", "is there one with {value} {name}?", "from {price} to {more} euros",
        "I'm curvy and have red hair", "no more than {price}", "the {name} should be {value}", "only {value}",
        "raise the budget to {price}", "more of these", "next", "others?", "{value} or {other}",
        "{value} but not {other}",
        "I would like the fit to be {value}", "how about in {value}?", "it's for a wedding", "these are all ugly",
        "I like them, only the colour should not be {value}", "take off the limit on price", "more expensive, please",
    ),
    "alternatives": (
        "something like {ref} but {comparison}", "like {ref}, only in {value}", "do you have {ref} in {value}?",
        "same but in {value}", "I'd like {ref} {comparison}", "{ref} but {comparison}", "{comparison} please",
        "not {value}; something like {ref} but {comparison}", "a bit {comparison} and in {value}",
        "something similar to {ref}, without {other}", "anything like {ref}?", "have you got {ref} in size M?",
        "something {comparison} than {ref}", "can you swap {ref} for {a_category} that is {comparison}?",
        "instead of {ref} I want something {comparison}", "replace {ref} with {a_category}", "similar to {ref}",
        "I like {ref} but {comparison}", "the length is fine but it should be {comparison}", "more like {ref}",
        "{comparison}", "with {comparison} please", "{ref} in {value}", "can I have {ref} {comparison}?",
        "{ref} is nice but not for me. Show me {a_category} that is {comparison}", "{ref} but in {value}",
        "these are too {adjective}", "I want {ref} {comparison} and {other_comparison}",
        "can I see one like {ref} for less?", "{comparison} and {other_comparison}",
    ),
    "complete_outfit": (
        "what {some} go with {ref}?", "what {wishes} would match {ref}?", "{a_wish} to go with {ref}",
        "which {category} would you wear with {ref}?", "what goes with {ref}?",
        "complete the look", "a {category} to match {ref}", "what shoes and bag go with {ref}?", "finish this outfit",
        "what {some} would go with a {value} {other_one}?", "I have {a_category}. Which {other_one} goes with it?",
        "what else should I wear with {ref}?", "{some} to go with {ref}, under {price}", "how do I style {ref}?",
        "help me finish this look with {a_category}", "and {a_wish} for it?", "build an outfit around {ref}",
        "what would match {ref}?", "I'm wearing {ref}, what {category} do I need?", "and which {category} with {ref}?",
    ),
    "score_outfit": (
        "does it go together?", "does this outfit suit me?", "do {pieces} go together?", "how well does it match?",
        "rate my outfit", "does {ref} suit me?", "would {ref} flatter me?", "what do you think of this look?",
        "is this a good combination?", "would the {some} go with {ref}?", "which piece spoils the look?",
        "do these clash?", "does {ref} work with my outfit?", "is {ref} right for me?",
    ),
    "generate_image": (
        "show me how it could look in {value}", "draw me {a_wish}", "what would {ref} look like in {value}?",
        "imagine {ref} in {value}", "sketch {a_wish}", "a picture of {a_wish}",
        "can you sketch a {category} with {other}?", "make a picture of {a_category}",
        "{ref}, how would it look in {value}?", "how would {ref} look with {other}?", "generate an image of {ref}",
        "visualise {ref} in {value}", "a drawing of a {value} {category}", "let me see a picture of it in {value}",
    ),
    "try_on": (
        "try it on me", "how would I look in {ref}?", "can I try on {ref}?", "put {ref} on my photo",
        "show me wearing {ref}", "what would {ref} look like on me?", "see {ref} on me", "I want to try {ref} on",
        "how does {ref} look on me?", "dress me in {ref}", "virtual fitting of {ref}, here is my picture",
    ),
    "ask": (
        "how much is {ref}?", "what is the {fact} of {ref}?", "is {ref} in stock?", "what is {ref} made of?",
        "who makes {ref}?", "what sizes does {ref} come in?", "tell me more about {ref}", "is {ref} {value}?",
        "do you know the {fact} of {ref}?", "can you tell me what {ref} costs?", "which brand is {ref}?",
        "what colours does {ref} come in?", "what {fact} is {ref}?", "and its {fact}?",
    ),
    "compare": (
        "compare {pieces}", "what is the difference between {pieces}?", "which is cheaper, the first or the second?",
        "how do {pieces} differ?", "which of {pieces} is longer?", "the first versus the second?",
        "what are the prices of {pieces}?", "do {pieces} have the same {fact}?",
    ),
    "cart": (
        "I'll take {ref}", "add {ref} to my cart", "I want to buy {ref}", "put {ref} in my basket", "I'm buying {ref}",
        "can you add {ref} to the cart?", "let me get {ref}", "order {ref} for me", "ready to check out",
        "I think I'll go with {ref}",
    ),
    "which": (
        "{ref}", "{ref}", "number {digit}", "I mean {ref}", "{ref}, please", "show me {ref} again",
        "I was talking about {ref}", "the other one",
        "{pieces}", "I meant {pieces}", "no, {ref}", "oh, {ref}",
    ),
    "like": (
        "I love {ref}", "{ref} is lovely", "save {ref}", "I like {ref}", "{ref} is perfect, thank you", "nice, {ref}!",
        "I really like {pieces}", "{ref} is beautiful",
    ),
    "greet": ("hello", "hi", "hey there", "good morning", "hi!", "hello there", "good evening"),
    "thank": ("thanks!", "thank you", "great, thanks", "bye", "perfect, thank you very much", "that's all", "cheers"),
    "undo": ("undo", "undo that", "undo that, {ref} again", "go back", "take that back", "one step back", "revert that",
             "scratch that, back to {ref}", "go back to what it was before"),
    "restart": ("start over", "let's start again", "reset", "forget everything", "begin from scratch", "new search"),
    "forget": ("forget what I told you about me", "delete my profile", "erase my details",
               "forget what you know about me"),
}  # fmt: skip
_WITH = ("in {value}", "with {value}", "under {price}", "not {other}", "by {brand}", "in size M", "that isn't {other}",
         ", no {other}", ", max {price}", "{value} or {other}", ", {value}", "for less than {price} euros")  # fmt: skip
OFTEN = {"recommend": 4, "refine": 4, "alternatives": 3, "complete_outfit": 2, "ask": 2, "restart": 0.5, "forget": 0.5}
FRESH = {"recommend": 0.7, "search": 0.7, "greet": 0.9, "generate_image": 0.2, "complete_outfit": 0.15, "try_on": 0.05}
BOARD, ASKING, PICTURE = 0.35, {"which": 0.4}, {"try_on": 0.4}
_COMPARISONS = ("longer", "shorter", "darker", "lighter", "cheaper", "looser", "tighter", "brighter",
                "with long sleeves", "with shorter sleeves", "with a lower heel", "more formal", "less fancy",
                "warmer")  # fmt: skip
_ADJECTIVES = ("long", "short", "shiny", "expensive", "tight", "dark", "formal", "plain", "bright")
_BEFORE = ("please ", "ok, ", "hmm, ", "well, ", "and ", "oh, ", "great. ", "can you help? ", "nice! ")
_AFTER = (" please", ", please", ", thanks", " if you can", "!", " then")


def _wish(rng: random.Random, words: dict[str, str]) -> str:
    """A piece as people ask for it: "navy slim trousers in wool under 60 for work"."""
    before = rng.sample(("{value}", "{other}"), rng.choice((0, 1, 1, 2)))
    behind = rng.sample(_WITH, rng.choice((0, 0, 1, 1, 2))) + ([rng.choice(FOR)] if rng.random() < 0.3 else [])
    return wording.filled(" ".join([*before, "{noun}", *behind]).replace(" ,", ","), **words)


def order(rng: random.Random, items: Sequence[Item]) -> tuple[str, str]:
    """(what the model is told, the call): a message about pieces like `items`, in a talk as it may then stand."""
    call = rng.choices(tuple(TEMPLATES), [OFTEN.get(call, 1) for call in TEMPLATES])[0]
    one, other = rng.choice(items), rng.choice(items)
    values = [one_line(value) for item in (one, other) for value in item.attributes.values()] or ["blue"]
    brand = next((one_line(v) for k, v in one.attributes.items() if k.lower() == "brand"), rng.choice(values))
    words = {
        "value": rng.choice(values), "other": rng.choice(values), "brand": brand, "some": one_line(one.category),
        "others": one_line(other.category), "other_one": wording.one_of(other.category), "category": one.category,
        "price": str(5 * rng.randrange(4, 40)), "more": str(5 * rng.randrange(40, 80)),
        "height": str(rng.randrange(150, 195)), "fact": rng.choice(FACTS), "pieces": rng.choice(SOME),
        "comparison": rng.choice(_COMPARISONS), "other_comparison": rng.choice(_COMPARISONS),
        "adjective": rng.choice(_ADJECTIVES), "digit": str(rng.randrange(1, 6)),
        "name": rng.choice([one_line(name) for name in one.attributes] or ["colour"]),
    }  # fmt: skip
    words["ref"] = rng.choice(REFERENCES).format(value=words["value"], category=wording.one_of(one.category))
    wish, several = (_wish(rng, words | {"noun": noun}) for noun in (wording.one_of(one.category), words["some"]))
    words |= {"wish": wish, "wishes": several, "a_wish": f"{'an' if wish[:1].lower() in 'aeiou' else 'a'} {wish}"}
    text = wording.filled(rng.choice(TEMPLATES[call]), **words)
    text = f"{rng.choice(_BEFORE) if rng.random() < 0.2 else ''}{text}"
    text = f"{text.rstrip('.?!')}{rng.choice(_AFTER)}" if rng.random() < 0.15 else text
    if rng.random() < 0.3:
        text = text.rstrip(".?!")
    if rng.random() < 0.5:
        text = text.lower()
    elif rng.random() < 0.5:
        text = text[:1].upper() + text[1:]
    shown = () if rng.random() < FRESH.get(call, 0.0) else (("a",),)
    outfit = ("a",) if rng.random() < BOARD else ()
    asking, picture = rng.random() < ASKING.get(call, 0.0), rng.random() < PICTURE.get(call, 0.0)
    return heard(text, Scene(shown, None, outfit, asking=asking, picture=picture)), call
