"""A catalogue that changes while a recommender serves: items come, change and go, and nothing is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from fcn.catalog import Catalog
from fcn.folder import DataFolder
from seqllm.attributes import fit_features, price_features
from seqllm.profiles import posteriors
from seqllm.sequences import SPLITS, EventLog

if TYPE_CHECKING:
    from seqllm.recommender import Recommender


def refresh(recommender: Recommender, folder: DataFolder) -> dict[str, int]:
    """Take a folder's catalogue and events; what Recommender.refresh says."""
    ids, present = (c.ids.cast(pa.string()) for c in (folder.catalog, recommender.catalog))
    source = pc.fill_null(pc.index_in(ids, present), -1).to_numpy().astype(np.int64)
    gone = np.setdiff1d(np.arange(len(present)), source)
    removed = np.arange(len(source) + len(gone)) >= len(source)
    before = int(recommender.removed[gone].sum())
    source = np.concatenate([source, gone])
    catalog = folder.catalog.concat(recommender.catalog.take(gone)) if len(gone) else folder.catalog
    now, then = catalog.texts(), recommender.catalog.texts()
    added = source < 0
    changed = np.array([s < 0 or text != then[s] for s, text in zip(source.tolist(), now, strict=True)], bool)
    log = EventLog.from_folder(folder) if folder.interactions is not None and len(folder.interactions) else None
    exchange(recommender, catalog, source, np.flatnonzero(changed), removed)
    if log is not None:
        recommender.learn(log, *SPLITS)
    recommender.data_fingerprint = folder.fingerprint
    counts = {"items": len(folder.catalog), "added": added.sum(), "removed": len(gone) - before}
    return {name: int(n) for name, n in (counts | {"changed": (changed & ~added).sum()}).items()}


def exchange(
    recommender: Recommender,
    catalog: Catalog,
    source: np.ndarray,
    fresh: np.ndarray,
    removed: np.ndarray,
    kept: int = 0,
) -> None:
    """Take another catalogue: item i was row source[i] (-1: new); rows ``fresh`` are embedded anew.

    Every present item must be in it. The first ``kept`` rows are known to be as they were.
    """
    ranker, model, taken = recommender.ranker, recommender.ranker.model, np.maximum(source, 0)
    titles = model.titles.cpu().numpy()[taken]
    titles[fresh] = recommender.encoder.encode(catalog.texts(fresh))
    if ranker.inference is not None:
        posterior = posteriors(recommender.scorer, [catalog[int(row)] for row in fresh], recommender.vocabulary)
        ranker.inference.rearrange(taken, fresh, posterior)
    place = np.zeros(len(recommender.catalog), np.int64)
    place[source[source >= 0]] = np.flatnonzero(source >= 0)
    prices, _ = price_features(catalog.price, recommender.price_edges)
    labels, fit = len(recommender.vocabulary), model.fit.cpu()[taken]
    fit[fresh] = fit_features(None, labels, catalog.take(fresh), recommender.attributes)
    if ranker.inference is not None:
        fit[:, :labels] = torch.from_numpy(ranker.inference.features())
    model.set_items(torch.from_numpy(titles), torch.from_numpy(source), prices, fit)
    ranker.builder.set_catalog(catalog, kept)
    ranker.evidence = ranker.evidence.rearranged(place, len(catalog))
    recommender.catalog, recommender.removed, recommender._index = catalog, removed, None
