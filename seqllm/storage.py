"""A recommender on disk: adapters, heads, title encoder, catalogue; the base too if it is the built-in one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from peft import PeftModel

from fcn.artifacts import load_artifact, save_artifact
from fcn.catalog import Catalog
from fcn.encoders import TextEncoder
from fcn.errors import ArtifactError
from fcn.types import LabelVocabulary
from seqllm.base import load_base
from seqllm.evidence import Evidence
from seqllm.model import ModelConfig, SequentialRecommender
from seqllm.profiles import ProfileInference
from seqllm.prompts import PromptBuilder
from seqllm.ranker import Mix, Ranker
from seqllm.rerank import Reranker

if TYPE_CHECKING:
    from seqllm.recommender import Recommender

KIND = "seqllm"


def contents(recommender: Recommender) -> tuple[dict, dict[str, torch.Tensor]]:
    """Config (JSON) and tensors of the artifact; adapters, encoder and catalogue have files of their own."""
    ranker, model = recommender.ranker, recommender.ranker.model
    state = {name: p for name, p in model.state_dict().items() if not name.startswith("lm.")}
    state |= {name: getattr(model, name) for name in ("titles", "warm", "prices", "fit")}
    state |= {"removed": torch.from_numpy(recommender.removed)}
    state |= {name: torch.from_numpy(value) for name, value in ranker.evidence.tensors().items()}
    if recommender.reranker is not None:
        state |= {f"reranker.{name}": value.cpu() for name, value in recommender.reranker.state_dict().items()}
    if ranker.inference is not None:
        arrays = ranker.inference.state()
        state |= {f"inference.{name}": torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}
    config = {
        "model": dataclasses.asdict(model.sizes),
        "mix": dataclasses.asdict(recommender.mix),
        "vocabulary": recommender.vocabulary.to_json(),
        "base": str(Path(recommender.base).resolve()) if Path(recommender.base).is_dir() else recommender.base,
        "max_tokens": ranker.builder.max_tokens,
        "price_edges": recommender.price_edges.tolist(),
        "attributes": recommender.attributes,
        "now": ranker.evidence.now,
        "occasions": ranker.evidence.peers.occasions,
        "fcn": recommender.fcn is not None,
    }
    return config, state


def fingerprint(recommender: Recommender) -> str:
    """Digest of all that answers depend on: equal after saving and loading, another after any change."""
    config, state = contents(recommender)
    state |= {name: p for name, p in recommender.ranker.model.state_dict().items() if "lora_" in name}
    parts = [json.dumps(config, sort_keys=True), recommender.catalog.fingerprint, recommender.encoder.fingerprint]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16)
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def save(recommender: Recommender, path: str | Path) -> Path:
    """Write the artifact; a base from elsewhere is kept by its name. Returns its folder."""
    config, state = contents(recommender)
    model = recommender.ranker.model

    def files(folder: Path) -> None:
        model.lm.save_pretrained(folder / "adapter", save_embedding_layers=False)
        recommender.encoder.save_pretrained(folder / "titles")
        recommender.catalog.write(folder / "items.parquet")
        if recommender.base == "built-in":
            shutil.copytree(recommender.base_path, folder / "base")
        if recommender.fcn is not None:
            shutil.copytree(recommender.fcn, folder / "fcn", ignore=shutil.ignore_patterns("checkpoints", "cache"))

    saved = save_artifact(path, KIND, config, state, data_fingerprint=recommender.data_fingerprint, files=files)
    if recommender.base == "built-in":
        recommender.base_path = saved / "base"
    return saved


def load(cls: type[Recommender], path: str | Path) -> Recommender:
    """The inverse of :func:`save`. ArtifactError names what is missing or damaged."""
    artifact = load_artifact(path, KIND)
    config, tensors, folder = artifact.config, artifact.tensors, artifact.path
    base_path = folder / "base" if config["base"] == "built-in" else config["base"]
    tokenizer, base = load_base(base_path)
    lm = PeftModel.from_pretrained(base, str(folder / "adapter"))
    options = {**config["model"], "trend_days": tuple(config["model"]["trend_days"])}
    frozen = {name: tensors.pop(name) for name in ("titles", "warm", "prices", "fit")}
    model = SequentialRecommender(lm, ModelConfig(**options), **frozen)
    removed = tensors.pop("removed").numpy()
    groups: dict[str, dict[str, np.ndarray]] = {
        name: {} for name in ("trend", "neighbours", "peers", "memory", "inference", "reranker")
    }
    for name in [n for n in tensors if n.partition(".")[0] in groups]:
        group, _, field = name.partition(".")
        groups[group][field] = tensors.pop(name).numpy()
    missing, unknown = model.load_state_dict(tensors, strict=False)
    if unknown or any(not name.startswith("lm.") for name in missing):
        raise ArtifactError(f"{folder}: its weights do not fit its config; train or copy the artifact again")
    vocabulary = LabelVocabulary.from_json(config["vocabulary"])
    catalog = Catalog.read(folder / "items.parquet")
    builder = PromptBuilder(tokenizer, model.sizes.vocab_size, catalog, vocabulary, config["max_tokens"])
    inference = ProfileInference.from_state(vocabulary, groups["inference"]) if groups["inference"] else None
    encoder = TextEncoder.from_pretrained(folder / "titles")
    if torch.cuda.is_available():
        model.cuda()
    evidence = Evidence.from_tensors(groups, vocabulary, config["occasions"], config["now"])
    ranker = Ranker(model, builder, encoder.encode, evidence, inference)
    reranker = None
    if groups["reranker"]:
        reranker = Reranker()
        reranker.load_state_dict({name: torch.from_numpy(value) for name, value in groups["reranker"].items()})
    made = cls(
        ranker,
        Mix(**config["mix"]),
        catalog,
        encoder,
        base=config["base"],
        base_path=base_path,
        price_edges=np.array(config["price_edges"]),
        attributes=config["attributes"],
        reranker=reranker,
        data_fingerprint=artifact.data_fingerprint,
        fcn=folder / "fcn" if config["fcn"] else None,
    )
    made.removed = removed
    return made
