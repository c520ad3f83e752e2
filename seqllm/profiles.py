"""What a person's purchases say about her: missing profile groups inferred with the Fashion Cognitive Network.

Each item she chose is evidence: FCN's posterior that it suits (or does not suit) each value of a group, relative to
the average item. It adds up in log odds, scaled by a strength that is fitted on people who stated theirs:

    log p(v | items) = log prior(v) + strength * sum_i e_i(v) - log Z,    e_i(v) = logit s_i(v) - mean_j logit s_j(v)

with s = p for polarity "suits" and 1 - p for "unsuits". Groups no outfit label speaks of are never inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcn.types import LabelVocabulary, Profile

if TYPE_CHECKING:
    from fcn.scorer import OutfitScorer

STRENGTHS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
NEWEST = 30


class ProfileInference:
    """Infers profile groups from item rows.

    Args:
        evidence: (N, C) float32, centred log odds that item i suits a person with label c; 0 where nothing is known.
        log_prior: (C,) log share of each value within its group among the people who stated it.
        strength: how much one item counts.
        centre: (C,) log odds of the average item, taken off the evidence of new ones; spread: (C,) their deviation.
        threshold: a value is inferred when its posterior is at least this.
    """

    def __init__(
        self,
        vocabulary: LabelVocabulary,
        evidence: np.ndarray,
        log_prior: np.ndarray,
        strength: float,
        centre: np.ndarray,
        spread: np.ndarray,
        threshold: float = 0.5,
    ):
        self.vocabulary, self.evidence, self.log_prior = vocabulary, evidence, log_prior
        self.centre, self.spread = centre, spread
        self.strength, self.threshold = strength, threshold
        labels = set(vocabulary.outfit_labels)
        self.groups = {
            name: span
            for name, span in vocabulary.group_slices.items()
            if vocabulary.labels[span.start] in labels and evidence[:, span].any()
        }

    @classmethod
    def fit(
        cls,
        posterior: np.ndarray,
        vocabulary: LabelVocabulary,
        histories: Sequence[np.ndarray],
        profiles: Sequence[Profile],
        threshold: float = 0.5,
    ) -> ProfileInference:
        """Fit prior and strength on TRAINING people.

        Args:
            posterior: (N, len(vocabulary.outfit_labels)), probability of each outfit label for each single item.
            histories: item rows of each person's training events.
        """
        logits = suit_logits(posterior, vocabulary)
        centre = logits.mean(0)
        evidence = logits - centre
        spread = np.maximum(evidence.std(0), 1e-3).astype(np.float32)
        log_prior = np.zeros(len(vocabulary), np.float32)
        counts = np.ones(len(vocabulary))
        for profile in profiles:
            counts[[vocabulary.index(label) for label in profile.labels()]] += 1
        for span in vocabulary.group_slices.values():
            log_prior[span] = np.log(counts[span] / counts[span].sum())
        best, best_value = cls(vocabulary, evidence, log_prior, 0.0, centre, spread, threshold), -np.inf
        for strength in STRENGTHS:
            candidate = cls(vocabulary, evidence, log_prior, strength, centre, spread, threshold)
            value = candidate._log_likelihood(histories, profiles)
            if value > best_value:
                best, best_value = candidate, value
        return best

    def _log_likelihood(self, histories: Sequence[np.ndarray], profiles: Sequence[Profile]) -> float:
        total = 0.0
        for items, profile in zip(histories, profiles, strict=True):
            if not len(items) or not profile:
                continue
            p = self.posterior(items)
            for label in profile.labels():
                if label.partition("=")[0] in self.groups:
                    total += float(np.log(max(p[self.vocabulary.index(label)], 1e-9)))
        return total

    def posterior(self, items: np.ndarray) -> np.ndarray:
        """Item rows (any number) -> (C,), sums to 1 within each group that can be inferred."""
        logits = self.log_prior + self.strength * self.evidence[np.asarray(items[-NEWEST:], np.int64)].sum(0)
        out = np.zeros(len(self.vocabulary), np.float32)
        for span in self.groups.values():
            e = np.exp(logits[span] - logits[span].max())
            out[span] = e / e.sum()
        return out

    def infer(self, items: np.ndarray) -> Profile:
        """The values that items speak for clearly enough; empty without items."""
        if not len(items) or not self.strength:
            return Profile()
        p = self.posterior(items)
        found = {}
        for name, span in self.groups.items():
            k = span.start + int(p[span].argmax())
            if p[k] >= self.threshold:
                found[name] = (self.vocabulary.labels[k].partition("=")[2],)
        return Profile(found)

    def features(self) -> np.ndarray:
        """Evidence in units of its spread over the catalogue it was fitted on: (N, C), about -3 to 3."""
        return self.evidence / self.spread

    def rearrange(self, source: np.ndarray, fresh: np.ndarray, posterior: np.ndarray) -> None:
        """Use another catalogue: item i was row source[i]; rows ``fresh`` are new, their posterior (n, labels)."""
        self.evidence = self.evidence[source]
        self.evidence[fresh] = suit_logits(posterior, self.vocabulary) - self.centre

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that :meth:`from_state` takes."""
        strength = np.array([self.strength], np.float32)
        return {"evidence": self.evidence, "log_prior": self.log_prior, "centre": self.centre,
                "spread": self.spread, "strength": strength}  # fmt: skip

    @classmethod
    def from_state(cls, vocabulary: LabelVocabulary, state: dict[str, np.ndarray]) -> ProfileInference:
        fitted = (state[name] for name in ("centre", "spread"))
        return cls(vocabulary, state["evidence"], state["log_prior"], float(state["strength"][0]), *fitted)


def posteriors(scorer: OutfitScorer, pieces: Sequence, vocabulary: LabelVocabulary) -> np.ndarray:
    """FCN's probability of each label of ``vocabulary.outfit_labels`` for each single piece: (n, labels).

    Labels the network was not trained on are .5 everywhere, which is no evidence.
    """
    out = np.full((len(pieces), len(vocabulary.outfit_labels)), 0.5)
    if len(pieces):
        column = {label: k for k, label in enumerate(scorer.labels)}
        found = scorer.label_posterior([[piece] for piece in pieces])
        for k, label in enumerate(vocabulary.outfit_labels):
            if label in column:
                out[:, k] = found[:, column[label]]
    return out


def suit_logits(posterior: np.ndarray, vocabulary: LabelVocabulary) -> np.ndarray:
    """(N, outfit labels) probabilities -> (N, C) float32 log odds of suiting; 0 for labels outfits do not carry."""
    p = np.clip(np.asarray(posterior, np.float64), 1e-4, 1 - 1e-4)
    logit = np.zeros((len(p), len(vocabulary)), np.float32)
    for column, label in enumerate(vocabulary.outfit_labels):
        sign = -1.0 if vocabulary.polarity_of(label) == "unsuits" else 1.0
        logit[:, vocabulary.index(label)] = sign * np.log(p[:, column] / (1 - p[:, column]))
    return logit
