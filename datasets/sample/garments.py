"""Silhouettes of clothes: outerwear, tops, dresses, jumpsuits, bottoms, drawn to the item's attributes."""

from __future__ import annotations

from canvas import Canvas, contrast, mirror, shade

SHOULDER = {"slim": 14.0, "straight": 16.0, "loose": 18.5}
WAIST = {"slim": 10.5, "straight": 14.5, "loose": 19.0, "a-line": 10.5}
HEM = {"slim": 13.0, "straight": 16.0, "loose": 21.5, "a-line": 14.0}
NECK = {"v-neck": (6.5, 15.0), "crew": (7.0, 5.0), "boat": (11.5, 2.6), "high": (6.0, 1.0)}
LOW_HEM = {"mini": 60.0, "knee": 69.0, "midi": 79.0, "maxi": 89.5}


def _sleeves(c: Canvas, fit: str, top: float, end: float, flare: float = 0.0, cuff: bool = False) -> None:
    """Both sleeves, from the shoulder line at `top` down to y = `end`."""
    s, drop = SHOULDER[fit], end - top
    wide = {"slim": 5.6, "straight": 7.2, "loose": 9.5}[fit]
    out = s + 2 + 0.24 * drop + (2 if fit == "loose" else 0)
    for side in (1, -1):
        at = lambda x, y: (48 + side * x, y)  # noqa: E731, B023
        c.part([at(s - 5, top + 1.5), at(s + 1, top + 3.5), at(s + 3.4, top + 8), at(out + flare, end - 1),
                at(out + flare, end - 1), at(out - wide - flare * 0.6, end + 1.2),
                at(out - wide - flare * 0.6, end + 1.2),
                at(s - 3, top + 21), at(s - 7, top + 12)], curve=True, turn=side * 14, tone=0.95)
        if cuff:
            c.line([at(out + flare + 0.2, end - 4), at(out - wide - flare * 0.6 + 0.2, end - 1.8)], width=0.7)
        if drop > 30:
            c.folds([at(s + 3, top + drop * 0.5), at(s - 0.5, top + drop * 0.58)])


def _neck_hole(c: Canvas, neck: str, top: float) -> None:
    """The inside of the back, seen through the neckline."""
    wide, deep = NECK[neck]
    c.part([(48 - wide, top), (48, top + 1.8), (48 + wide, top), (48 + wide * 0.6, top + deep),
            (48, top + deep + 1),
            (48 - wide * 0.6, top + deep)], curve=True, fill=shade(c.rgb, 0.5), depth=0)


def _front(c: Canvas, fit: str, neck: str, top: float, hem: float, flow: float = 0.0) -> None:
    """Front of a top: neckline, shoulders, side seam, hem."""
    wide, deep = NECK[neck]
    s, w, h = SHOULDER[fit], WAIST[fit], HEM[fit] + flow
    _neck_hole(c, neck, top)
    if neck == "v-neck":
        line = [(48, top + deep), (48, top + deep), (48 + wide, top), (48 + wide, top)]
    else:
        line = [(48, top + deep), (48 + wide * 0.66, top + deep * 0.72), (48 + wide, top), (48 + wide, top)]
    middle = top + (hem - top) * 0.58
    c.part(mirror([*line, (48 + s, top + 3.5), (48 + s, top + 3.5), (48 + s - 1.6, top + 15),
                   (48 + w, middle),
                   (48 + h, hem), (48 + h, hem), (48 + h * 0.4, hem + 1.4)]), curve=True)
    if neck == "high":
        c.part(mirror([(48 + 5.2, top - 5.5), (48 + 6.4, top + 1.5), (48, top + 3)]), curve=True, plain=True,
               tone=0.97)
        c.line([(43, top - 2.2), (48, top - 1.4), (53, top - 2.2)], strength=0.6)
    else:
        side = [(48 - wide, top), (48 - wide * 0.66, top + deep * 0.72), (48, top + deep)]
        if neck == "v-neck":
            side = [(48 - wide, top), (48, top + deep)]
        side = [(x - 0.2, y + 1.4) for x, y in side]
        c.line([*side, *[(96 - x, y) for x, y in reversed(side[:-1])]], curve=neck != "v-neck", strength=0.75)


def _body_folds(c: Canvas, fit: str, top: float, hem: float) -> None:
    if fit == "slim":
        c.folds([(39, hem - 20), (43, hem - 17)], [(57, hem - 20), (53, hem - 17)])
    else:
        c.folds([(41, hem - 18), (40, hem - 3)], [(55, hem - 22), (56.5, hem - 4)])
    if fit == "loose":
        c.folds([(48, hem - 14), (48.6, hem - 2)])


