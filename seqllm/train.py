"""Training the recommender: data -> title space -> base model -> LoRA and heads -> mix -> evaluation -> artifact."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fcn.artifacts import load_artifact, refuse_foreign, write_json
from fcn.encoders import TextEncoder, build_text_encoder
from fcn.errors import DataError, Problem
from fcn.folder import DataFolder
from fcn.training import describe_machine, fingerprint_of, first_alone, processes, set_seed
from fcn.types import Profile
from seqllm.attributes import attribute_names, fit_features, price_features
from seqllm.base import build_base, load_base
from seqllm.data import Collator, TrainingSet
from seqllm.decoding import log_likelihood
from seqllm.evaluate import evaluate, questions_of
from seqllm.evidence import Evidence
from seqllm.learning import WRITTEN, Pace, learn
from seqllm.metrics import ranking_metrics
from seqllm.model import ModelConfig, SequentialRecommender, attach_lora
from seqllm.profiles import ProfileInference, posteriors
from seqllm.prompts import PromptBuilder, phrases
from seqllm.ranker import Mix, Ranker
from seqllm.recommender import Recommender
from seqllm.replay import Replay
from seqllm.rerank import ranks
from seqllm.sequences import EventLog
from seqllm.title_lstm import neighbour_pairs, train_title_lstm
from seqllm.tuning import tune

ANSWER_WEIGHT = 0.5  # of the written title's loss beside that of the choice
VALIDATION = 2000  # people asked after each epoch; the final figures use everybody


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run can be told; everything else follows from the data.

    title_encoder: "built-in" (fitted on the training items' texts), "lstm" (the paper's, trained with triplet loss),
        or any sentence-transformers model by id or path.
    head_epochs: of the heads alone, before the language model reads (seqllm.learning); None is as many as make 2,000
        steps, from 2 to 12.
    epochs: with the language model; None is as many as make 400 steps, from 1 to 8; 0 leaves it out.
    base: "built-in" (a small Llama trained on the catalogue's text) or any causal LM by id or path.
    decode: also teach the model to write the title of what comes next (seqllm.decoding); the epoch is then chosen by
        how likely it finds the validation titles.
    replay: the share of the training prompts, those whose answers it finds hardest to write, read twice in each epoch.
    """

    title_encoder: str = "built-in"
    base: str = "built-in"
    quantize: bool = False
    head_epochs: int | None = None
    epochs: int | None = None
    lr: float | None = None
    lora_rank: int = 16
    id_dim: int = 128
    max_tokens: int = 256
    tokens_per_batch: int = 6144
    patience: int = 2
    seed: int = 0
    decode: bool = False
    replay: float = 0.0


