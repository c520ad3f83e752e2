"""What the network answers on a split, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fcn.calibration import Calibration, columns_of_groups, sigmoid
from fcn.cooccurrence import CoOccurrence
from fcn.item_table import forward_rows
from fcn.metrics import Reliability, auc, expected_calibration_error, fill_in_the_blank, label_metrics, reliability
from fcn.model import FashionCognitiveNetwork
from fcn.outfits import CoherenceTest, OutfitSet, canonical
from fcn.personal import PersonalFit

BATCH = 512
CUTOFFS = (10, 30, 50)


@dataclass(frozen=True)
class Answers:
    """The network's outputs on one split."""

    label_logits: np.ndarray
    targets: np.ndarray
    real: np.ndarray  # coherence logits of the real outfits
    corrupted: np.ndarray
    questions: np.ndarray  # (q, 4) coherence logits, truth first
    lengths: tuple[np.ndarray, np.ndarray, np.ndarray]  # numbers of items of real, corrupted and asked outfits

    @classmethod
    def collect(
        cls,
        model: FashionCognitiveNetwork,
        outfits: OutfitSet,
        features: np.ndarray,
        test: CoherenceTest,
        cooccurrence: CoOccurrence | None = None,
        settle: bool = False,
    ) -> Answers:
        """settle: first set what each coherence expert has to say (fcn.coherence.Mixture) by these very answers."""

        def answer(rows: np.ndarray) -> dict[str, np.ndarray]:
            names = ("label_logits", "experts")
            return forward_rows(model, rows, features.__getitem__, names=names, cooccurrence=cooccurrence)

        count, candidates, size = test.questions.shape
        found = [answer(rows) for rows in (outfits.rows, test.corrupted, test.questions.reshape(-1, size))]
        real, corrupted, asked = (one["experts"] for one in found)
        asked = asked.reshape(count, candidates, asked.shape[1])
        if settle:
            model.settle(real, corrupted, asked)
        rows = outfits.rows, test.corrupted, test.questions[:, 0]
        return cls(
            found[0]["label_logits"],
            outfits.targets,
            *(model.mix(experts) for experts in (real, corrupted, asked)),
            tuple((some >= 0).sum(1) for some in rows),
        )

    def coherence(self) -> tuple[np.ndarray, np.ndarray]:
        """Coherence logits of real and corrupted outfits, and their 1/0 targets."""
        return (
            np.concatenate([self.real, self.corrupted]),
            np.concatenate([np.ones(len(self.real)), np.zeros(len(self.corrupted))]),
        )

    def metrics(self, calibration: Calibration, labels: list[str]) -> dict[str, float]:
        """map, cf1, of1, of1_top3, ece (calibrated), ece_raw (without labels left out), coherence_auc, coherence_ece,
        fitb."""
        result = {}
        if labels:
            result = label_metrics(self.label_logits, self.targets)
            result["ece_raw"] = result["ece"]
            result["ece"] = calibration.error(labels, self.label_logits, self.targets)
        logits, targets = self.coherence()
        result["coherence_auc"] = auc(logits, targets)
        result["coherence_ece"] = expected_calibration_error(calibration.coherence_probability(logits), targets)
        result["fitb"] = fill_in_the_blank(self.questions)
        return result

    def by_length(self) -> dict[str, dict[str, float]]:
        """Number of items -> outfits, coherence_auc, questions and fitb of the outfits that have so many."""
        real, corrupted, asked = self.lengths
        result = {}
        for length in np.unique(real):
            own, others, questions = self.real[real == length], self.corrupted[corrupted == length], asked == length
            targets = np.concatenate([np.ones(len(own)), np.zeros(len(others))])
            result[str(length)] = {
                "outfits": len(own),
                "coherence_auc": auc(np.concatenate([own, others]), targets),
                "questions": int(questions.sum()),
                "fitb": fill_in_the_blank(self.questions[questions]),
            }
        return result

    def reliability(
        self, calibration: Calibration, labels: list[str], personal: PersonalFit, seed: int
    ) -> dict[str, dict]:
        """What a reliability diagram shows of each label group, of "all" labels, of "coherence" and of "personal";
        without labels of "coherence" only.

        Of each: ece, ece_raw and method (not for "personal"), and edges, counts, stated, observed as in
        fcn.metrics.Reliability, of the calibrated probabilities.
        """
        probability = calibration.label_probability(labels, self.label_logits)
        parts = {
            group: (self.label_logits[:, at], probability[:, at], self.targets[:, at], calibration.groups[group].method)
            for group, at in columns_of_groups(labels).items()
        }
        if labels:
            parts["all"] = (self.label_logits, probability, self.targets, None)
        logits, real = self.coherence()
        parts["coherence"] = (logits, calibration.coherence_probability(logits), real, calibration.coherence.method)
        found = {}
        for name, (raw, calibrated, targets, method) in parts.items():
            found[name] = {
                "method": method,
                "ece_raw": reliability(sigmoid(raw), targets).error,
                **_as_json(reliability(calibrated, targets)),
            }
        if not labels:
            return found
        excess, share = personal.judged(probability, self.targets, seed)
        found["personal"] = _as_json(reliability(sigmoid(personal.slope * excess), share))
        return found