def t_shirt(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 20, {"slim": 37, "straight": 41, "loose": 46}[fit], flare=1.5, cuff=True)
    _front(c, fit, a["neckline"], 20, 76)
    _body_folds(c, fit, 20, 76)


def crop_top(c: Canvas, a: dict[str, str]) -> None:
    fit, wide = a["fit"], NECK[a["neckline"]][0]
    if fit == "loose":
        _sleeves(c, fit, 26, 46, flare=3)
    _front(c, fit, a["neckline"], 26, 58)
    for side in (1, -1):
        c.line([(48 + side * (wide + 1.2), 26.8), (48 + side * (wide + 2.2), 32)], strength=0.25)
    h = HEM[fit]
    c.line([(48 - h, 55.2), (48, 56.6), (48 + h, 55.2)], strength=0.8)
    c.folds([(42, 44), (40.5, 52)], [(54, 44), (55.5, 52)])


def blouse(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 18, 66, flare=2.6, cuff=True)
    _front(c, fit, a["neckline"], 18, 78, flow=2.5)
    _body_folds(c, fit, 18, 78)
    if a["neckline"] in ("crew", "high"):  # a soft bow
        tone = shade(c.rgb, 0.85)
        y = 25.5 if a["neckline"] == "crew" else 22
        for side in (1, -1):
            c.part([(48, y), (48 + side * 7, y - 3.6), (48 + side * 7.4, y + 3.2)], fill=tone, curve=True,
                   depth=3)
            c.part([(48, y), (48 + side * 3.6, y + 12), (48 + side * 0.8, y + 11)], fill=tone, depth=2)
        c.dot(48, y, 1.5, tone, shine=False)
    else:
        for y in (42, 50, 58, 66):
            c.dot(48, y, 0.8, contrast(c.rgb))


def shirt(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 18, 68, cuff=True)
    _front(c, fit, "crew", 18, 80)
    for side in (1, -1):
        c.part([(48 + side * 7.2, 15.5), (48 + side * 8.6, 22), (48 + side * 5, 28.5), (48, 23),
                (48 + side * 2.5, 20.5)],
               plain=True, depth=3, tone=1.03)
    c.line([(46, 26), (46, 80.5)], strength=0.6)
    c.line([(50, 26), (50, 80.5)], strength=0.6)
    for y in range(31, 79, 9):
        c.dot(48, y, 0.95, contrast(c.rgb))
    x = 48 + SHOULDER[fit] * 0.55
    c.part([(x - 4, 38), (x + 4.5, 38), (x + 4.5, 46), (x + 0.3, 48.5), (x - 4, 46)], depth=2)
    _body_folds(c, fit, 18, 80)


def sweater(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 19, 70)
    _front(c, fit, a["neckline"], 19, 73)
    h = HEM[fit]
    c.part(mirror([(48 + h, 72), (48 + h - 1, 78), (48, 79.4)]), plain=True, tone=0.93, depth=4)
    for step in range(-7, 8):  # ribbing
        c.line([(48 + step * h / 8, 73.2), (48 + step * (h - 1) / 8, 78)], strength=0.45, width=0.5)
    if a["pattern"] == "plain":  # a cable down the front
        for x in (41, 48, 55):
            for y in range(36, 68, 6):
                c.line([(x - 1.2, y), (x + 1.2, y + 3), (x - 1.2, y + 6)], strength=0.3, width=0.6)
    else:
        _body_folds(c, fit, 19, 73)


def _open_front(c: Canvas, fit: str, top: float, hem: float, depth: float, buttons: int, lapel: bool,
                lining: bool = True) -> None:
    """Jacket, coat and cardigan fronts: a V down to `depth`, closed below, with lapels or a ribbed edge."""
    s, w, h = SHOULDER[fit] + 1, WAIST[fit] + 2, HEM[fit] + 2
    c.part([(41, top - 1), (55, top - 1), (54, top + 8), (48, depth + 1), (42, top + 8)],
           fill=shade(c.rgb, 0.5) if lining else shade(c.rgb, 0.6), depth=0)
    middle = top + (hem - top) * (0.5 if hem < 75 else 0.42)
    for side in (-1, 1):
        at = lambda x, y: (48 + side * x, y)  # noqa: E731, B023
        over = 1.6 if side == 1 else -0.2
        c.part([at(7, top), at(7, top), at(s, top + 4), at(s, top + 4), at(s - 1.4, top + 16), at(w, middle),
                at(h, hem),
                at(h, hem), at(1, hem + 1.5), at(-over, hem + 1.2), at(-over, hem + 1.2),
                at(-over, depth + 2),
                at(-over, depth + 2)], curve=True)
        if lapel:
            c.part([at(6.4, top - 2.4), at(8.6, top + 1), at(13, top + 10), at(9.4, top + 11.5),
                    at(10, top + 14),
                    at(-over * 0.4, depth + 1), at(5, top + 5)], depth=3, tone=0.97, turn=side * 30)
        else:
            c.line([at(7.6, top + 0.4), at(1.2, depth + 2), at(1.2, hem + 1)], curve=False, strength=0.7)
    for step in range(buttons):
        y = depth + 4 + step * (min(hem - 8, depth + 34) - depth - 4) / max(buttons - 1, 1)
        c.dot(48.2, y, 1.25, shade(contrast(c.rgb), 0.9) if sum(c.rgb) < 300 else shade(c.rgb, 0.5))