def train(
    folder: DataFolder, out: str | Path, options: Options, fcn: str | Path | None = None, restart: bool = False
) -> Recommender:
    """Train on ``folder``'s training events, choose on its validation events, write ``out`` with ``evaluation.json``.

    Started by torchrun or ``accelerate launch``, the processes share the work of training; the first alone builds,
    chooses, evaluates and writes, and all return the same recommender.

    Args:
        fcn: a trained Fashion Cognitive Network; profile groups a person did not state are then inferred from her
            history, in training and in use.
        restart: do not resume an unfinished run that is in ``out``.
    """
    started, out = time.perf_counter(), Path(out)
    refuse_foreign(out)
    if options.decode and options.epochs == 0:
        raise DataError(Problem(None, None, "epochs", 0, "nobody learns to write without reading", "leave it out"))
    if not 0 <= options.replay <= 1 or (options.replay and not options.decode):
        remedy = "give a share from 0 to 1, and --decode with it"
        raise DataError(Problem(None, None, "replay", options.replay, "nothing to read again", remedy))
    set_seed(options.seed)
    print(f"seed {options.seed}  machine {describe_machine()}", flush=True)
    log, catalog = EventLog.from_folder(folder), folder.catalog
    train_rows = log.in_split("train")
    if not len(log.in_split("val")):
        remedy = "mark each person's last event but one split=val (fcn.splits.leave_one_out does it)"
        raise DataError(Problem("interactions.parquet", None, "split", None, "no validation events", remedy))
    warm = np.bincount(log.item[train_rows], minlength=len(catalog)) > 0
    print(
        f"{folder.name}: {len(catalog):,} items ({int((~warm).sum()):,} never in training), {log.n_users:,} people, "
        f"{len(train_rows):,} training events",
        flush=True,
    )
    cache = out / "cache"
    key = {"data": folder.fingerprint, "fcn": fcn_fingerprint(fcn), **dataclasses.asdict(options)}
    with first_alone() as first:
        if first and restart:
            shutil.rmtree(cache, ignore_errors=True)
    titles_path = _title_space(folder, log, warm, cache, options)
    encoder = TextEncoder.from_pretrained(titles_path)
    titles = encoder.encode(catalog.texts())
    query_vectors = encoder.encode(log.queries) if log.queries else np.zeros((1, encoder.dim), np.float32)
    base_path = _base(folder, log, warm, cache, options)
    tokenizer, base = load_base(base_path, options.quantize)
    base_embedding = base.get_input_embeddings().weight
    vocab_size, hidden = base_embedding.shape
    context = getattr(base.config, "max_position_embeddings", None) or options.max_tokens
    builder = PromptBuilder(tokenizer, vocab_size, catalog, folder.vocabulary, options.max_tokens)
    if options.decode:
        context -= builder.title_tokens + 1
    if context < options.max_tokens:
        remedy = f"pass --max-tokens {context}"
        raise DataError(Problem(None, None, "max_tokens", options.max_tokens, "longer than the base reads", remedy))
    if options.decode and builder.end_id is None:
        raise DataError(Problem(None, None, "base", options.base, "no token to end a title with", "name another"))
    config = ModelConfig(
        n_items=len(catalog),
        n_special=len(builder.specials),
        title_dim=encoder.dim,
        vocab_size=vocab_size,
        hidden=hidden,
        id_dim=options.id_dim,
        lora_rank=options.lora_rank,
        decode=ANSWER_WEIGHT if options.decode else 0.0,
    )
    profiles = log.profiles
    inference = fit_inference(fcn, folder, log, profiles) if fcn else None
    _, edges = price_features(catalog.price[warm])
    prices, _ = price_features(catalog.price, edges)
    names = attribute_names(catalog, np.flatnonzero(warm))
    suits = fit_features(inference.features() if inference else None, len(folder.vocabulary), catalog, names)
    model = SequentialRecommender(
        attach_lora(base, options.lora_rank), config, torch.from_numpy(titles), torch.from_numpy(warm), prices, suits
    )
    model.init_special(builder.special_rows(base_embedding.detach().float().cpu()))
    if torch.cuda.is_available():
        model.cuda()

    evidence = Evidence.learn(log, ["train"], len(catalog), folder.vocabulary, encoder.encode)
    ranker = Ranker(model, builder, encoder.encode, evidence, inference)

    # Processes share a step: together they read as many tokens as one would.
    share, own_seed = processes().num_processes, options.seed + processes().process_index
    batches = TrainingSet(log, builder, options.tokens_per_batch // share, options.seed)
    collate = Collator(
        log, builder, profiles, query_vectors, evidence.trend, warm, config, inference=inference, seed=own_seed
    )
    print(
        f"{batches.n_targets:,} choices in {batches.n_windows:,} prompts, {batches.n_tokens:,} tokens an epoch; "
        f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,} weights to train",
        flush=True,
    )
    val_questions, val_targets, _ = questions_of(log, profiles, "val")
    picked = np.random.default_rng(options.seed).permutation(len(val_questions))[:VALIDATION]

    replay = Replay(batches, options.replay) if options.replay else None
    if replay is not None:
        replay.choose(model, collate)

    def validate(_) -> dict[str, float]:
        if replay is not None and model.sizes.reads:  # for the next epoch
            replay.choose(model, collate)
        asked = [val_questions[k] for k in picked]
        found = ranking_metrics(ranks(ranker, asked, val_targets[picked], Mix()), ks=(10,))
        if options.decode and model.sizes.reads:
            found[WRITTEN] = log_likelihood(ranker, asked, val_targets[picked])
        return found

    pace = Pace.of(options, -(-len(batches) // share))
    rows = learn(
        model, batches, collate, validate, cache / "phases", pace,
        read_batches=replay, key=key, seed=options.seed, restart=restart,
    )  # fmt: skip
    if not processes().is_main_process:
        processes().wait_for_everyone()
        return Recommender.from_pretrained(out)
    tuned = tune(ranker, val_questions, val_targets, options.seed)
    print(f"tuned on validation: {tuned.report}", flush=True)
    recommender = Recommender(
        ranker, tuned.mix, catalog, encoder, base=options.base, base_path=base_path, price_edges=edges,
        attributes=names, reranker=tuned.reranker, data_fingerprint=folder.fingerprint, fcn=fcn,
    )
    recommender.learn(log, "train", "val")
    recommender.save_pretrained(out)
    report = evaluate(recommender, folder, "test")
    report["training"] = {
        "seconds": round(time.perf_counter() - started, 1),
        "epochs": len(rows),
        "reads": model.sizes.reads,
        "options": dataclasses.asdict(options),
        "machine": describe_machine(),
        "tuned": tuned.report,
    }
    write_json(out / "evaluation.json", report)
    write_json(out / "history.json", rows)
    shutil.rmtree(cache, ignore_errors=True)
    processes().wait_for_everyone()
    return recommender


def fcn_fingerprint(path: str | Path | None) -> str:
    """Identity of a trained FCN: the hash of its manifest."""
    if path is None:
        return ""
    load_artifact(path, "fcn")
    return fingerprint_of((Path(path) / "artifact.json").read_text(encoding="utf-8"))


def fit_inference(fcn: str | Path, folder: DataFolder, log: EventLog, profiles: list[Profile]) -> ProfileInference:
    """Label posteriors of single items by FCN -> profile inference fitted on training people."""
    from fcn.scorer import OutfitScorer

    scorer = OutfitScorer.from_pretrained(fcn)
    scorer.use(folder)
    posterior = posteriors(scorer, folder.catalog.ids.to_pylist(), folder.vocabulary)
    train = log.split == 0
    histories = [log.item[log.rows_of(u)][train[log.rows_of(u)]] for u in range(log.n_users)]
    known = [u for u, history in enumerate(histories) if len(history)]  # people met in training
    return ProfileInference.fit(
        posterior, folder.vocabulary, [histories[u] for u in known], [profiles[u] for u in known]
    )


def _title_space(folder: DataFolder, log: EventLog, warm: np.ndarray, cache: Path, options: Options) -> Path | str:
    """Path or name of the sentence-transformers model that embeds titles; the built-in ones see training items only."""
    if options.title_encoder not in ("built-in", "lstm"):
        return options.title_encoder
    path = cache / f"titles-{options.title_encoder}-{fingerprint_of([folder.fingerprint, options.seed])}"

    def build(unfinished: Path) -> None:
        texts = folder.catalog.texts(np.flatnonzero(warm))
        if options.title_encoder == "lstm":
            place, rows = np.cumsum(warm) - 1, log.in_split("train")
            pairs = neighbour_pairs(log.user[rows], place[log.item[rows]])
            train_title_lstm(texts, pairs, unfinished, seed=options.seed)
        elif processes().is_main_process:
            build_text_encoder(texts, seed=options.seed).save_pretrained(unfinished)

    return _built(path, build)


def _base(folder: DataFolder, log: EventLog, warm: np.ndarray, cache: Path, options: Options) -> Path | str:
    if options.base != "built-in":
        return options.base
    path = cache / f"base-{fingerprint_of([folder.fingerprint, options.seed])}"

    def build(unfinished: Path) -> None:
        asked = np.unique(log.query[log.in_split("train")])
        queries = [log.queries[k] for k in asked if k >= 0]
        named = np.unique(log.occasion[log.in_split("train")])
        occasions = [log.occasions[k] for k in named if k >= 0]
        build_base([*folder.catalog.texts(np.flatnonzero(warm)), *queries, *phrases(occasions) * 5], unfinished,
                   seed=options.seed)  # fmt: skip

    return _built(path, build)


def _built(path: Path, build: Callable[[Path], None]) -> Path:
    """``path``, made by ``build`` where it is not there yet: in a place beside it, by all processes together."""
    unfinished = path.with_name(path.name + ".unfinished")
    with first_alone() as first:
        there = path.exists()
        if first and not there:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.parent.mkdir(parents=True, exist_ok=True)
    if not there:
        build(unfinished)
        with first_alone() as first:
            if first:
                unfinished.rename(path)
    return path
