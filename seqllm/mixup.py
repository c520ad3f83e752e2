"""Mix-up retrieval: one FAISS index serves every lambda, because lambda is applied to the query.

    v_i = [ title_i ; id_i ; fit_i ; prior_i ]
    q   = [ lambda s_t t ; (1 - lambda) w_id s_u u ; (1 - lambda) w_fit f ; (1 - lambda) w_prior ]
    q . v_i = lambda s_t cos(t, title_i) + (1 - lambda) (w_id s_u cos(u, id_i) + w_fit f . fit_i + w_prior prior_i)

The neighbours' part is sparse and never negative, so the best k by the full score are among the best k by q . v and
the items with a neighbour's score: both are gathered and scored exactly.
"""

from __future__ import annotations

import faiss
import numpy as np
import scipy.sparse as sp


class MixupIndex:
    """Exact inner-product search over [title ; ID ; fit ; prior], with allow-lists.

    Args:
        titles: (N, d_t), ids: (N, d_i) unit rows; fit: (N, C); prior: (N,).
    """

    def __init__(self, titles: np.ndarray, ids: np.ndarray, fit: np.ndarray, prior: np.ndarray):
        self.vectors = np.ascontiguousarray(np.hstack([titles, ids, fit, prior[:, None]]), np.float32)
        self.index = faiss.IndexFlatIP(self.vectors.shape[1])
        self.index.add(self.vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def search(
        self, queries: np.ndarray, neighbours: sp.csr_matrix, k: int, allowed: list[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The k best allowed items of each query, best first; fewer only where fewer are allowed.

        Args:
            queries: (B, d_t + d_i + C + 1) float32.
            neighbours: (B, N) sparse, added to the inner product; not negative.
            allowed: for each query a bool (N,) mask.

        Returns:
            item rows and scores, one array a query. Equal scores stand in the order of the catalogue.
        """
        rows, scores = [], []
        for b, mask in enumerate(allowed):
            n = min(k, int(mask.sum()))
            if n == 0:
                rows.append(np.zeros(0, np.int64))
                scores.append(np.zeros(0, np.float32))
                continue
            bitmap = np.packbits(mask, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(bitmap))
            _, found = self.index.search(queries[b : b + 1], n, params=faiss.SearchParameters(sel=selector))
            near = neighbours[b]
            pool = np.union1d(found[0][found[0] >= 0], near.indices[mask[near.indices]])
            value = self.vectors[pool] @ queries[b]
            extra = np.zeros(len(mask), np.float32)
            extra[near.indices] = near.data
            value = value + extra[pool]
            order = np.lexsort((pool, -value))[:n]
            rows.append(pool[order])
            scores.append(value[order].astype(np.float32))
        return rows, scores