def blazer(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 14, 72, cuff=True)
    _open_front(c, fit, 14, 78, 46, 2, lapel=True)
    for side in (1, -1):
        x = 48 + side * (WAIST[fit] * 0.66)
        c.part([(x - 4.6, 60), (x + 4.6, 60), (x + 4.6, 63), (x - 4.6, 63)], depth=2, tone=0.93)
    c.line([(53.5, 33), (59, 32)], strength=0.9, width=0.9)
    c.folds([(38, 48), (39.5, 57)], [(58, 48), (56.5, 57)])


def coat(c: Canvas, a: dict[str, str]) -> None:
    fit, hem = a["fit"], {"knee": 80, "midi": 91}[a["length"]]
    _sleeves(c, fit, 8, 62, cuff=True)
    _open_front(c, fit, 8, hem, 34, 3, lapel=True)
    w = WAIST[fit] + 2
    if fit != "loose":  # tied belt
        c.part([(48 - w - 0.8, 44), (48 + w + 0.8, 44), (48 + w + 0.8, 48), (48 - w - 0.8, 48)], plain=True,
               tone=0.82,
               depth=2)
        c.part([(50, 45), (57, 58), (53.6, 59), (48, 47)], plain=True, tone=0.78, depth=2)
        c.dot(49, 46, 1.9, shade(c.rgb, 0.78), shine=False)
    for side in (1, -1):
        c.line([(48 + side * 7, 60), (48 + side * 13, 56)], width=1.0)
    c.folds([(40, 62), (38, hem - 3)], [(56, 62), (58, hem - 3)])


def cardigan(c: Canvas, a: dict[str, str]) -> None:
    fit = a["fit"]
    _sleeves(c, fit, 15, 70, cuff=True)
    _open_front(c, fit, 15, 78, 42 if a["neckline"] == "v-neck" else 24, 5, lapel=False)
    h = HEM[fit] + 2
    c.line([(48 - h, 74), (48, 75.6), (48 + h, 74)], strength=0.8)
    for step in range(-8, 9):
        c.line([(48 + step * h / 9, 75), (48 + step * h / 9, 78.6)], strength=0.4, width=0.5)
    for side in (1, -1):
        x = 48 + side * h * 0.55
        c.part([(x - 4.5, 58), (x + 4.5, 58), (x + 4.2, 68), (x - 4.2, 68)], depth=2)


def denim_jacket(c: Canvas, a: dict[str, str]) -> None:
    fit, hem = a["fit"], 62 if a["length"] == "cropped" else 74
    stitch = (226, 178, 104)
    _sleeves(c, fit, 15, 66 if hem > 65 else 62, cuff=True)
    _open_front(c, fit, 15, hem, 25, 5, lapel=False)
    for side in (1, -1):
        at = lambda x, y: (48 + side * x, y)  # noqa: E731, B023
        c.part([at(6.8, 12.5), at(9, 19), at(5.5, 25), at(0.4, 21), at(3, 17.5)], depth=3, tone=0.94)
        s = SHOULDER[fit]
        c.line([at(1, 33), at(s - 1, 32)], colour=stitch, strength=0.8, width=0.5)
        c.part([at(4, 34), at(s - 4, 33.5), at(s - 4, 38), at((s) / 2, 41), at(4, 38.5)], depth=2, tone=0.94)
        c.line([at(5, 42), at(7, hem - 5)], colour=stitch, strength=0.8, width=0.5)
        c.line([at(s - 3, 42), at(9.5, hem - 5)], colour=stitch, strength=0.8, width=0.5)
    h = HEM[fit] + 2
    c.line([(48 - h, hem - 4), (48, hem - 2.8), (48 + h, hem - 4)], colour=stitch, strength=0.9, width=0.6)


