"""The data set folder on disk: its files, columns and types (format "dresswell/1")."""

from __future__ import annotations

import pyarrow as pa

FORMAT = "dresswell/1"
INFO = "dataset.json"
ITEMS, OUTFITS, PEOPLE, INTERACTIONS = (
    "items.parquet",
    "outfits.parquet",
    "people.parquet",
    "interactions.parquet",
)
DIALOGUES = "dialogues.jsonl"

SPLITS = ("train", "val", "test")
EVENTS = ("view", "cart", "purchase", "rent", "return")
MAX_ID = 200

INFO_TEXT = ("name", "licence", "source", "description")

_text = pa.string()
_texts = pa.list_(_text)


def _table(**columns: pa.DataType | tuple[pa.DataType, bool]) -> pa.Schema:
    """Columns are never null unless given as (type, True)."""
    return pa.schema(
        [
            pa.field(name, *(kind if isinstance(kind, tuple) else (kind, False)))
            for name, kind in columns.items()
        ]
    )


SCHEMAS: dict[str, pa.Schema] = {
    ITEMS: _table(
        item_id=_text,
        title=_text,
        category=_text,
        slot=_text,
        image=(_text, True),
        attributes=(pa.map_(_text, _text), True),
        price=(pa.float64(), True),
        in_stock=pa.bool_(),
    ),
    OUTFITS: _table(outfit_id=_text, item_ids=_texts, labels=_texts, split=_text),
    PEOPLE: _table(user_id=_text, profile=_texts),
    INTERACTIONS: _table(
        user_id=_text,
        item_id=_text,
        timestamp=pa.timestamp("s"),
        event=_text,
        query=(_text, True),
        occasion=(_text, True),
        rating=(pa.float64(), True),
        split=_text,
    ),
}

# Text columns whose values repeat; they stay dictionary-encoded in memory.
REPEATED: dict[str, tuple[str, ...]] = {
    ITEMS: ("category", "slot"),
    OUTFITS: ("split",),
    PEOPLE: (),
    INTERACTIONS: ("user_id", "item_id", "event", "query", "occasion", "split"),
}
