"""Encoders of texts and pictures: by name, or built in and fitted on the catalogue itself."""

from fcn.image_encoder import AttributeHeads, ImageEncoder
from fcn.image_training import build_image_encoder, fit_heads
from fcn.text_encoder import TextEncoder, build_text_encoder

__all__ = [
    "AttributeHeads",
    "ImageEncoder",
    "TextEncoder",
    "build_image_encoder",
    "build_text_encoder",
    "fit_heads",
]