def dress(c: Canvas, a: dict[str, str]) -> None:
    fit, neck, hem, top = a["fit"], a["neckline"], LOW_HEM[a["length"]], 8
    upper = "slim" if fit == "a-line" else fit
    s, (wide, deep) = SHOULDER[upper] - 1.5, NECK[neck]
    long = a["season"] == "winter" or a["material"] == "knit"
    if long:
        _sleeves(c, upper, top - 1, 54, cuff=True)
    elif a["season"] != "summer":
        _sleeves(c, upper, top - 1, 24, flare=1.5)
    _neck_hole(c, neck, top)
    line = [(48, top + deep), (48, top + deep), (48 + wide, top), (48 + wide, top)]
    if neck != "v-neck":
        line = [(48, top + deep), (48 + wide * 0.66, top + deep * 0.72), (48 + wide, top), (48 + wide, top)]
    shoulder = wide + 4 if a["season"] == "summer" and not long else s
    waist = {"slim": 9.8, "straight": 12.5, "loose": 17, "a-line": 9.8}[fit]
    hip = {"slim": 13.5, "straight": 14.5, "loose": 19.5, "a-line": 15}[fit]
    fall = (hem - 36) / 54
    end = {"slim": 12.5, "straight": 14.8, "loose": 21 + 3 * fall, "a-line": 19 + 15 * fall}[fit]
    c.part(mirror([*line, (48 + shoulder, top + 2.6), (48 + shoulder, top + 2.6), (48 + s - 1.8, top + 15),
                   (48 + waist, 36), (48 + hip, 46), (48 + end, hem), (48 + end, hem),
                   (48 + end * 0.45, hem + 2)]),
           curve=True)
    if neck == "high":
        c.part(mirror([(48 + 5.0, top - 4.6), (48 + 6.2, top + 1.5), (48, top + 3)]), curve=True, plain=True)
    if fit == "a-line":
        c.line([(48 - waist, 36), (48, 37.4), (48 + waist, 36)], width=1.1)
        for x in (-0.62, -0.2, 0.24, 0.64):
            c.folds([(48 + x * waist, 39), (48 + x * end * 1.05, hem - 2)])
    elif fit == "slim":
        c.folds([(40, 33), (44, 36)], [(56, 33), (52, 36)], [(50, hem - 16), (51.5, hem)])
    else:
        c.folds([(42, 42), (40, hem - 3)], [(54, 40), (56.5, hem - 3)])
    if fit == "loose":
        c.folds([(48, 50), (48.6, hem - 2)])


def _legs(c: Canvas, fit: str, waist: float, top: float, crotch: float, hem: float) -> None:
    """Both trouser legs, one outline; `waist` is half the width at the top."""
    hip = waist + {"slim": 2.2, "straight": 2.8, "loose": 4.5}[fit]
    outer, inner = {"slim": (11.5, 4.6), "straight": (16.0, 4.2), "loose": (23.0, 2.6)}[fit]
    knee = crotch + (hem - crotch) * 0.45
    bend = {"slim": 13.6, "straight": 16.4, "loose": 20.5}[fit]
    c.part(mirror([(48 + waist, top), (48 + waist, top), (48 + hip, top + 16), (48 + bend, knee),
                   (48 + outer, hem),
                   (48 + outer, hem), (48 + inner, hem + 0.8), (48 + inner, hem + 0.8),
                   (48 + inner * 0.6 + 1.2, knee),
                   (48 + 0.3, crotch), (48, crotch)]), curve=True)
    for side in (1, -1):
        middle = (outer + inner) / 2
        c.folds([(48 + side * 9, crotch - 4), (48 + side * middle, hem - 4)])
        c.folds([(48 + side * 2, crotch), (48 + side * 8, crotch - 3)])


def _waistband(c: Canvas, half: float, y: float, high: float = 4.0) -> None:
    c.part([(48 - half, y), (48 + half, y), (48 + half + 0.5, y + high), (48 - half - 0.5, y + high)],
           plain=True, tone=0.9,
           depth=2)


def _denim_details(c: Canvas, half: float, top: float) -> None:
    stitch = (226, 178, 104)
    for side in (1, -1):
        c.line([(48 + side * (half - 6), top + 4), (48 + side * (half - 3.5), top + 9),
                (48 + side * (half + 1), top + 10.5)],
               colour=stitch, width=0.6)
        c.line([(48 + side * (half - 1.5), top), (48 + side * (half - 1.5), top + 4)], width=1.0)
    c.line([(49.5, top + 4), (50.5, top + 15), (48, top + 19)], colour=stitch, width=0.6)
    c.dot(48, top + 2, 1.1, (206, 160, 88))


