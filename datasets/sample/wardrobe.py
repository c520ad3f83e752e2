"""The made catalogue: what garments exist, which attributes they have, how they are named and priced.

Everything a rule or a picture depends on stands in an item's `attributes`, so a model that reads titles,
attributes or pictures can in principle learn everything the oracle knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLOTS = ("outerwear", "upper", "onepiece", "bottom", "shoes", "bag", "accessory")
PATTERNS = ("plain", "striped", "floral", "dotted", "checked")
FORMALITY = ("casual", "smart", "formal")
SEASONS = ("summer", "mid-season", "winter", "all-year")


@dataclass(frozen=True)
class Colour:
    """A named colour: sRGB triple, lightness 0..1, warmth -1 (cool)..1, hue in degrees (None = neutral)."""

    rgb: tuple[int, int, int]
    lightness: float
    warmth: float
    hue: float | None
    words: tuple[str, ...]
    share: float


COLOURS: dict[str, Colour] = {
    "black": Colour((42, 42, 48), 0.08, 0.0, None, ("black", "jet black"), 1.5),
    "white": Colour((244, 241, 234), 0.97, 0.0, None, ("white", "ivory", "off-white"), 1.2),
    "grey": Colour((150, 153, 160), 0.6, -0.2, None, ("grey", "heather grey"), 0.9),
    "beige": Colour((216, 190, 152), 0.78, 0.5, None, ("beige", "sand", "camel"), 1.0),
    "brown": Colour((122, 78, 50), 0.33, 0.7, None, ("brown", "chocolate"), 0.9),
    "navy": Colour((38, 52, 98), 0.2, -0.7, None, ("navy", "dark blue"), 1.1),
    "blue": Colour((92, 146, 208), 0.6, -0.9, 215.0, ("blue", "sky blue"), 1.0),
    "red": Colour((206, 44, 48), 0.45, 0.8, 5.0, ("red", "scarlet"), 0.9),
    "burgundy": Colour((118, 28, 54), 0.24, 0.4, 345.0, ("burgundy", "wine red"), 0.8),
    "pink": Colour((238, 158, 180), 0.74, 0.2, 335.0, ("pink", "rose"), 0.9),
    "mustard": Colour((222, 170, 48), 0.7, 1.0, 50.0, ("mustard", "ochre yellow"), 0.7),
    "green": Colour((44, 134, 92), 0.45, -0.4, 150.0, ("green", "emerald"), 0.9),
    "olive": Colour((122, 122, 64), 0.45, 0.5, 85.0, ("olive", "khaki green"), 0.8),
    "lilac": Colour((176, 150, 214), 0.66, -0.5, 275.0, ("lilac", "lavender"), 0.7),
}

PATTERN_WORDS = {
    "striped": ("striped", "stripy"),
    "floral": ("floral", "flower-print"),
    "dotted": ("dotted", "polka dot"),
    "checked": ("checked", "plaid"),
}
BRANDS = ("Odile Fern", "Hartwell Row", "Calla Mire", "Bram & Wick", "Solveig Ash", "Maren Lowe",
          "Tilda Quay",
          "Norrland Thread", "Petit Orage", "Vesper Lane", "Juniper Holt", "Ana Brisa")


@dataclass(frozen=True)
class Category:
    """How items of one category are drawn from chance. Tuples are equally likely unless weights are given."""

    slot: str
    share: float
    price: float  # median
    materials: tuple[str, ...]
    formality: tuple[float, float, float]
    seasons: tuple[float, float, float, float]
    words: tuple[str, ...]
    fits: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()
    necklines: tuple[str, ...] = ()
    heels: tuple[str, ...] = ()
    patterns: tuple[float, ...] = (0.5, 0.15, 0.14, 0.1, 0.11)


_PLAIN = (1.0, 0.0, 0.0, 0.0, 0.0)
_NECKS = ("v-neck", "crew", "boat", "high")
CATEGORIES: dict[str, Category] = {
    "coat": Category("outerwear", 1.1, 150, ("wool", "cashmere", "cotton"), (0.3, 0.4, 0.3),
                     (0, 0.35, 0.65, 0),
                     ("coat", "overcoat"), ("slim", "straight", "loose"), ("knee", "midi"), (), (),
                     (0.75, 0, 0, 0, 0.25)),
    "blazer": Category("outerwear", 1.0, 95, ("wool", "linen", "cotton"), (0.1, 0.5, 0.4),
                       (0.2, 0.3, 0.15, 0.35),
                       ("blazer", "tailored jacket"), ("slim", "straight", "loose"), (), (), (),
                       (0.65, 0.15, 0, 0, 0.2)),
    "cardigan": Category("outerwear", 1.0, 55, ("knit", "cashmere", "cotton"), (0.6, 0.35, 0.05),
                         (0.05, 0.4, 0.35, 0.2), ("cardigan", "knit jacket"), ("slim", "straight", "loose"),
                         (),
                         ("v-neck", "crew"), (), (0.7, 0.2, 0.1, 0, 0)),
    "denim jacket": Category("outerwear", 0.7, 70, ("denim",), (0.95, 0.05, 0), (0.25, 0.5, 0, 0.25),
                             ("denim jacket", "jean jacket"), ("slim", "straight", "loose"),
                             ("cropped", "hip"), (),
                             (), _PLAIN),
    "blouse": Category("upper", 1.3, 48, ("silk", "viscose", "cotton"), (0.15, 0.5, 0.35),
                       (0.3, 0.25, 0.1, 0.35),
                       ("blouse", "blouse top"), ("slim", "straight", "loose"), (), _NECKS),
    "t-shirt": Category("upper", 1.3, 22, ("cotton", "jersey", "linen"), (0.9, 0.1, 0), (0.4, 0.2, 0, 0.4),
                        ("t-shirt", "tee"), ("slim", "straight", "loose"), (), ("v-neck", "crew", "boat")),
    "shirt": Category("upper", 1.2, 45, ("cotton", "linen", "silk"), (0.3, 0.5, 0.2), (0.3, 0.25, 0.1, 0.35),
                      ("shirt", "button-down shirt"), ("slim", "straight", "loose"), (), (), (),
                      (0.45, 0.25, 0.06, 0.06, 0.18)),
    "sweater": Category("upper", 1.2, 60, ("knit", "wool", "cashmere"), (0.6, 0.35, 0.05),
                        (0, 0.35, 0.6, 0.05),
                        ("sweater", "jumper", "pullover"), ("slim", "straight", "loose"), (), _NECKS, (),
                        (0.6, 0.25, 0.05, 0.05, 0.05)),
    "crop top": Category("upper", 0.8, 26, ("cotton", "jersey", "viscose"), (0.75, 0.25, 0),
                         (0.7, 0.15, 0, 0.15),
                         ("crop top", "cropped top"), ("slim", "loose"), ("cropped",),
                         ("v-neck", "crew", "boat")),
    "dress": Category("onepiece", 2.6, 80, ("cotton", "silk", "viscose", "linen", "knit"), (0.3, 0.35, 0.35),
                      (0.4, 0.2, 0.15, 0.25), ("dress",), ("slim", "straight", "loose", "a-line"),
                      ("mini", "knee", "midi", "maxi"), _NECKS, (), (0.42, 0.13, 0.2, 0.13, 0.12)),
    "jumpsuit": Category("onepiece", 0.9, 78, ("cotton", "viscose", "linen"), (0.4, 0.4, 0.2),
                         (0.45, 0.25, 0, 0.3),
                         ("jumpsuit", "all-in-one"), ("slim", "straight", "loose"), (),
                         ("v-neck", "crew", "high")),
    "jeans": Category("bottom", 1.2, 65, ("denim",), (0.85, 0.15, 0), (0.1, 0.3, 0.2, 0.4), ("jeans",),
                      ("slim", "straight", "loose"), ("ankle", "full"), (), (), _PLAIN),
    "trousers": Category("bottom", 1.3, 58, ("wool", "cotton", "linen"), (0.2, 0.45, 0.35),
                         (0.25, 0.25, 0.2, 0.3),
                         ("trousers", "pants"), ("slim", "straight", "loose"), ("ankle", "full"), (), (),
                         (0.68, 0.14, 0.02, 0.02, 0.14)),
    "skirt": Category("bottom", 1.4, 46, ("cotton", "silk", "wool", "denim"), (0.35, 0.4, 0.25),
                      (0.35, 0.25, 0.15, 0.25), ("skirt",), ("slim", "straight", "a-line"),
                      ("mini", "knee", "midi", "maxi")),
    "shorts": Category("bottom", 0.8, 35, ("cotton", "linen", "denim"), (0.8, 0.2, 0), (0.9, 0.1, 0, 0),
                       ("shorts",), ("slim", "straight", "loose"), ("mini", "knee"), (), (),
                       (0.65, 0.14, 0.08, 0.05, 0.08)),
    "heels": Category("shoes", 1.1, 85, ("leather", "suede", "satin"), (0, 0.4, 0.6), (0.2, 0.2, 0.1, 0.5),
                      ("heels", "pumps"), (), (), (), ("high", "mid"), _PLAIN),
    "flats": Category("shoes", 1.0, 60, ("leather", "suede"), (0.35, 0.5, 0.15), (0.25, 0.35, 0, 0.4),
                      ("flats", "ballet flats"), (), (), (), ("flat",), _PLAIN),
    "sneakers": Category("shoes", 1.0, 75, ("leather", "canvas"), (0.9, 0.1, 0), (0.2, 0.2, 0.05, 0.55),
                         ("sneakers", "trainers"), (), (), (), ("flat",), _PLAIN),
    "boots": Category("shoes", 1.0, 120, ("leather", "suede"), (0.45, 0.4, 0.15), (0, 0.3, 0.7, 0),
                      ("boots", "ankle boots"), (), (), (), ("flat", "mid", "high"), _PLAIN),
    "sandals": Category("shoes", 0.9, 55, ("leather", "suede"), (0.5, 0.3, 0.2), (0.95, 0.05, 0, 0),
                        ("sandals",),
                        (), (), (), ("flat", "mid"), _PLAIN),
    "tote": Category("bag", 0.9, 80, ("leather", "canvas"), (0.55, 0.4, 0.05), (0.2, 0.1, 0.05, 0.65),
                     ("tote", "tote bag"), (), (), (), (), (0.75, 0.13, 0.04, 0.03, 0.05)),
    "clutch": Category("bag", 0.8, 60, ("leather", "satin", "suede"), (0, 0.3, 0.7), (0.1, 0.1, 0.05, 0.75),
                       ("clutch", "clutch bag"), (), (), (), (), (0.85, 0, 0.09, 0.06, 0)),
    "crossbody": Category("bag", 0.9, 70, ("leather", "suede"), (0.5, 0.45, 0.05), (0.15, 0.1, 0.05, 0.7),
                          ("crossbody bag", "shoulder bag"), (), (), (), (), (0.9, 0, 0, 0, 0.1)),
    "scarf": Category("accessory", 0.9, 30, ("silk", "wool", "cashmere"), (0.4, 0.4, 0.2),
                      (0.05, 0.35, 0.55, 0.05),
                      ("scarf",), (), (), (), (), (0.38, 0.17, 0.15, 0.12, 0.18)),
    "belt": Category("accessory", 0.8, 28, ("leather", "suede"), (0.4, 0.45, 0.15), (0, 0, 0, 1.0),
                     ("belt", "waist belt"), (), (), (), (), _PLAIN),
    "hat": Category("accessory", 0.7, 32, ("straw", "wool", "felt"), (0.6, 0.35, 0.05), (0.5, 0.1, 0.4, 0),
                    ("hat",), (), (), (), (), _PLAIN),
    "necklace": Category("accessory", 0.8, 38, ("glass beads", "enamel", "stone"), (0.25, 0.35, 0.4),
                         (0, 0, 0, 1.0),
                         ("necklace",), (), (), (), (), _PLAIN),
}
_DEAR = {"silk": 1.35, "cashmere": 1.7, "wool": 1.2, "leather": 1.2, "linen": 1.1, "jersey": 0.9,
         "canvas": 0.8,
         "cotton": 0.95, "viscose": 0.95}
_WARM_ONLY = {"wool", "cashmere", "knit", "felt"}


def make_items(count: int, rng: np.random.Generator) -> list[dict]:
    """`count` items as dicts (item_id, title, category, slot, image, attributes, price, in_stock).

    Categories get their shares by largest remainder, so that small catalogues are not lopsided.
    """
    names = list(CATEGORIES)
    share = np.array([CATEGORIES[n].share for n in names])
    exact = share / share.sum() * count
    counts = np.floor(exact).astype(int)
    for at in np.argsort(-(exact - counts), kind="stable")[: count - counts.sum()]:
        counts[at] += 1
    order = rng.permutation(np.repeat(np.arange(len(names)), counts))
    return [_make_item(f"i{at:05d}", names[code], rng) for at, code in enumerate(order)]


def _make_item(item_id: str, category: str, rng: np.random.Generator) -> dict:
    kind = CATEGORIES[category]
    pick = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    season = SEASONS[_draw(rng, kind.seasons)]
    banned = _WARM_ONLY if season == "summer" else ()
    materials = tuple(m for m in kind.materials if m not in banned) or kind.materials
    if category == "hat":
        materials = ("straw",) if season == "summer" else ("wool", "felt")
    material, pattern = pick(materials), PATTERNS[_draw(rng, kind.patterns)]
    attributes = {"color": _colour(category, season, rng),
                  "pattern": "plain" if material == "denim" else pattern}
    if attributes["pattern"] != "plain":
        attributes["print scale"] = pick(("small", "large"))
    for name, options in (("length", kind.lengths), ("fit", kind.fits), ("neckline", kind.necklines),
                          ("heel", kind.heels)):
        if options:
            attributes[name] = pick(options)
    attributes |= {"material": material, "season": season,
                   "formality": FORMALITY[_draw(rng, kind.formality)], "brand": pick(BRANDS)}
    price = kind.price * _DEAR.get(attributes["material"], 1.0) * (0.85, 1.0, 1.3)[
        FORMALITY.index(attributes["formality"])] * np.exp(rng.normal(0, 0.28))
    return {"item_id": item_id, "title": _title(category, attributes, rng), "category": category,
            "slot": kind.slot,
            "image": f"images/{item_id}.png", "attributes": attributes,
            "price": float(np.round(price) - (0.05 if price > 20 else 0.01)),
            "in_stock": bool(rng.random() < 0.93)}


def _draw(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    return int(rng.choice(len(weights), p=np.asarray(weights) / np.sum(weights)))


def _colour(category: str, season: str, rng: np.random.Generator) -> str:
    names = list(COLOURS)
    weights = np.array([c.share for c in COLOURS.values()])
    light = np.array([c.lightness for c in COLOURS.values()])
    neutral = np.array([c.hue is None for c in COLOURS.values()])
    if season in ("summer", "winter"):  # summer leans to light colours, winter to dark ones
        weights = weights * np.exp((0.9 if season == "summer" else -0.9) * (light - 0.5))
    if CATEGORIES[category].slot in ("shoes", "bag") or category in ("belt", "coat", "blazer"):
        weights = weights * np.where(neutral, 1.7, 0.8)
    if "denim" in CATEGORIES[category].materials and len(CATEGORIES[category].materials) == 1:
        denim = {"navy": 3.0, "blue": 3.5, "black": 1.5, "grey": 1.0, "white": 1.0, "olive": 0.4,
                 "burgundy": 0.3,
                 "pink": 0.3}
        weights = np.array([denim.get(name, 0.05) for name in names])
    return names[_draw(rng, tuple(weights))]


def _title(category: str, a: dict[str, str], rng: np.random.Generator) -> str:
    """A shop's title. Fit, length, neckline and formality are each left out now and then, as shops do."""
    pick = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    colour, noun, material = pick(COLOURS[a["color"]].words), pick(CATEGORIES[category].words), a["material"]
    pattern = pick(PATTERN_WORDS[a["pattern"]]) if a["pattern"] != "plain" else pick(("", "", "plain"))
    if a.get("print scale") == "large" and rng.random() < 0.5:
        pattern = "bold " + pattern
    fit = {"slim": pick(("slim", "slim-fit", "fitted")), "straight": pick(("straight", "", "regular")),
           "loose": pick(("loose", "oversized", "relaxed")),
           "a-line": pick(("A-line", "flared"))}.get(a.get("fit"), "")
    length = a.get("length", "")
    length = {"knee": "knee-length", "full": "", "hip": "", "ankle": "ankle-length",
              "cropped": "" if "crop" in noun else "cropped"}.get(length, length)
    neck = {"high": pick(("high-neck", "turtleneck")), "crew": pick(("crew-neck", "round-neck")),
            "boat": "boat-neck", "v-neck": "V-neck"}.get(a.get("neckline"), "")
    heel = {"high": "high", "mid": "mid-heel", "flat": ""}.get(a.get("heel"), "")
    formality = {"formal": pick(("elegant", "evening", "")), "smart": pick(("smart", "")),
                 "casual": pick(("casual", ""))}[a["formality"]]
    words = [w for w in (formality if rng.random() < 0.7 else "", pattern, fit if rng.random() < 0.9 else "",
                         length, neck if rng.random() < 0.85 else "", heel) if w]
    style = rng.random()
    if style < 0.45:
        parts = [colour, *words, noun, "in", material]
    elif style < 0.75:
        parts = [material, *words, noun, "in", colour]
    else:
        parts = [*words, colour, material, noun]
    text = " ".join(parts)
    brand = rng.random()
    if brand < 0.3:
        return f"{a['brand']} {text}"
    text = text[0].upper() + text[1:]
    return f"{text} by {a['brand']}" if brand < 0.45 else text