def _as_json(found: Reliability) -> dict:
    return {"ece": found.error} | {name: values.tolist() for name, values in vars(found).items()}


def validate(
    model: FashionCognitiveNetwork,
    outfits: OutfitSet,
    features: np.ndarray,
    test: CoherenceTest,
    cooccurrence: CoOccurrence | None = None,
) -> dict[str, float]:
    """What early stopping looks at after each epoch: `score`, the mean of mAP and coherence AUC; without labels, of
    coherence AUC and fill-in-the-blank. Settles what each coherence expert has to say."""
    answers = Answers.collect(model, outfits, features, test, cooccurrence, settle=True)
    found = {"coherence_auc": auc(*answers.coherence()), "fitb": fill_in_the_blank(answers.questions)}
    if model.settings.labels:
        labels = label_metrics(answers.label_logits, answers.targets)
        found = {"map": labels["map"], "of1": labels["of1"]} | found
    parts = [found[name] for name in (("map", "coherence_auc") if "map" in found else ("coherence_auc", "fitb"))]
    return found | {"score": 0.0 if np.isnan(parts).all() else float(np.nanmean(parts))}


def hidden_item_ranks(
    score: Callable[[np.ndarray], np.ndarray],
    outfits: OutfitSet,
    pool: np.ndarray | None = None,
    kinds: np.ndarray | None = None,
    questions: int = 500,
    most: int = 500_000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Complementary-item retrieval (Vasileva et al., ECCV 2018): hide one item, rank every item of its kind.

    score: padded (n, T) catalogue rows in canonical order -> (n,) coherence scores, any scale. pool: catalogue rows
    to choose from (default: the whole catalogue); kinds (N,): code of every catalogue row, an item is ranked among
    the pool's of its code (default: its category). What the outfit wears already is no candidate. One item of each
    outfit is asked for, outfits in an order fixed by the seed, up to `questions` of them and `most` scored outfits in
    all; outfits of one item, and items without another of their kind in the pool, ask nothing.

    Returns (q,) ranks from 1, half a place for each tie, and (q,) the number of candidates, the hidden item included.
    """
    kinds = outfits.categories if kinds is None else np.asarray(kinds)
    pool = np.arange(len(kinds)) if pool is None else np.unique(pool)
    by_kind = {int(code): pool[kinds[pool] == code] for code in np.unique(kinds[pool])}
    rng = np.random.default_rng(seed)
    asked: list[np.ndarray] = []
    sizes: list[int] = []
    for at in rng.permutation(len(outfits)):
        rows = outfits.rows[at]
        worn = rows[rows >= 0]
        place = int(rng.integers(len(worn)))  # drawn for every outfit, so that no limit changes which item is asked for
        others = np.setdiff1d(by_kind.get(int(kinds[worn[place]]), worn[:0]), worn)
        if len(worn) < 2 or len(others) == 0:
            continue
        if len(asked) == questions or sum(sizes) + len(others) + 1 > most:
            break
        filled = np.repeat(rows[None], len(others) + 1, 0)
        filled[1:, place] = others
        asked.append(filled)
        sizes.append(len(filled))
    ranks = np.zeros(len(asked))
    ends = np.cumsum(sizes)
    start = 0
    while start < len(asked):  # several questions at once: few candidates would make small batches
        stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + 8 * BATCH, "right")))
        scores = score(canonical(np.concatenate(asked[start:stop]), outfits.ranks))
        for question, part in enumerate(np.split(scores, np.cumsum(sizes[start:stop])[:-1]), start):
            ranks[question] = 1 + (part[1:] > part[0]).sum() + (part[1:] == part[0]).sum() / 2
        start = stop
    return ranks, np.array(sizes, dtype=np.int64)


def retrieval_metrics(ranks: np.ndarray, sizes: np.ndarray) -> dict[str, float]:
    """recall@10/30/50 and median_rank of `hidden_item_ranks`, what chance would reach, and how much was asked."""
    if len(ranks) == 0:
        return {"questions": 0}
    found = {f"recall@{k}": float((ranks <= k).mean()) for k in CUTOFFS}
    chance = {f"chance_recall@{k}": float(np.minimum(k / sizes, 1).mean()) for k in CUTOFFS}
    medians = {"median_rank": float(np.median(ranks)), "chance_median_rank": float(np.median((sizes + 1) / 2))}
    return found | chance | medians | {"questions": len(ranks), "mean_candidates": float(sizes.mean())}


def complementary_retrieval(
    score: Callable[[np.ndarray], np.ndarray], outfits: OutfitSet, pool: np.ndarray | None = None, **limits
) -> dict[str, float]:
    """`retrieval_metrics` of `hidden_item_ranks`, whose arguments it takes."""
    return retrieval_metrics(*hidden_item_ranks(score, outfits, pool, **limits))


def coherence_of(
    model: FashionCognitiveNetwork, features: np.ndarray, cooccurrence: CoOccurrence | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The model's coherence logits as a function of padded (n, T) catalogue rows in canonical order."""

    def score(rows: np.ndarray) -> np.ndarray:
        name = "coherence_logits"
        return forward_rows(model, rows, features.__getitem__, names=(name,), cooccurrence=cooccurrence)[name]

    return score