def jeans(c: Canvas, a: dict[str, str]) -> None:
    hem = 80 if a["length"] == "ankle" else 90
    _legs(c, a["fit"], 12.5, 6, 36, hem)
    _waistband(c, 12.5, 6)
    _denim_details(c, 12.5, 6)
    for side in (1, -1):  # the faded thigh of washed denim
        x = 48 + side * 9
        c.line([(x, 28), (x + side, 46)], colour=shade(c.rgb, 1.35), width=3.2, strength=0.28)


def trousers(c: Canvas, a: dict[str, str]) -> None:
    hem = 80 if a["length"] == "ankle" else 90
    _legs(c, a["fit"], 12, 6, 37, hem)
    _waistband(c, 12, 6)
    for side in (1, -1):
        c.line([(48 + side * 10, 11), (48 + side * 13.4, 20)], width=0.8)
        outer, inner = {"slim": (11.5, 4.6), "straight": (16.0, 4.2), "loose": (23.0, 2.6)}[a["fit"]]
        c.line([(48 + side * 6, 12), (48 + side * 8.5, 44), (48 + side * (outer + inner) / 2, hem)],
               strength=0.55)
    c.dot(49.5, 8, 0.8, shade(c.rgb, 0.5))


def shorts(c: Canvas, a: dict[str, str]) -> None:
    hem = 54 if a["length"] == "mini" else 68
    grow = {"slim": 15.5, "straight": 18.5, "loose": 24.0}[a["fit"]]
    c.part(mirror([(48 + 14, 22), (48 + 14, 22), (48 + 17, 36), (48 + grow, hem), (48 + grow, hem),
                   (48 + 1.6, hem + 1.8),
                   (48 + 1.6, hem + 1.8), (48, 46)]), curve=True)
    _waistband(c, 14, 22)
    if a["material"] == "denim":
        _denim_details(c, 14, 22)
    else:
        for side in (1, -1):
            c.line([(48 + side * 11, 27), (48 + side * 15, 36)], width=0.8)
            c.strap([(48 + side * 0.6, 25), (48 + side * 4, 36)], colour=contrast(c.rgb), width=0.7)
    for side in (1, -1):
        c.line([(48 + side * 1.8, hem - 2), (48 + side * (grow - 0.4), hem - 3.4)], strength=0.8)
        c.folds([(48 + side * 8, 40), (48 + side * grow * 0.6, hem - 5)])


def skirt(c: Canvas, a: dict[str, str]) -> None:
    fit, length = a["fit"], a["length"]
    top, hem = 10.0, {"mini": 44.0, "knee": 58.0, "midi": 74.0, "maxi": 90.0}[length]
    fall = (hem - top) / 80
    end = {"slim": 13.0, "straight": 17.5, "a-line": 18 + 18 * fall}[fit]
    hip = {"slim": 15.5, "straight": 17.0, "a-line": 17.0}[fit]
    c.part(mirror([(48 + 12, top), (48 + 12, top), (48 + hip, top + 14), (48 + end, hem), (48 + end, hem),
                   (48 + end * 0.45, hem + 2.2)]), curve=True)
    if fit == "a-line":
        for x in (-0.75, -0.45, -0.15, 0.15, 0.45, 0.75):
            c.folds([(48 + x * 12, top + 5), (48 + x * end * 1.04, hem - 0.5)], strength=0.45)
    elif fit == "slim":
        c.folds([(41, top + 8), (40, top + 20)], [(55, top + 8), (56, top + 20)])
        c.line([(51.5, hem - 10), (52.2, hem + 1.4)], width=1.0)
    else:
        c.folds([(42, top + 6), (40.5, hem - 2)], [(54, top + 6), (55.5, hem - 2)])
    _waistband(c, 12, top)
    if a["material"] == "denim":
        _denim_details(c, 12, top)


def jumpsuit(c: Canvas, a: dict[str, str]) -> None:
    fit, neck = a["fit"], a["neckline"]
    if a["season"] != "summer":
        _sleeves(c, fit, 5, 24 if a["season"] == "all-year" else 42, flare=1.0)
    _legs(c, fit, 10.5, 34, 52, 91)
    _front(c, "slim" if fit == "slim" else "straight", neck, 7, 36)
    waist = 14.0 if fit == "slim" else 16.5
    c.part([(48 - waist, 35), (48 + waist, 35), (48 + waist, 39.4), (48 - waist, 39.4)], plain=True, tone=0.8,
           depth=2)
    c.part([(49, 38), (54, 50), (51, 51), (47.5, 40)], plain=True, tone=0.76, depth=2)
    c.dot(48.6, 37.4, 1.8, shade(c.rgb, 0.74), shine=False)
