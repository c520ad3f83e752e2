"""The sequential recommender: a LoRA-tuned causal LM whose state at [REC] is turned into a title and an ID vector.

    t = normalise( t0 + W_t h + sum_a A_t[a] ),   t0 = recent title(i_k) + w_m mean title(i_k) + w_q title(query)
    u = normalise( u0 + W_u h + sum_a A_u[a] ),   u0 = recent id(i_k) + w_m mean id(i_k)
    s(i) = s_t cos(t, title_i) + s_u cos(u, id_i) + f . fit_i + prior_i(time)

"recent" is the decay^k-weighted sum over her history, newest first, and "mean" its plain mean (what she always likes),
each made a unit vector and sent through a map that starts as the identity. fit_i holds FCN's evidence that item i suits
each personal attribute (zeros without an FCN) and, beside it, the item's own attributes; f asks for the person's stated
and inferred attributes, and for item attributes by her history, query, state and profile (linear and not normalised:
"red" counts alike in short and long titles). h is the LM's last hidden state at [REC] plus the question's own words; a
are her personal-attribute tokens, which the LM reads and which also speak to the heads directly (what suits a person is
largely additive over her attributes). Both sides start from the frozen, recency-weighted history and learn what to add
to it: on sparse data the frozen titles carry most of the signal.

After Liu et al., EMNLP 2024 Industry (arXiv 2410.11327): mix-up of title and ID embeddings; the residuals, the
sampled softmax and the popularity prior are ours.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from seqllm.attributes import PRICE_BINS


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Sizes and options; n_items and title_dim come from the catalogue, n_special from the label vocabulary.

    reads: whether the language model's state takes part; without it h is the question's own words alone.

    decode: weight of the loss that teaches the LM to write the chosen item's title (seqllm.decoding); 0 is off.
    """

    n_items: int
    n_special: int
    title_dim: int
    vocab_size: int
    hidden: int
    id_dim: int = 128
    lora_rank: int = 16
    decay: float = 0.7
    id_dropout: float = 0.2
    state_dropout: float = 0.2
    decode: float = 0.0
    reads: bool = True
    trend_days: tuple[float | None, ...] = (14.0, 60.0, 365.0, None)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware (about twice as fast, training only)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX512" and _cpu_has("avx512_bf16")


@functools.cache
def _cpu_has(flag: str) -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and flag in info.read_text()


def attach_lora(base: nn.Module, rank: int) -> PeftModel:
    """LoRA (Hu et al. 2022) on every linear layer of the base but its output layer."""
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(base, config)


