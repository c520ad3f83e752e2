"""Training the FCN on a data set folder: encoders, features, label graph, network, calibration, report,
artifact.

Everything learnt comes from the training split: the built-in encoders see the items of training outfits
only, the label graph and base rates the training outfits. The validation split stops training and sets the
temperatures. Items of val and test are encoded, never learnt from.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from fcn.attributes import fit_attributes
from fcn.calibration import Calibration
from fcn.cooccurrence import FEATURES, CoOccurrence, folds_of
from fcn.encoders import ImageEncoder, TextEncoder, build_image_encoder, build_text_encoder, fit_heads
from fcn.errors import DataError, Problem
from fcn.evaluate import Answers, coherence_of, complementary_retrieval, validate
from fcn.familiarity import UNSURE, Familiarity
from fcn.features import FeatureStore, ItemEncoder
from fcn.folder import DataFolder
from fcn.label_graph import LabelGraph, conditional
from fcn.label_heads import exclusive_groups
from fcn.metrics import absent_labels, label_metrics
from fcn.model import FashionCognitiveNetwork, FCNConfig
from fcn.outfits import CoherenceTest, Modalities, OutfitDataset, OutfitSet, TrainingCollator
from fcn.personal import PersonalFit, silent_labels
from fcn.storage import save, without_nan
from fcn.training import describe_machine, fingerprint_of, first_alone, fit, processes, set_seed
from fcn.wide import feature_scale, fit_wide

MOST_COMPLETIONS = 200_000  # outfits scored for the retrieval figures of the report
DECAY = 1.0  # weight decay of the deep layers, against learning items by heart
BARE_DECAY = 0.1  # the same where raw features say more of the labels than attributes do; see fcn.wide


@dataclass(frozen=True)
class TrainOptions:
    """Options of a run; `train_fcn.py --help` says what each means."""

    data: Path
    out: Path
    text_encoder: str | None = None
    image_encoder: str | None = None
    head: str = "ml-gcn"
    loss: str = "bce"
    coherence: str = "match"
    tau: float = 0.4
    p: float = 0.25
    wiring: str = "joint"
    epochs: int = 20
    batch_size: int = 64
    lr: float = 4e-3
    patience: int = 8
    seed: int = 0
    restart: bool = False
    skip_bad: bool = False
    sizes: dict = field(default_factory=dict)  # overrides of FCNConfig's sizes


@dataclass(frozen=True)
class Splits:
    """The three splits; test may have no outfits."""

    train: OutfitSet
    val: OutfitSet
    test: OutfitSet

    @classmethod
    def read(cls, folder: DataFolder) -> Splits:
        """DataError when the folder has no outfits, or no training or no validation outfits. Where no label group has a
        polarity, `targets` have no columns."""
        remedy = "a folder to train on has outfits.parquet with outfits in split train and val"
        if folder.outfits is None:
            raise DataError(Problem("outfits.parquet", None, None, None, "missing", remedy))
        splits = cls(*(OutfitSet.from_folder(folder, name) for name in ("train", "val", "test")))
        for part in (splits.train, splits.val):
            if len(part) == 0:
                raise DataError(
                    Problem("outfits.parquet", None, "split", part.split, "no outfit has this split", remedy)
                )
        return splits


def train(options: TrainOptions) -> dict:
    """Run or resume a training; write the artifact to options.out and return metrics.json's content.

    Raises DataError for bad data, ArtifactError for damaged or foreign checkpoints.
    """
    started = time.perf_counter()
    set_seed(options.seed)
    out = Path(options.out)
    machine = describe_machine()
    print(
        f"seed {options.seed}; " + ", ".join(f"{k} {v}" for k, v in machine.items() if v is not None),
        flush=True,
    )
    folder = DataFolder.open(options.data, skip_bad=options.skip_bad)
    splits = Splits.read(folder)
    print(
        f"{folder.name}: {len(folder.catalog)} items; outfits: "
        + ", ".join(f"{s.split} {len(s)}" for s in (splits.train, splits.val, splits.test)),
        flush=True,
    )
    if any(folder.dropped.values()):
        print(f"dropped bad rows: {folder.dropped}", flush=True)
    with first_alone() as first:
        if first and options.restart:
            for leftover in ("checkpoints", "cache"):
                shutil.rmtree(out / leftover, ignore_errors=True)
        encoder = item_encoder(options, folder, splits.train)
        features = FeatureStore(out / "cache" / "features", encoder).get(folder.catalog)
    encoded = time.perf_counter() - started
    print(f"items encoded: {features.shape[1]} features each, {encoded:.0f} s so far", flush=True)

    labels = folder.vocabulary.outfit_labels
    if not labels:
        print("no label group has a polarity: coherence alone is learnt", flush=True)
    graph = LabelGraph.from_labels(labels, splits.train.targets, options.tau, options.p, options.wiring)
    phrases = torch.from_numpy(encoder.text.encode([folder.vocabulary.phrase(label) for label in labels]))
    set_seed(options.seed)
    known = splits.train.items()
    hide = modalities(encoder, folder)
    layer = fit_attributes(folder.catalog, features, known, hide)
    slots, colour = encoder.slices["slot"], encoder.slices["colour"]
    evidence = FEATURES if options.coherence == "match" else 0
    exclude = exclusive_groups(labels, splits.train.targets)
    sizes = {"colour": (colour.start, colour.stop), "evidence": evidence, "exclusive": exclude, **options.sizes}
    config = FCNConfig(
        features.shape[1],
        tuple(labels),
        layer.sizes,
        (slots.start, slots.stop),
        options.head,
        options.loss,
        options.coherence,
        **sizes,
    )
    folds = folds_of(splits.train.rows, options.seed)
    cooccurrence = crossed = None
    if config.evidence:
        cooccurrence = CoOccurrence.fit(splits.train.rows, len(folder.catalog))
        crossed = CoOccurrence.fit(splits.train.rows, len(folder.catalog), folds)
    model = FashionCognitiveNetwork(config, graph, phrases)
    model.attributes.load_state_dict(layer.state_dict())
    model.scale.copy_(feature_scale(features, encoder, known))
    decay = DECAY
    prevalence = (splits.train.targets.sum(0) + 1.0) / (len(splits.train) + 2.0)
    model.start_at_prior(torch.from_numpy(prevalence).float())
    if labels and fit_wide(model, splits.train, splits.val, features, options.seed):
        decay = BARE_DECAY

    questions = {part.split: CoherenceTest.make(part, options.seed) for part in (splits.val, splits.test)}
    history = fit(
        model,
        OutfitDataset(splits.train),
        lambda m: validate(m, splits.val, features, questions["val"], cooccurrence),
        out=out,
        collate=TrainingCollator(splits.train, features, hide, crossed, folds),
        epochs=options.epochs,
        batch_size=options.batch_size,
        lr=options.lr,
        weight_decay=decay,
        patience=options.patience,
        metric="score",
        seed=options.seed,
        parameter_groups=[
            {"params": [p for p in model.parameters() if p.ndim > 1]},
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ],
        run_key={
            "data": folder.fingerprint,
            "encoder": encoder.fingerprint,
            "model": fingerprint_of(config.to_json()),
            "graph": fingerprint_of(graph.to_json()),
        },
    )

    if not processes().is_main_process:
        processes().wait_for_everyone()
        return json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    validation = Answers.collect(model, splits.val, features, questions["val"], cooccurrence)
    calibration = Calibration.fit(labels, validation.label_logits, validation.targets, *validation.coherence())
    personal = PersonalFit.fit(
        folder.vocabulary,
        prevalence,
        folder.people,
        silent_labels(folder.vocabulary, splits.train.targets, validation.label_logits, validation.targets),
        calibration.label_probability(labels, validation.label_logits),
        validation.targets,
        options.seed,
    )
    familiarity = Familiarity.fit(features, encoder.slices, known, splits.val.rows, options.seed)
    report = {
        "data": folder.name,
        "made": bool(folder.info.get("made", False)),
        "seed": options.seed,
        "machine": machine,
        "seconds": {"encoding": round(encoded, 1), "total": round(time.perf_counter() - started, 1)},
        "best_epoch": history.best.get("epoch"),
        "prior": {},
        "by_length": {},
        "experts": model.say(),
        "label_links": graph.links(),
        "absent_labels": {},
        "silent_labels": personal.silent,
        "reliability": {},
        "unsure": {},
        "retrieval": {},
    }
    for part in (splits.val, splits.test):
        if len(part) == 0:
            report[part.split] = None
            continue
        answers = validation
        if part is not splits.val:
            answers = Answers.collect(model, part, features, questions[part.split], cooccurrence)
        report[part.split] = answers.metrics(calibration, labels)
        report["by_length"][part.split] = answers.by_length()
        prior = np.repeat(np.log(prevalence / (1 - prevalence))[None], len(part), 0)
        chance = {"coherence_auc": 0.5, "fitb": 0.25}
        report["prior"][part.split] = (label_metrics(prior, part.targets) if labels else {}) | chance
        report["absent_labels"][part.split] = absent_labels(part.targets, labels)
        report["reliability"][part.split] = answers.reliability(calibration, labels, personal, options.seed)
        report["unsure"][part.split] = float((familiarity.of_rows(features, part.rows) < UNSURE).mean())
    if len(splits.test):
        score = coherence_of(model, features, cooccurrence)
        report["retrieval"]["test"] = complementary_retrieval(
            score, splits.test, most=MOST_COMPLETIONS, seed=options.seed
        )
    report = without_nan(report)
    together = conditional(splits.train.targets)
    parts = calibration, personal, familiarity, cooccurrence
    save(out, model, graph, together, encoder, folder, features, *parts, report, history)
    processes().wait_for_everyone()
    return report


def item_encoder(options: TrainOptions, folder: DataFolder, outfits: OutfitSet) -> ItemEncoder:
    """The item encoder, from named weights or built from the training outfits' items; built ones are kept
    in cache."""
    known = folder.catalog.take(outfits.items())
    key = fingerprint_of(
        {
            "items": known.fingerprint,
            "text": options.text_encoder,
            "image": options.image_encoder,
            "seed": options.seed,
        }
    )
    place = Path(options.out) / "cache" / f"encoder-{key}"
    if place.exists():
        return ItemEncoder.from_pretrained(place)
    if options.text_encoder:
        text = TextEncoder.from_pretrained(options.text_encoder)
    else:
        # the label phrases join in, so that words like "triangle" have vectors for the label graph
        phrases = [folder.vocabulary.phrase(label) for label in folder.vocabulary.labels]
        text = build_text_encoder(known.texts() + phrases)
    image = None
    if known.column("image").null_count < len(known):
        if options.image_encoder:
            image = ImageEncoder.from_pretrained(options.image_encoder)
            if image.heads is None:
                fit_heads(image, known, seed=options.seed)
        else:
            image = build_image_encoder(known, text, seed=options.seed)
    encoder = ItemEncoder(text, image)
    temporary = place.with_name(f".{place.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    encoder.save_pretrained(temporary)
    temporary.replace(place)
    return encoder


def modalities(encoder: ItemEncoder, folder: DataFolder) -> Modalities:
    """What training may hide of an item. Without its text, a picture's category is still told from its look."""
    columns, names = encoder.slices, folder.catalog.categories[1]
    bare = encoder.text.encode(names)
    return Modalities(columns["image"], columns["text"], columns["flags"], bare, columns["colour"])
