"""Pieces of a talk that a message calls by their titles: "instead of Navy wool coat, something lighter".

A title is full of words that would else be read as wishes ("wool", "navy"). What was shown is no wish.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from fashionm3.wish import Scene
from fcn.types import one_line

MOST = 200  # pieces of the scene that are looked for, the newest


def named(text: str, scene: Scene, title_of: Callable[[str], str]) -> tuple[str, Scene, tuple[str, ...]]:
    """The message with "it" in the place of titles, the scene in which "it" is the first of them, and their ids.

    Titles of one word are left: "dress" is more often a kind than a name.
    """
    known = [item for ids in reversed(scene.shown) for item in ids]
    ids = list(dict.fromkeys([*scene.outfit, *([scene.focus] if scene.focus else []), *known]))[:MOST]
    titles: dict[str, str] = {}
    for item in ids:
        name = one_line(title_of(item)).lower()
        if " " in name:
            titles.setdefault(name, item)
    if not titles:
        return text, scene, ()
    pattern = "|".join(re.escape(name) for name in sorted(titles, key=len, reverse=True))
    found = [titles[match[0].lower()] for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)]
    if not found:
        return text, scene, ()
    text = re.sub(rf"(?<!\w)(?:{pattern})(?!\w)(?:(?:,| and) (?:{pattern})(?!\w))*", "it", text, flags=re.IGNORECASE)
    return text, replace(scene, focus=found[0]), tuple(dict.fromkeys(found))