class SequentialRecommender(nn.Module):
    """Scores every item of a catalogue for a batch of prompts.

    Args:
        lm: causal LM with LoRA adapters.
        titles: (N, title_dim) unit rows, frozen.
        prices: (N, PRICE_BINS) of :func:`seqllm.attributes.price_features`; zeros where nothing has a price.
        fit: (N, C + M): FCN's evidence that an item suits each label (ProfileInference.features; zeros without an
            FCN), then M columns of the item's own attributes (seqllm.attributes).
        warm: bool (N,), items that occur in training. The others have no ID part of their own: their ID vector is the
            one their title predicts, their prior the mean of the warm ones'.
    """

    def __init__(
        self,
        lm: PeftModel,
        config: ModelConfig,
        titles: Tensor,
        warm: Tensor,
        prices: Tensor | None = None,
        fit: Tensor | None = None,
    ):
        super().__init__()
        self.lm, self.sizes = lm, config  # not named config: Trainer would write into it
        self.special = nn.Embedding(config.n_special, config.hidden)
        self.title_to_id = nn.Linear(config.title_dim, config.id_dim, bias=False)
        self.price_to_id = nn.Linear(PRICE_BINS, config.id_dim, bias=False)
        self.item_id = nn.Embedding(config.n_items, config.id_dim)
        self.item_in = nn.Linear(config.title_dim + config.id_dim, config.hidden)
        self.attribute_title = nn.Embedding(config.n_special, config.title_dim)
        self.attribute_id = nn.Embedding(config.n_special, config.id_dim)
        self.history_map = nn.Linear(config.title_dim, config.title_dim, bias=False)
        self.query_map = nn.Linear(config.title_dim, config.title_dim, bias=False)
        self.question_in = nn.Linear(config.hidden, config.hidden)
        self.title_head = nn.Linear(config.hidden, config.title_dim)
        self.id_head = nn.Linear(config.hidden, config.id_dim)
        self.state_gate = nn.Parameter(torch.zeros(1))
        self.item_bias = nn.Parameter(torch.zeros(config.n_items))
        self.fit_weight = nn.Parameter(torch.zeros(config.n_special))
        self.trend_weight = nn.Parameter(torch.zeros(len(config.trend_days)))
        self.query_weight = nn.Parameter(torch.tensor(1.0))
        self.mean_weight = nn.Parameter(torch.tensor([0.2, 0.2]))  # title, ID
        self.log_scale = nn.Parameter(torch.tensor([math.log(12.0), math.log(8.0)]))  # title, ID
        nn.init.normal_(self.item_id.weight, std=0.02)
        nn.init.normal_(self.title_to_id.weight, std=config.title_dim**-0.5)
        nn.init.normal_(self.price_to_id.weight, std=0.1)
        nn.init.zeros_(self.history_map.weight)
        nn.init.zeros_(self.query_map.weight)
        nn.init.zeros_(self.attribute_title.weight)
        nn.init.zeros_(self.attribute_id.weight)
        nn.init.zeros_(self.title_head.weight)
        nn.init.zeros_(self.title_head.bias)
        nn.init.normal_(self.id_head.weight, std=0.3 * config.hidden**-0.5)
        nn.init.zeros_(self.id_head.bias)
        self.register_buffer("titles", titles.float(), persistent=False)
        self.register_buffer("warm", warm.bool(), persistent=False)
        prices = torch.zeros(len(titles), PRICE_BINS) if prices is None else prices
        self.register_buffer("prices", prices.float(), persistent=False)
        fit = torch.zeros(len(titles), (config.n_special - 1) // 2) if fit is None else fit
        self.register_buffer("fit", fit.float(), persistent=False)
        asked = fit.shape[1] - (config.n_special - 1) // 2
        self.asked_by_history = nn.Linear(asked, asked, bias=False)
        self.asked_by_query = nn.Linear(config.title_dim, asked, bias=False)
        self.asked_by_state = nn.Linear(config.hidden, asked, bias=False)
        self.asked_by_attribute = nn.Embedding(config.n_special, asked)
        for part in (self.asked_by_history, self.asked_by_query, self.asked_by_state, self.asked_by_attribute):
            nn.init.zeros_(part.weight)

    def init_special(self, rows: Tensor) -> None:
        """Start special tokens (S, hidden) from the mean embedding of the words that name them."""
        with torch.no_grad():
            self.special.weight.copy_(rows)

    @property
    def device(self) -> torch.device:
        return self.titles.device

    def set_items(self, titles: Tensor, source: Tensor, prices: Tensor, fit: Tensor) -> None:
        """Use another catalogue.

        titles: (N, title_dim) unit rows; source: int64 (N,), which of the present items each one is, -1 for a new one
        (which is cold); prices: (N, PRICE_BINS); fit: (N, C + M).
        """
        source = source.to(self.device)
        known, rows = source >= 0, source.clamp(min=0)
        self.titles, self.warm = titles.float().to(self.device), self.warm[rows] & known
        self.prices = prices.float().to(self.device)
        self.fit = fit.float().to(self.device)
        self.item_id = nn.Embedding.from_pretrained(self.item_id.weight.data[rows] * known.unsqueeze(-1))
        self.item_bias = nn.Parameter(self.item_bias.data[rows] * known)
        self.sizes = dataclasses.replace(self.sizes, n_items=len(titles))

    # -- items -------------------------------------------------------------------------------------------------

    def item_vectors(self, rows: Tensor | None = None, cold: Tensor | None = None) -> Tensor:
        """ID vectors (n, id_dim), unit rows. ``cold``: bool (N,), treat these as never seen (training only)."""
        rows = torch.arange(len(self.titles), device=self.device) if rows is None else rows
        warm = self.warm if cold is None else self.warm & ~cold
        own = self.item_id(rows) * warm[rows].unsqueeze(-1)
        return F.normalize(self.title_to_id(self.titles[rows]) + self.price_to_id(self.prices[rows]) + own, dim=-1)

    def prior(self, trend: Tensor, rows: Tensor | None = None, cold: Tensor | None = None) -> Tensor:
        """Popularity part of the score. trend: (B, W, n) counts within each window -> (B, n)."""
        bias = self.item_bias if rows is None else self.item_bias[rows]
        warm = self.warm if cold is None else self.warm & ~cold
        warm = warm if rows is None else warm[rows]
        value = torch.einsum("bwn,w->bn", torch.log1p(trend), self.trend_weight) + bias
        mean = (value * warm).sum(-1, keepdim=True) / warm.sum().clamp(min=1)
        return torch.where(warm, value, mean)

    # -- people ------------------------------------------------------------------------------------------------

    def embed(self, input_ids: Tensor, cold: Tensor | None = None) -> Tensor:
        """Input embeddings (B, L, hidden) of a prompt stream (B, L): text, special and item tokens."""
        vocab, n_special = self.sizes.vocab_size, self.sizes.n_special
        table = self.lm.get_base_model().get_input_embeddings()
        embedded = table(input_ids.clamp(max=vocab - 1))
        is_special = (input_ids >= vocab) & (input_ids < vocab + n_special)
        is_item = input_ids >= vocab + n_special
        embedded = embedded.masked_scatter(
            is_special.unsqueeze(-1), self.special(input_ids[is_special] - vocab).to(embedded.dtype)
        )
        rows = input_ids[is_item] - vocab - n_special
        soft = self.item_in(torch.cat([self.titles[rows], self.item_vectors(rows, cold)], -1))
        # An item token is as long as a word's embedding is on average, whatever the base model.
        soft = F.normalize(soft, dim=-1) * table.weight.detach().float().norm(dim=-1).mean()
        return embedded.masked_scatter(is_item.unsqueeze(-1), soft.to(embedded.dtype))

    def read(
        self, input_ids: Tensor, attention_mask: Tensor, cold: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Input embeddings and last hidden states of a prompt stream (B, L), (B, L, hidden) each.

        Where the model does not read there are no states, and of the embeddings only the words' own are looked up.
        """
        if not self.sizes.reads:
            table = self.lm.get_base_model().get_input_embeddings()
            return table(input_ids.clamp(max=self.sizes.vocab_size - 1)), None
        embedded = self.embed(input_ids, cold)
        device = embedded.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(device)):
            base = self.lm.get_base_model().base_model
            out = base(inputs_embeds=embedded, attention_mask=attention_mask, use_cache=False)
        return embedded, out.last_hidden_state

    def states(self, input_ids: Tensor, attention_mask: Tensor, rec: Tensor, cold: Tensor | None = None) -> Tensor:
        """Hidden states at [REC] plus the projected mean embedding of the question's own words (season, search ...).

        input_ids (B, L) of a prompt stream; rec (P, 3) of (row, position, where the question begins) -> (P, hidden).
        """
        return self._states(*self.read(input_ids, attention_mask, cold), rec)

    def _states(self, embedded: Tensor, hidden: Tensor | None, rec: Tensor) -> Tensor:
        row, end, begin = rec.unbind(1)
        total = F.pad(embedded.float().cumsum(1), (0, 0, 1, 0))  # total[:, k] sums the first k tokens
        words = (total[row, end] - total[row, begin]) / (end - begin).clamp(min=1).unsqueeze(-1)
        own = self.question_in(words)
        return own if hidden is None else own + self.state_gate * hidden[row, end].float()

    def surprise(self, hidden: Tensor, answer: Tensor) -> Tensor:
        """Negative log-likelihood (A,), in nats, of the tokens of written answers.

        hidden: (B, L, hidden) of :meth:`read`; answer: (A, 3) of (row, position, token that should come next).
        """
        row, position, token = answer.unbind(1)
        states = hidden[row, position]
        with torch.autocast(states.device.type, torch.bfloat16, enabled=self.training and fast_bfloat16(states.device)):
            logits = self.lm.get_base_model().get_output_embeddings()(states)
        return F.cross_entropy(logits.float(), token, reduction="none")

    def directions(
        self,
        h: Tensor,
        history: Tensor,
        offsets: Tensor,
        weights: Tensor,
        attributes: Tensor,
        attribute_offsets: Tensor,
        query: Tensor,
        cold: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Title and ID directions (P, title_dim), (P, id_dim), unit rows; and what is asked of the fit, (P, C + M).

        history, weights: flat item rows and their recency weights, person p's are offsets[p]:offsets[p + 1];
        attributes: flat special-token numbers, person p's from attribute_offsets[p];
        query: (P, title_dim), the query in title space, zero where there is none.
        """
        unique, place = torch.unique(history, return_inverse=True)
        past = self._pooled(self.titles[unique], place, offsets, weights, self.mean_weight[0])
        t0 = past + self.history_map(past) + self.query_weight * (query + self.query_map(query))
        u0 = self._pooled(self.item_vectors(unique, cold), place, offsets, weights, self.mean_weight[1])
        said_t = F.embedding_bag(attributes, self.attribute_title.weight, attribute_offsets, mode="sum")
        said_u = F.embedding_bag(attributes, self.attribute_id.weight, attribute_offsets, mode="sum")
        t = F.normalize(F.normalize(t0, dim=-1) + self.title_head(h) + said_t, dim=-1)
        u = F.normalize(F.normalize(u0, dim=-1) + self.id_head(h) + said_u, dim=-1)
        counts = torch.zeros(len(h), self.sizes.n_special, device=h.device)
        sizes = torch.diff(attribute_offsets, append=attribute_offsets.new_tensor([len(attributes)]))
        counts[torch.repeat_interleave(torch.arange(len(h), device=h.device), sizes), attributes] = 1.0
        stated, inferred = (counts * self.fit_weight)[:, 1:].chunk(2, dim=1)
        own = self.fit[:, stated.shape[1] :]
        if not own.shape[1]:  # embedding_bag knows no rows of no width
            return t, u, stated + inferred
        liked = F.embedding_bag(place, own[unique], offsets, mode="mean")
        asked = self.asked_by_history(liked) + self.asked_by_query(query) + self.asked_by_state(h)
        asked = asked + F.embedding_bag(attributes, self.asked_by_attribute.weight, attribute_offsets, mode="sum")
        return t, u, torch.cat([stated + inferred, asked], dim=1)

    @staticmethod
    def _pooled(vectors: Tensor, place: Tensor, offsets: Tensor, weights: Tensor, mean_weight: Tensor) -> Tensor:
        """Recency-weighted history plus its plain mean, each as a unit vector; zero for an empty history."""
        recent = F.embedding_bag(place, vectors, offsets, mode="sum", per_sample_weights=weights)
        mean = F.embedding_bag(place, vectors, offsets, mode="sum")
        return F.normalize(recent, dim=-1) + mean_weight * F.normalize(mean, dim=-1)

    def scales(self) -> tuple[Tensor, Tensor]:
        title, own = self.log_scale.clamp(max=math.log(100.0)).exp()
        return title, own

    # -- training ----------------------------------------------------------------------------------------------

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        rec: Tensor,
        history: Tensor,
        offsets: Tensor,
        weights: Tensor,
        attributes: Tensor,
        attribute_offsets: Tensor,
        query: Tensor,
        candidates: Tensor,
        target: Tensor,
        excluded: Tensor,
        log_q: Tensor,
        trend: Tensor,
        answer: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Cross-entropy of the chosen items among the candidates, and of their written titles' tokens if asked for.

        candidates: (C,) item rows; target: (P,) columns of it; excluded: (X, 2) of (p, column), items the person has
        already; log_q: (C,) log sampling probability, subtracted (Yi et al., RecSys 2019); trend: (P, W, C);
        answer: as for :meth:`surprise`; who does not read does not write.
        """
        cold = None
        if self.training and self.sizes.id_dropout > 0:
            # Now and then a known item plays a new arrival, so that titles alone learn to rank one.
            cold = torch.rand(len(self.titles), device=self.device) < self.sizes.id_dropout
        embedded, hidden = self.read(input_ids, attention_mask, cold)
        h = F.dropout(self._states(embedded, hidden, rec), self.sizes.state_dropout, self.training)
        t, u, wanted = self.directions(h, history, offsets, weights, attributes, attribute_offsets, query, cold)
        scale_t, scale_u = self.scales()
        title = scale_t * (t @ self.titles[candidates].T)
        own = scale_u * (u @ self.item_vectors(candidates, cold).T)
        prior = self.prior(trend, candidates, cold) + wanted @ self.fit[candidates].T
        correction = torch.zeros_like(title) - log_q
        correction[excluded[:, 0], excluded[:, 1]] = float("-inf")
        correction = correction.scatter(1, target[:, None], -log_q[target][:, None])
        loss = F.cross_entropy(title + own + prior + correction, target)
        if answer is not None and hidden is not None:
            loss = loss + self.sizes.decode * self.surprise(hidden, answer).mean()
        return {"loss": loss}
