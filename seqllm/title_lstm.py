"""The paper's title encoder: an LSTM over a title's words, trained with a triplet loss (arXiv 2410.11327).

Made of sentence-transformers' own modules (WordEmbeddings, LSTM, Pooling, Normalize) and its semi-hard triplet
loss (FaceNet, CVPR 2015), so what is written is an ordinary sentence-transformers folder:

    train_title_lstm(titles, neighbour_pairs(users, items), "title-encoder")
    encoder = TextEncoder.from_pretrained("title-encoder")

The paper's choice, not the default: with it the frozen recency-weighted mean of titles ranks Amazon Clothing worse
(NDCG@10 .018 after 240 steps, .009 untrained) than with `build_text_encoder` (.026).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.losses import (
    BatchHardTripletLossDistanceFunction,
    BatchSemiHardTripletLoss,
)
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling, WordEmbeddings
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from fcn.artifacts import save_artifact
from fcn.encoders import TextEncoder, build_text_encoder
from fcn.errors import DataError
from fcn.training import History, fingerprint_of, first_alone, fit, processes

WORDS_READ = 32  # tokens of a title; what comes later is cut
MARGIN = 0.2  # of cosine distances
HELD_OUT = 500  # pairs, at most and no more than a tenth
POOL = 2000  # titles among which a held-out pair's second title is looked for


def neighbour_pairs(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Items that one person chose one after the other: (m, 2) int64 rows. users, items (n,): training events,
    each person's in time order. A pair of an item with itself is left out."""
    users, items = np.asarray(users), np.asarray(items, dtype=np.int64)
    order = np.argsort(users, kind="stable")
    users, items = users[order], items[order]
    next_to = (users[1:] == users[:-1]) & (items[1:] != items[:-1])
    return np.stack([items[:-1][next_to], items[1:][next_to]], axis=1)


