"""The garment English words name, and its slot: a modest keyword table for catalogues without categories."""

from __future__ import annotations

import re

# slot -> category -> words that name it, singular (plurals in s or es count too); "a-b" also stands for "a b"
GARMENTS: dict[str, dict[str, str]] = {
    "onepiece": {
        "dress": "dress gown sundress minidress maxidress",
        "jumpsuit": "jumpsuit romper overalls coverall onesie bodysuit unitard leotard",
    },
    "upper": {
        "t-shirt": "t-shirt tshirt tee",
        "shirt": "shirt polo henley button-down",
        "blouse": "blouse tunic",
        "top": "tank-top crop-top tube-top halter-top top tank camisole cami tops",
        "sweater": "sweater pullover cardigan jumper turtleneck",
        "sweatshirt": "sweatshirt hoodie hoody",
    },
    "outerwear": {
        "jacket": "jacket blazer windbreaker bomber",
        "coat": "coat parka overcoat raincoat trenchcoat peacoat poncho cape",
        "vest": "vest waistcoat",
    },
    "bottom": {
        "jeans": "jean",
        "pants": "pant trouser slacks khakis chino sweatpant jogger capri",
        "leggings": "legging jegging",
        "shorts": "shorts boardshort",
        "skirt": "skirt skort tutu miniskirt",
    },
    "shoes": {
        "boots": "boot bootie",
        "sneakers": "sneaker trainer running-shoe tennis-shoe",
        "sandals": "sandal flip-flop flip-flops",
        "slippers": "slipper",
        "shoes": "shoe pump loafer oxford clog mule espadrille moccasin stiletto heels mary-jane flat slide "
        "slip-on",
    },
    "bag": {
        "bag": "bag handbag tote clutch satchel purse duffel crossbody",
        "backpack": "backpack rucksack",
        "wallet": "wallet cardholder",
        "luggage": "luggage suitcase briefcase",
    },
    "accessory": {
        "hat": "hat cap beanie fedora beret visor",
        "watch": "watch chronograph wristwatch",
        "sunglasses": "sunglasses eyeglasses goggles",
        "ring": "ring",
        "necklace": "necklace pendant choker",
        "earrings": "earring",
        "bracelet": "bracelet bangle anklet",
        "belt": "belt suspender",
        "scarf": "scarf scarves shawl pashmina",
        "gloves": "glove mitten",
        "tie": "necktie bow-tie",
        "tights": "tights pantyhose stockings",
        "socks": "sock",
    },
    "other": {
        "bra": "bra bralette",
        "underwear": "underwear panty panties brief boxer thong lingerie corset shapewear undershirt",
        "swimwear": "swimsuit bikini swimwear tankini swim-trunks swim-trunk",
        "sleepwear": "pajama pyjama nightgown robe bathrobe sleepwear nightshirt chemise",
        "costume": "costume",
        "jewelry": "jewelry jewellery brooch charm",
        "box": "box organizer",
    },
}
_WORDS = {
    word: (category, slot)
    for slot, kinds in GARMENTS.items()
    for category, words in kinds.items()
    for word in words.split()
}
_HEAD_ENDS = re.compile(r"\s(?:with|w/|for|by|in|from|featuring)\s|\s[-|:]\s|[,;(\[]|\.\s")
_NO_GARMENT = re.compile(r"\b(?:dress[- ]up|boot[- ]cut|(?:high|low|mid)[- ]top)\b")


def _words(text: str) -> list[str]:
    """Words; a hyphenated one stays whole only where GARMENTS lists it ("t-shirt", not "necklace-red")."""
    words: list[str] = []
    for word in re.findall(r"[a-z]+(?:-[a-z]+)*", text):
        words += [word] if word in _WORDS or word.removesuffix("s") in _WORDS else word.split("-")
    return words


def garment_of(text: str) -> tuple[str, str] | None:
    """The last garment the words name: an English compound has its head last ("dress shirt", "shoe bag")."""
    words = _words(text.lower())
    for place in range(len(words) - 1, -1, -1):
        pair = "-".join(words[place - 1 : place + 1]) if place else ""
        for word in (pair, words[place]):
            for ending in ("", "s", "es"):
                if word.endswith(ending) and word.removesuffix(ending) in _WORDS:
                    return _WORDS[word.removesuffix(ending)]
    return None


def guess_garment(title: str) -> tuple[str, str]:
    """(category, slot) guessed from the words of a title; ("other", "other") where none of GARMENTS occurs.

    The head of the title is read first, up to the first "with", "for", comma ...; only then the rest.
    """
    text = _NO_GARMENT.sub(" ", title.lower())
    parts = [part.strip() for part in _HEAD_ENDS.split(text) if part.strip()]
    for place, part in enumerate(parts):
        if place == 0:
            part = re.sub(r"\bshort$", "shorts", part)  # "Twill Short", but not "Short Sleeve Shirt"
        found = garment_of(part)
        if found is not None:
            return found
    return "other", "other"
