"""The words of made dialogues: several ways to say each thing, drawn by a seed, with the catalogue's own text in them.

Text of a catalogue is data. It is put into a sentence as one line and is never read as a template.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from fcn.types import Item, Profile, one_line

ORDINALS = ("first", "second", "third", "fourth", "fifth")

_PAIRS = frozenset(
    "jeans trousers pants shorts leggings jeggings joggers tights socks stockings shoes sandals boots sneakers "
    "trainers heels flats pumps loafers mules clogs slippers espadrilles flip-flops earrings gloves mittens glasses "
    "sunglasses boxers briefs slacks chinos culottes".split()
)

_SINGULAR = (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("ss", "ss"), ("s", ""))

TEMPLATES: dict[str, tuple[str, ...]] = {
    "basic": (
        "I have {kept}. Which {category} goes with {them}?",
        "Here is what I am wearing: {kept}. Can you suggest {a_category}?",
        "What {category} would complete this outfit?",
        "I want to add {a_category} to what you see in the picture. What do you recommend?",
        "My outfit so far: {kept}. I am still missing {a_category}.",
        "Please help me finish this look with {a_category}.",
    ),
    "basic_answer": (
        "{title} would complete the outfit{reason}.",
        "I suggest {title}{reason}.",
        "{title} goes well with {them}{reason}.",
        "Try {title}{reason}.",
    ),
    "personalized": (
        "{profile}{preference} {wish} Which {category} should I wear{with_it}?",
        "{wish} {preference} {profile}Can you recommend {a_category}{with_it}?",
        "{preference} {profile}{wish} I need {a_category}{with_it}.",
    ),
    "personalized_answer": (
        "For you I would choose {title}{reason}.",
        "{title} should suit you{reason}.",
        "Knowing what you like, I recommend {title}{reason}.",
    ),
    "alternative": (
        "I do not want to wear {replaced}. Is there another {category}, {changes}, for this outfit?",
        "Can you swap {replaced} for {a_category} that is {changes}?",
        "Instead of {replaced} I would like {a_category} that is {changes}. What fits the rest?",
        "The outfit is nice, but {replaced} is not for me. Show me {a_category} that is {changes}.",
    ),
    "alternative_answer": (
        "Take {title} instead: it is {changes}.",
        "{title} would take its place well, being {changes}.",
        "How about {title}? Next to {replaced} it is {changes}.",
    ),
    "ask": (
        "I need {a_category}{occasion}. {profile}",
        "I am looking for {a_category}{occasion}. {profile}",
        "Can you show me {a_category}{occasion}? {profile}",
        "{profile}Do you have {a_category}{occasion}?",
    ),
    "show": ("Here is what I found: {shown}.", "How about these: {shown}?", "You could look at {shown}."),
    "price": ("Nice, but cheaper: under {price}, please.", "These cost too much. I want to stay under {price}.",
              "Do you have something under {price}?"),
    "refuse": ("Not {value}, please.", "Anything but {value}.", "I like them, only the {name} should not be {value}."),
    "want": ("I would like the {name} to be {value}.", "Please with {value} as {name}.",
             "Is there one with {value} {name}?"),
    "like": ("Something like the {ordinal}, but {changes}.", "The {ordinal} comes close. I want it {changes}.",
             "Do you have the {ordinal}, only {changes}?"),
    "like_said": ("Like the {ordinal}, but one that {said}.", "I want something like the {ordinal} that {said}.",
                  "The {ordinal} is close, but what I want {said}."),
    "like_words": ("I like the {ordinal}, but: {said}.", "The {ordinal} is close. What I want: {said}."),
    "with": ("And what {category} goes with {title}?", "Which {category} would you wear with {title}?",
             "I take {title}. What {category} goes with it?"),
    "with_answer": ("{companion} goes well with it{reason}.", "I would add {companion}{reason}.",
                    "Wear {companion} with it{reason}."),
}  # fmt: skip


def say(rng: random.Random, act: str, **words: str) -> str:
    """One of the templates of `act`, filled."""
    return filled(rng.choice(TEMPLATES[act]), **words)


def filled(template: str, **words: str) -> str:
    """A template of ours with `words` in their places, as one line.

    category: the catalogue's name of it, which may be a plural.
    """
    if "category" in words:
        one = one_of(words["category"])
        words |= {"category": one, "a_category": f"{'an' if one[:1].lower() in 'aeiou' else 'a'} {one}"}
    return one_line(template.format(**words))


def one_of(category: str) -> str:
    """What one piece of a category is called: "skirts" -> "skirt", "jeans" -> "pair of jeans"."""
    category = one_line(category)
    last = category.lower().rpartition(" ")[2]
    if last in _PAIRS:
        return f"pair of {category}"
    for ending, by in _SINGULAR:
        if last.endswith(ending) and len(last) > len(ending):
            return category[: len(category) - len(ending)] + by
    return category


def joined(texts: Iterable[str], last: str = " and ") -> str:
    """ "a, b and c". """
    texts = list(texts)
    return last.join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def title(item: Item) -> str:
    """What to call a piece: its title, or where it has none what it is."""
    return one_line(item.title) or one_line(item.category) or one_line(item.item_id)


def profile_words(profile: Profile) -> str:
    """ "About me: body figure round, height low. ", "" for an empty profile."""
    parts = [f"{group} {joined(profile.get(group), ' or ')}" for group in profile.groups()]
    return f"About me: {', '.join(parts).replace('_', ' ')}. " if parts else ""


def preference_words(common: dict[str, str], liked: Sequence[Item]) -> str:
    """The published sentence "I prefer ...", of what the pieces she likes have in common, else of the best of them."""
    if common:
        return f"I prefer {joined(f'{value} {name}' for name, value in common.items())}."
    return f"I prefer pieces like {title(liked[0])}." if liked else ""


def changes_words(changes: Iterable[str]) -> str:
    """ "longer and in navy": what `fashionm3.changes` names, as it is said after "it is"."""
    said = []
    for change in sorted(changes):
        name, mark, value = change.partition("=")
        if not mark:
            said.append(f"with {'' if change.endswith('s') else 'a '}{change}" if " " in change else change)
        elif name == "color":
            said.append(f"in {value}")
        elif name == "sleeves":
            said.append("sleeveless" if value == "sleeveless" else f"with {value} sleeves")
        else:
            said.append(f"of {value} {name}")
    return joined(said)


def shared_words(item: Item, others: Sequence[Item], leave: Sequence[str] = ("brand",)) -> str:
    """ ": like the rest it is of plain pattern" where an attribute's value is that of all other pieces, else ""."""
    for name, value in sorted(item.attributes.items()):
        if name.lower() not in leave and others and all(one.attributes.get(name) == value for one in others):
            return f": as with the rest, its {one_line(name)} is {one_line(value)}"
    return ""
