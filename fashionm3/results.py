"""What the assistant's tools give back, as typed values that serialise to JSON (pictures as base64 PNG)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from fcn.types import Item, one_line
from seqllm.recommender import Hit


class Result(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", frozen=True)


class Card(Result):
    """One item of the catalogue, and why it is there."""

    item_id: str
    title: str
    category: str
    slot: str
    price: float | None = None
    in_stock: bool = True
    attributes: dict[str, str] = Field(default_factory=dict)
    has_picture: bool = False
    score: float | None = Field(None, description="higher is better, comparable within one answer")
    reasons: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, item: Item, score: float | None = None, reasons: tuple[str, ...] = ()) -> Card:
        return cls(
            item_id=item.item_id,
            title=one_line(item.title) or one_line(item.category),
            category=one_line(item.category),
            slot=item.slot,
            price=item.price,
            in_stock=item.in_stock,
            attributes={one_line(name): one_line(value) for name, value in item.attributes.items()},
            has_picture=item.image is not None,
            score=score,
            reasons=list(reasons),
        )

    @classmethod
    def of_hit(cls, hit: Hit) -> Card:
        return cls.of(hit.item, hit.score, hit.reasons)


class Found(Result):
    """Items, best first. notes: what the person should know of how they were found, a line each."""

    items: list[Card] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class OutfitScore(Result):
    """How well pieces go together and suit the person, all in 0..1; .5 of `personal` is the average outfit."""

    items: list[str]
    score: float
    coherence: float
    personal: float
    sure: bool
    reasons: list[str] = Field(default_factory=list)
    spoils: str | None = Field(None, description="item id the outfit would be better off without")


class Drawing(Result):
    """A picture the model drew. It is no product: `nearest` are the real items most like what was asked for."""

    png: bytes
    description: str
    like: str | None = Field(None, description="item id of the piece it is a change of")
    nearest: list[Card] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class Worn(Result):
    """A garment tried on: the picture with it and the same picture without."""

    item_id: str
    png: bytes
    before_png: bytes
    on_person: bool = Field(description="false where a drawn figure stands in for the person")
    notes: list[str] = Field(default_factory=list)


class Answer(Result):
    """One turn of the assistant. `limits`, `profile`: all it holds to and believes now, in plain words."""

    text: str
    act: str
    tool: str | None = None
    items: list[Card] = Field(default_factory=list)
    outfit: list[Card] = Field(default_factory=list, description="the outfit board after this turn")
    score: OutfitScore | None = None
    drawing: Drawing | None = None
    worn: Worn | None = None
    limits: list[str] = Field(default_factory=list)
    profile: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    seconds: float = 0.0
