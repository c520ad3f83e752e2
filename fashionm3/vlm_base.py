"""The model under the assistant: any Janus checkpoint by id or path, or the same classes from a tiny configuration.

    processor, model = load_base("deepseek-community/Janus-Pro-1B")       # or a local folder
    processor, model = new_base(texts)                                    # untrained, its vocabulary made from `texts`

Janus (Wu et al., arXiv 2410.13848): pictures are read by a vision encoder of their own and drawn as codes of a VQ
tokenizer; one language model stands between.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn
from transformers import (
    GenerationConfig,
    JanusConfig,
    JanusForConditionalGeneration,
    JanusProcessor,
    JanusVisionConfig,
    JanusVQVAEConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.janus.image_processing_janus import JanusImageProcessor

from fcn.training import set_seed
from seqllm.base import END, build_tokenizer, not_loaded

GRID = 8  # a picture is GRID x GRID tokens, read or drawn
READ_SIDE, DRAWN_SIDE = 96, 64  # pixels
CODES, CODE_DIM = 512, 8
CHANNELS = 64  # of the picture tokenizer, whose norms have 32 groups: with one channel each, no tint passes them
HIDDEN, LAYERS, HEADS = 192, 4, 6
VISION, VISION_LAYERS, VISION_HEADS = 128, 3, 4
CONTEXT = 1024
MARKS = {
    "image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>",
    "user_token": "<|User|>", "assistant_token": "<|Assistant|>",
}  # fmt: skip
# As Janus-Pro's: "<|User|>: words", a blank line, "<|Assistant|>: words" and the end token, again and again.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|User|>: {% else %}<|Assistant|>: {% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image_placeholder>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
    "{% if message['role'] == 'user' %}\n\n{% else %}" + END + "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|>:{% endif %}"
)


def load_base(name_or_path: str | Path) -> tuple[JanusProcessor, JanusForConditionalGeneration]:
    """Processor and model by hub id or local path, frozen, in the checkpoint's own precision.

    Raises:
        ArtifactError: the name is neither a local folder nor a Janus checkpoint that can be reached.
    """
    try:
        processor = JanusProcessor.from_pretrained(str(name_or_path))
        model = JanusForConditionalGeneration.from_pretrained(str(name_or_path), dtype="auto")
    except Exception as error:  # a damaged file is said by whichever library reads it, in an exception of its own
        raise not_loaded(name_or_path, "Janus model", error) from error
    return processor, model.requires_grad_(False).eval()


def new_base(texts: Sequence[str], seed: int = 0) -> tuple[JanusProcessor, JanusForConditionalGeneration]:
    """An untrained model of about four million weights; its byte-level vocabulary is made from `texts`."""
    made = build_tokenizer(texts, 2048)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer, bos_token="<|begin|>", eos_token=END, pad_token="<|pad|>",
        extra_special_tokens=MARKS,
    )  # fmt: skip
    half = [0.5, 0.5, 0.5]
    images = JanusImageProcessor(
        size={"height": READ_SIDE, "width": READ_SIDE}, image_mean=half, image_std=half
    )
    processor = JanusProcessor(images, tokenizer, chat_template=TEMPLATE, num_image_tokens=GRID * GRID)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    config = JanusConfig(
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            num_key_value_heads=HEADS, intermediate_size=HIDDEN * 8 // 3, max_position_embeddings=CONTEXT,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=end, pad_token_id=pad,
        ),
        vision_config=JanusVisionConfig(
            hidden_size=VISION, num_hidden_layers=VISION_LAYERS, num_attention_heads=VISION_HEADS,
            image_size=READ_SIDE, patch_size=READ_SIDE // GRID, projection_dim=HIDDEN, num_image_tokens=GRID * GRID,
        ),
        vq_config=JanusVQVAEConfig(
            embed_dim=CODE_DIM, num_embeddings=CODES, latent_channels=CHANNELS, base_channels=CHANNELS,
            channel_multiplier=[1, 1, 1, 1], num_res_blocks=0, projection_dim=HIDDEN, image_token_embed_dim=HIDDEN,
        ),
        image_token_id=tokenizer.image_token_id,
    )  # fmt: skip
    set_seed(seed)
    model = JanusForConditionalGeneration(config)
    for layer in model.modules():  # the library's start, a normal of 0.02, is too faint for thin layers
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=end, pad_token_id=pad,
        generation_kwargs={"boi_token_id": tokenizer.boi_token_id},
    )  # fmt: skip
    return processor, model.eval()
