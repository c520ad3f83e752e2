"""Messages understood with the fine-tuned vision-language model: it says which tool is to answer, in its turn format.

    reader = ModelReader(FashionVLM.from_pretrained("runs/demo-vlm"), built_in)

The model is held to the calls there are (fashionm3.calls). What a call is about (limits, pieces, prices, a person's
features) is read by the rules and the catalogue's own words, so that no answer rests on a name the model made up.
"""

from __future__ import annotations

from fashionm3.calls import CALLS, heard, line
from fashionm3.understanding import BuiltInReader
from fashionm3.vlm import FashionVLM
from fashionm3.wish import Scene, Wish

_CALLS = tuple(CALLS)
_LINES = tuple(map(line, CALLS))


class ModelReader:
    """A Reader. model: trained by train_vlm.py; built_in: reads what the model's call is about."""

    def __init__(self, model: FashionVLM, built_in: BuiltInReader):
        self.model, self.built_in = model, built_in

    def read(self, text: str, scene: Scene) -> Wish:
        """A message as a wish; a message without a word is the rules' to read."""
        return self.built_in.read(text, scene, self.call(text, scene) if text.strip() else None)

    def call(self, text: str, scene: Scene) -> str:
        """What the model wants called."""
        return _CALLS[self.model.choose(heard(text, scene), _LINES)]
