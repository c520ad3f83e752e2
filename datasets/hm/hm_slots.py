"""Where an H&M article is worn, by its product group, its product type and its garment group."""

from __future__ import annotations

from fcn.garments import garment_of

# All product groups of the release; what is no piece of an outfit (underwear, night and swim wear, cosmetics) is other.
SLOT_OF_GROUP = {
    "garment upper body": "upper",
    "garment lower body": "bottom",
    "garment full body": "onepiece",
    "shoes": "shoes",
    "bags": "bag",
    "accessories": "accessory",
    "socks & tights": "accessory",
} | dict.fromkeys(
    (
        "underwear", "nightwear", "underwear/nightwear", "swimwear", "cosmetic", "fun", "furniture", "interior textile",
        "garment and shoe care", "items", "stationery",
    ),
    "other",
)  # fmt: skip
# Product types that are worn elsewhere than their group says.
SLOT_OF_TYPE = {
    kind: slot
    for slot, kinds in {
        "outerwear": "jacket,coat,blazer,outdoor waistcoat,tailored waistcoat",
        "onepiece": "dungarees,jumpsuit/playsuit,outdoor overall",
        "bag": "bag,backpack,bumbag,cross-body bag,shoulder bag,tote bag,weekend/gym bag,wallet",
        "other": "costumes,dog wear,giftbox,mobile case,soft toys,umbrella,waterbottle,keychain",
    }.items()
    for kind in kinds.split(",")
}


def slot_of(kind: str, group: str, garment_group: str) -> str:
    """The slot of an article: product_type_name, product_group_name, garment_group_name.

    The type speaks first, then the group; an upper garment of the garment group "Outdoor" is outerwear. A group that
    is "Unknown" or not of the release leaves the words of type and garment group (fcn.garments).
    """
    kind, group, garment_group = kind.lower(), group.lower(), garment_group.lower()
    if kind in SLOT_OF_TYPE:
        return SLOT_OF_TYPE[kind]
    slot = SLOT_OF_GROUP.get(group)
    if slot == "upper" and garment_group == "outdoor":
        return "outerwear"
    if slot is None:
        found = garment_of(kind) or garment_of(garment_group)
        slot = found[1] if found else "other"
    return slot
