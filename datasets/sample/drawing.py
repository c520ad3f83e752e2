"""From an item to its picture: shoes, bags and accessories here, clothes in garments.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import garments
from canvas import Canvas, contrast, mirror, shade
from PIL import Image
from wardrobe import COLOURS

SOLE, GOLD, CREAM = (92, 70, 56), (214, 174, 92), (246, 242, 232)


def heels(c: Canvas, a: dict[str, str]) -> None:
    high = a["heel"] == "high"
    rise = 0 if high else 9
    back = 34 + rise  # y of the heel seat
    c.part([(72, back + 14), (77, back + 12), (76, 74), (73.4, 74)], fill=shade(c.rgb, 0.7), depth=3)
    c.part([(12, 72), (11, 67), (22, 62), (34, 58), (44, back + 16), (58, back + 6), (70, back - 7),
            (77, back - 8),
            (79, back + 6), (77, back + 15), (70, back + 17), (58, back + 22), (46, 70), (36, 74), (20, 75)],
            curve=True)
    c.part([(34, 59), (46, back + 17), (60, back + 6), (71, back - 5), (74, back - 2), (66, back + 6),
            (52, back + 16),
            (42, 62)], fill=shade(c.rgb, 0.5), curve=True, depth=2)
    c.line([(12, 73.6), (22, 75.4), (37, 74), (47, 70), (59, back + 21.5), (72, back + 16)], colour=SOLE,
           width=1.5)
    c.line([(15, 69), (22, 66), (29, 64)], colour=shade(c.rgb, 1.6), width=1.2, strength=0.5)


def flats(c: Canvas, a: dict[str, str]) -> None:
    c.part([(10, 66), (11, 59), (20, 54), (32, 52), (40, 58), (54, 61), (68, 56), (80, 48), (86, 50),
            (87, 62), (84, 68),
            (60, 69), (30, 70), (14, 69)], curve=True)
    c.part([(33, 54), (41, 59.5), (55, 62), (69, 57), (80, 50.5), (83, 53), (72, 61), (56, 65), (41, 63)],
           fill=shade(c.rgb, 0.52), curve=True, depth=2)
    c.line([(11, 67.5), (16, 70), (40, 70.6), (70, 69.6), (85, 67.5)], colour=SOLE, width=1.8)
    for side in (-1, 1):
        c.part([(31, 55), (31 + side * 6, 51.5), (31 + side * 6.2, 58)], fill=shade(c.rgb, 0.8), curve=True,
               depth=2)
    c.dot(31, 55, 1.4, GOLD)
    c.line([(14, 61), (20, 57.6), (26, 56)], colour=shade(c.rgb, 1.6), width=1.2, strength=0.5)


def sneakers(c: Canvas, a: dict[str, str]) -> None:
    c.part([(10, 64), (12, 56), (24, 51), (36, 44), (44, 33), (52, 30), (60, 36), (68, 36), (76, 30),
            (83, 33), (86, 48),
            (87, 62), (86, 68), (12, 68)], curve=True)
    c.part([(49, 34), (56, 35), (66, 39), (76, 33.5), (79, 35), (72, 43), (60, 43)], fill=shade(c.rgb, 0.5),
           curve=True,
           depth=2)
    c.part([(10, 66), (86, 65), (88, 67), (88, 72), (85, 75), (13, 75), (9, 72), (8.6, 68)], fill=CREAM,
           depth=4)
    c.line([(10, 69.6), (48, 70.4), (87, 69)], colour=shade(contrast(c.rgb), 0.8), width=0.9)
    c.part([(10, 64), (12, 57), (22, 53), (27, 58), (27, 66), (11, 66)], plain=True, tone=0.86, curve=True,
           depth=4)
    accent = contrast(c.rgb)
    c.part([(50, 62), (58, 47), (64, 46), (58, 62)], fill=accent, depth=3)
    for step in range(4):
        x, y = 31 + step * 4.6, 51.5 - step * 4.9
        c.strap([(x, y), (x + 6.5, y + 3.6)], colour=CREAM if accent == CREAM or sum(c.rgb) < 560 else accent,
                width=1.5)
    c.line([(80, 36), (80.5, 63)], strength=0.7)


def boots(c: Canvas, a: dict[str, str]) -> None:
    heel = {"flat": 4, "mid": 9, "high": 14}[a["heel"]]
    floor, tip = 82, 82 - min(heel, 7) * 0.3
    seat = floor - heel
    front, back = (67, 72.5) if heel > 9 else (62, 74)
    c.part([(60, seat - 2), (74, seat - 2), (back, floor), (front, floor)],
           fill=shade(SOLE, 0.8), depth=3)
    c.part([(42, 14), (42, 14), (74, 12), (74, 12), (73, 34), (74, 52), (76, seat - 8), (75, seat),
            (62, seat), (50, tip - 2),
            (32, tip), (14, tip), (12, tip - 8), (20, tip - 15), (34, tip - 21), (43, 50), (43, 32)],
            curve=True)
    c.part([(42, 14), (58, 16.5), (74, 12), (58, 10.5)], fill=shade(c.rgb, 0.5), curve=True, depth=1)
    c.line([(12.5, tip - 0.4), (30, tip + 0.5), (50, tip - 1.4), (62, seat + 0.4), (75, seat)], colour=SOLE,
           width=2.2)
    c.line([(66, 17), (65, 40), (66, 46)], colour=shade(c.rgb, 0.6), width=0.8)
    c.part([(53, 22), (65, 21), (65, 44), (55, 44)], plain=True, tone=0.8, depth=2, curve=True)
    c.folds([(45, 50), (54, 53)], [(44, 56), (52, 58)])
    c.line([(18, tip - 9), (26, tip - 13), (34, tip - 16)], colour=shade(c.rgb, 1.6), width=1.4,
           strength=0.45)
    c.strap([(67, 12), (67.5, 7.5), (70.5, 7.5), (71, 12)], width=1.3)


def sandals(c: Canvas, a: dict[str, str]) -> None:
    lift = 0 if a["heel"] == "flat" else 11
    if lift:
        c.part([(68, 72 - lift), (82, 70 - lift), (80, 77), (70, 77)], fill=(196, 152, 104), depth=3)
    c.part([(10, 72), (14, 68), (36, 68), (54, 70 - lift * 0.7), (70, 66 - lift), (84, 66 - lift),
            (86, 71 - lift), (72, 73 - lift),
            (56, 76 - lift * 0.6), (38, 76), (14, 76)], fill=(206, 164, 116), curve=True, depth=4)
    tilt = lift * 0.45
    for path in ([(15, 71), (22, 59), (31, 57), (38, 62), (42, 71)],
                 [(26, 71), (33, 58), (43, 55 - tilt), (53, 70 - tilt)]):
        c.strap(path, width=4.2)
        c.line([(x, y - 0.8) for x, y in path[1:-1]], colour=shade(c.rgb, 1.6), width=0.9, strength=0.4)
    c.strap([(83, 67 - lift), (84, 54 - lift), (80, 41 - lift)], width=2.6)
    c.strap([(51, 65 - tilt), (64, 48 - lift), (80, 41 - lift)], width=2.6)
    c.strap([(62, 46 - lift * 1.05), (72, 49 - lift), (81, 42 - lift)], width=2.2)
    c.dot(71, 48.6 - lift, 1.8, GOLD)
    c.line([(11, 74.6), (38, 75.4), (56, 75 - lift * 0.6), (72, 72.4 - lift), (85, 70.4 - lift)], colour=SOLE,
           width=1.1)


def tote(c: Canvas, a: dict[str, str]) -> None:
    for x0, tone in ((3, 0.65), (0, 0.85)):
        c.strap([(32 + x0, 40), (34 + x0, 16), (48 + x0 * 0.5, 9), (62 - x0, 16), (64 - x0, 40)],
                colour=shade(c.rgb, tone),
                width=2.6)
    c.part(mirror([(48 + 28, 36), (48 + 28, 36), (48 + 25, 82), (48 + 22, 85)]), curve=True)
    c.line([(20, 40), (48, 41.2), (76, 40)], strength=0.8)
    for x in (32, 64):
        c.part([(x - 2.4, 36), (x + 2.4, 36), (x + 2.4, 45), (x, 47.5), (x - 2.4, 45)], plain=True, tone=0.75,
               depth=2)
        c.dot(x, 43.5, 1.0, GOLD)
    c.folds([(30, 50), (29, 78)], [(66, 52), (67, 78)])


def clutch(c: Canvas, a: dict[str, str]) -> None:
    c.strap([(80, 46), (88, 50), (87, 64), (80, 60)], colour=GOLD, width=1.3)
    c.part([(12, 36), (84, 36), (86, 39), (86, 69), (83, 72), (13, 72), (10, 69), (10, 39)])
    c.part([(12, 35), (84, 35), (87, 38), (82, 46), (51, 58), (45, 58), (14, 46), (9, 38)], tone=1.04)
    c.part([(44, 54), (52, 54), (52, 61), (44, 61)], fill=GOLD, depth=3)
    c.dot(48, 57.5, 1.6, shade(GOLD, 1.4))
    c.line([(16, 41), (34, 48)], colour=shade(c.rgb, 1.6), width=1.4, strength=0.4)


def crossbody(c: Canvas, a: dict[str, str]) -> None:
    c.strap([(24, 50), (20, 28), (34, 10), (62, 10), (76, 28), (72, 50)], width=1.8)
    c.part([(22, 48), (22, 48), (74, 48), (74, 48), (77, 72), (70, 84), (26, 84), (19, 72)], curve=True)
    c.part([(21, 47), (21, 47), (75, 47), (75, 47), (74, 60), (60, 68), (36, 68), (22, 60)], curve=True,
           tone=1.03)
    c.part([(44.5, 63), (51.5, 63), (51.5, 71), (48, 73), (44.5, 71)], fill=GOLD, depth=3)
    for x in (24, 72):
        c.dot(x, 49, 2.0, GOLD)
    c.line([(24, 59), (36, 65.6), (60, 65.6), (72, 59)], colour=contrast(c.rgb), width=0.5, strength=0.6)


def scarf(c: Canvas, a: dict[str, str]) -> None:
    for x0, x1, y, tone in ((52, 63, 84, 0.84), (36, 48, 88, 0.97)):
        c.part([(x0, 34), (x1, 32), (x1 + 2, y), (x1 + 2, y), (x0 - 1, y + 1), (x0 - 1, y + 1)], curve=True,
               tone=tone)
        for step in range(7):
            x = x0 - 0.4 + step * (x1 + 1.8 - x0) / 6
            c.strap([(x, y + 0.5), (x + 0.3, y + 5)], width=0.7)
        c.folds([(x0 + 4, 42), (x0 + 4, y - 5)], [(x1 - 3, 44), (x1 - 2, y - 4)])
    c.part([(22, 26), (30, 14), (48, 10), (66, 14), (74, 26), (66, 40), (48, 45), (30, 40)], curve=True)
    c.part([(33, 23), (40, 18.5), (48, 17.5), (56, 18.5), (63, 23), (56, 28), (48, 29.5), (40, 28)],
           curve=True,
           fill=shade(c.rgb, 0.45), depth=2)
    c.part([(36, 34), (48, 31), (52, 38), (48, 47), (38, 46)], curve=True, tone=0.92)
    c.folds([(26, 29), (35, 36), (46, 39)], [(70, 28), (62, 35), (54, 38)],
            [(29, 20), (36, 14.5), (46, 12.5)], strength=0.5)


def belt(c: Canvas, a: dict[str, str]) -> None:
    ring = [(48 + 36 * math.cos(t / 20 * math.tau), 46 + 17 * math.sin(t / 20 * math.tau)) for t in range(20)]
    low = [(x, y + 11) for x, y in ring]
    c.part([*ring[10:], ring[0], low[0], *reversed(low[10:])], tone=0.6, depth=3)
    c.part([*ring[:11], *reversed(low[:11])], depth=5)
    stitch = contrast(c.rgb)
    for shift in (1.8, 9.2):
        c.line([(x, y + shift) for x, y in ring[:11]], colour=stitch, width=0.45, strength=0.65)
    c.part([(40, 60), (57, 60), (57, 77), (40, 77)], fill=GOLD, curve=False, depth=3)
    c.part([(43.4, 63.4), (53.6, 63.4), (53.6, 73.6), (43.4, 73.6)], plain=True, depth=2)
    c.strap([(41.5, 68.5), (54, 68.5)], colour=GOLD, width=1.7)
    for x, y in ((62, 67), (67, 65.6), (72, 63.2)):
        c.dot(x, y, 0.8, shade(c.rgb, 0.4), shine=False)


def hat(c: Canvas, a: dict[str, str]) -> None:
    wide = 40 if a["material"] == "straw" else 33
    brim = [(48 + wide * math.cos(t / 24 * math.tau),
             64 + 12 * math.sin(t / 24 * math.tau) + (2.4 * math.cos(t / 12 * math.tau)))
            for t in range(24)]
    c.part(brim, curve=True)
    c.part([(26, 62), (28, 42), (33, 27), (42, 24), (48, 27), (54, 24), (63, 27), (68, 42), (70, 62),
            (60, 67), (48, 68.5),
            (36, 67)], curve=True)
    c.part([(26.4, 55), (36, 59.6), (48, 61), (60, 59.6), (69.6, 55), (70, 62), (60, 67), (48, 68.5),
            (36, 67), (26, 62)],
           fill=contrast(c.rgb) if sum(c.rgb) < 600 else (86, 66, 60), curve=True, depth=4)
    c.folds([(42, 27), (46, 34), (48, 42)], strength=0.5)
    if a["material"] == "straw":
        for y in range(30, 54, 4):
            c.line([(29, y + 3), (48, y + 5), (67, y + 3)], strength=0.25, width=0.5)
        for shrink in (0.93, 0.84, 0.75):
            c.line([(48 + (x - 48) * shrink, 64 + (y - 64) * shrink) for x, y in brim[1:12]], strength=0.3,
                   width=0.5)


def necklace(c: Canvas, a: dict[str, str]) -> None:
    def ring(degrees: int) -> tuple[float, float]:
        return 48 + 27 * math.sin(math.radians(degrees)), 38 + 30 * math.cos(math.radians(degrees))

    c.strap([ring(degrees) for degrees in range(-150, 151, 10)], colour=GOLD, width=0.9)
    beads = a["material"] == "glass beads"
    for t in range(-80, 81, 16 if beads else 32):
        x, y = ring(t)
        r = (2.6 if beads else 3.0) + 1.4 * math.cos(math.radians(t))
        if beads or t:
            c.dot(x, y, r, c.rgb)
    if a["material"] == "stone":
        c.part([(48, 64), (55, 70), (52, 81), (48, 85), (44, 81), (41, 70)], fill=c.rgb, depth=5)
        c.line([(44, 70), (52, 70)], colour=shade(c.rgb, 1.6), width=0.9, curve=False)
    elif a["material"] == "enamel":
        c.dot(48, 74, 7.5, GOLD, shine=False)
        c.dot(48, 74, 5.8, c.rgb)


def cloth_key(item: dict) -> tuple[str, ...]:
    a = item["attributes"]
    return a["color"], a["pattern"], a.get("print scale", ""), a["material"], item["item_id"]


def draw_item(item: dict) -> Image.Image:
    """The 96 x 96 RGB picture of an item dict as made by wardrobe.make_items; same item, same picture."""
    a, category = item["attributes"], item["category"]
    canvas = Canvas(COLOURS[a["color"]].rgb, a["pattern"], a.get("print scale", ""), a["material"])
    _DRAW[category](canvas, a)
    return canvas.finish()


_DRAW: dict[str, Callable[[Canvas, dict[str, str]], None]] = {
    "t-shirt": garments.t_shirt, "crop top": garments.crop_top, "blouse": garments.blouse,
    "shirt": garments.shirt,
    "sweater": garments.sweater, "blazer": garments.blazer, "coat": garments.coat,
    "cardigan": garments.cardigan,
    "denim jacket": garments.denim_jacket, "dress": garments.dress, "jumpsuit": garments.jumpsuit,
    "jeans": garments.jeans, "trousers": garments.trousers, "shorts": garments.shorts,
    "skirt": garments.skirt,
    "heels": heels, "flats": flats, "sneakers": sneakers, "boots": boots, "sandals": sandals, "tote": tote,
    "clutch": clutch, "crossbody": crossbody, "scarf": scarf, "belt": belt, "hat": hat, "necklace": necklace,
}