def train_title_lstm(
    texts: Sequence[str],
    pairs: np.ndarray,
    out: str | Path,
    *,
    dim: int = 256,
    epochs: int = 4,
    max_steps: int = 600,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    restart: bool = False,
) -> History:
    """Train on `texts` (one a catalogue row) and write the encoder to the folder `out`.

    In a batch each pair's two titles attract each other; all other titles in it, and half as many drawn at
    random from the catalogue, repel them, the semi-hard ones first: further off than the partner, within the
    margin. Word vectors start from those of `build_text_encoder` (latent semantic analysis of the same texts).

    Args:
        pairs: (n, 2) rows of items that one person chose next to each other in TRAINING (`neighbour_pairs`).
        dim: of the title vectors, even: two directions of dim / 2.
        epochs: evaluations on held-out pairs, the best of which is kept. Together they make at most `max_steps`
            steps and go at most `epochs` times through the pairs.

    Returns:
        The history; "recall@10" is of a held-out pair's second title among 2,000 titles, given the first.

    Raises:
        DataError: fewer than 20 pairs of different titles.
    """
    distinct: dict[str, int] = {}
    title_of = np.array([distinct.setdefault(text, len(distinct)) for text in texts], dtype=np.int64)
    titles = list(distinct)
    pairs = title_of[np.asarray(pairs, dtype=np.int64).reshape(-1, 2)]
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if len(pairs) < 20:
        raise DataError(f"{len(pairs)} pairs of different titles; a title encoder needs 20 or more to learn")
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(pairs)
    held = min(HELD_OUT, len(pairs) // 10)
    held_out, pairs = pairs[:held], pairs[held:]

    torch.manual_seed(seed)
    model = _TripletModel(_new_model(titles, dim))
    batches = _Batches(model.encoder, titles, seed)
    steps = max(1, min(max_steps, epochs * len(pairs) // batch_size) // epochs)
    pool = np.union1d(held_out[:, 1], rng.choice(len(titles), min(POOL - held, len(titles)), replace=False))

    def recall(_: nn.Module) -> dict[str, float]:
        encoder = TextEncoder(model.encoder)
        asked = encoder.encode([titles[row] for row in held_out[:, 0]], batch_size=256)
        similarity = asked @ encoder.encode([titles[row] for row in pool], batch_size=256).T
        similarity[held_out[:, :1] == pool[None]] = -np.inf
        partner = similarity[np.arange(held), np.searchsorted(pool, held_out[:, 1])]
        return {"recall@10": float(((similarity > partner[:, None]).sum(1) < 10).mean())}

    history = fit(
        model,
        _Cycle(pairs, steps * batch_size),
        recall,
        out=out,
        collate=batches,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        metric="recall@10",
        patience=2,
        seed=seed,
        run_key={"data": fingerprint_of([titles, pairs.tolist()]), "dim": dim, "steps": steps},
        restart=restart,
    )
    model.encoder.cpu()
    about = {"dim": dim, "titles": len(titles), "pairs": len(pairs), "seed": seed, "best": history.best}
    with first_alone() as first:
        if first:
            save_artifact(out, "title-lstm", about, {}, files=TextEncoder(model.encoder).save_pretrained)
    return history


def _new_model(titles: list[str], dim: int) -> SentenceTransformer:
    static = build_text_encoder(titles, dim=dim // 2).model[0]
    vectors = static.embedding.weight.detach()
    # Entries of the size that an LSTM's gates answer to.
    vectors = 0.5 * vectors / vectors[vectors.any(1)].std()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=static.tokenizer, unk_token="[UNK]")
    words = WordEmbeddings(tokenizer, vectors, update_embeddings=True, max_seq_length=WORDS_READ)
    words.save_in_root = False  # the artifact's own weights file lies there
    lstm = LSTM(words.get_embedding_dimension(), hidden_dim=dim // 2)
    pooling = Pooling(lstm.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[words, lstm, pooling, Normalize()], device="cpu")


class _TripletModel(nn.Module):
    """Titles and labels of a batch -> {"loss"}: equal labels attract each other."""

    def __init__(self, encoder: SentenceTransformer):
        super().__init__()
        self.encoder = encoder
        distance = BatchHardTripletLossDistanceFunction.cosine_distance
        # in a list, because its weights are the encoder's
        self.triplet = [BatchSemiHardTripletLoss(encoder, distance, MARGIN)]

    def forward(self, labels: Tensor, **features: Tensor) -> dict[str, Tensor]:
        vectors = self.encoder(features)["sentence_embedding"]
        return {"loss": self.triplet[0].compute_loss_from_embeddings([vectors], labels)}


class _Cycle(torch.utils.data.Dataset):
    """`length` pairs an epoch, each epoch going on where the one before stopped; processes take turns."""

    def __init__(self, pairs: np.ndarray, length: int):
        self.pairs, self.length = pairs, length
        self.next, self.step = processes().process_index, processes().num_processes

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, _: int) -> np.ndarray:
        self.next += self.step
        return self.pairs[(self.next - self.step) % len(self.pairs)]


class _Batches:
    """Pairs -> padded tokens of their titles and of random ones, each title once, and labels."""

    def __init__(self, encoder: SentenceTransformer, titles: list[str], seed: int):
        self.words, self.rng = encoder[0], np.random.default_rng(seed)
        self.titles = titles

    def __call__(self, pairs: list[np.ndarray]) -> dict[str, Tensor]:
        label: dict[int, int] = {}
        for number, (one, other) in enumerate(pairs):
            # A title in two pairs would repel itself: the later pair is left out.
            if int(one) not in label and int(other) not in label:
                label[int(one)] = label[int(other)] = number
        drawn = self.rng.integers(0, len(self.titles), len(pairs) // 2)
        for number, row in enumerate(drawn, start=len(pairs)):
            label.setdefault(int(row), number)
        features = self.words.preprocess([self.titles[row] for row in label])
        return {**features, "labels": torch.tensor(list(label.values()))}
