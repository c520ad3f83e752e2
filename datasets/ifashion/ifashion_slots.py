"""Where a category of Alibaba-iFashion is worn: its number says nothing, the Chinese titles of its items do."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from fcn.types import SLOTS

WORDS = {
    "onepiece": "连衣裙 连体裤 连衣裤 背带裙 旗袍 礼服裙",
    "outerwear": "外套 大衣 风衣 夹克 羽绒服 棉服 棉衣 皮衣 西装 马甲 斗篷",
    "upper": "衬衫 衬衣 T恤 t恤 针织衫 毛衣 卫衣 打底衫 上衣 背心 吊带 雪纺衫 开衫 POLO衫",
    "bottom": "裤 半身裙 短裙 百褶裙 包臀裙 A字裙 伞裙 牛仔裙",
    "shoes": "鞋 靴",
    "bag": "包",
    "accessory": "项链 耳环 耳钉 耳坠 手链 手镯 戒指 发夹 发饰 胸针 帽 围巾 丝巾 披肩 腰带 皮带 手表 眼镜 墨镜 袜 手套 "
    "领带",
    "other": "内裤 文胸 内衣 睡衣 睡裙 泳衣 泳装 香水 口红",
    "": "包邮 裤袜 鞋垫",  # free postage is no bag; tights and insoles are neither trousers nor shoes
}
_SLOT = {word: slot for slot, words in WORDS.items() for word in words.split()}
_FIND = re.compile("|".join(sorted(map(re.escape, _SLOT), key=len, reverse=True)))


def slot_of_title(title: str) -> str | None:
    """The slot of the last garment a Chinese title names (its head stands last); None where it names none."""
    found = [_SLOT[word] for word in _FIND.findall(title) if _SLOT[word]]
    return found[-1] if found else None


def slots_of_categories(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(category, title) pairs -> the slot that most titles of each category name; "other" where none names any.

    Titles are strings of search words that also name what goes with the item: one may mislead, a category's many
    seldom do. Ties go to the slot that comes first in SLOTS.
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for category, title in items:
        slot = slot_of_title(title)
        votes[category].update([slot] if slot else [])
    return {
        category: max(SLOTS, key=lambda slot: (found[slot], -SLOTS.index(slot))) if found else "other"
        for category, found in votes.items()
    }
