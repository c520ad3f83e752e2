import numpy as np
import pytest
import scipy.sparse as sp

from seqllm.baselines import FrozenTitle, ItemKNN, Popularity, RecentPopularity, tune
from seqllm.metrics import rank_queries, top_k
from seqllm.queries import Events, Query
from seqllm.trend import DAY


def query(history, time=0, text=None, target=None):
    return Query(0, np.array(history, dtype=np.int64), time, text=text, target=target)


@pytest.fixture
def events():
    #                 items 0+1 together twice, 2+3 once, 4 alone and often but long ago
    users = [0, 0, 1, 1, 2, 2, 3, 4, 5]
    items = [0, 1, 0, 1, 2, 3, 4, 4, 4]
    times = [100, 101, 102, 103, 104, 105, 1, 2, 3]
    return Events(users, items, np.array(times) * DAY, 6)


def test_popularity(events):
    scores = Popularity().fit(events).scores([query([]), query([1])])
    assert scores.dtype == np.float32
    assert scores.tolist() == [[2, 2, 1, 1, 3, 0]] * 2


def test_recent_popularity_forgets_and_breaks_ties_by_the_past(events):
    model = RecentPopularity(days=4).fit(events)
    scores = model.scores([query([], 104 * DAY), query([], 4 * DAY), query([], 200 * DAY)])
    assert scores.shape == (3, 6)
    assert set(top_k(scores[:1], 2)[0]) == {0, 1} and scores[0, 4] < 1
    assert scores[1].argmax() == 4 and scores[1, 4] >= 3
    assert scores[2].argmax() == 4 and scores[2].max() < 1  # an empty window leaves the past
    assert scores[0, 2] < scores[0, 4]  # item 2 sold on the query's own day only: not known yet


def test_item_knn_ranks_neighbours_first_and_the_rest_by_popularity(events):
    scores = ItemKNN().fit(events).scores([query([2]), query([5]), query([])])
    order = np.argsort(-scores, axis=1, kind="stable")
    assert order[0, :2].tolist() == [3, 4]
    assert order[1:, 0].tolist() == [4, 4]
    assert scores[1].tolist() == scores[2].tolist() and scores[0, 5] == scores[0].min()


def test_item_knn_decay_counts_the_newest(events):
    scores = ItemKNN(decay=0.5).fit(events).scores([query([0, 2])])[0]
    assert scores[3] > scores[1] > 0
    assert scores[3] == pytest.approx(2 * scores[1])  # both cosines are 1


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_frozen_title(events, kind):
    titles = np.array([[2, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 3, 0.1], [0, 0, 1], [0, 0, 0]], np.float32)
    model = FrozenTitle(kind(titles), lambda texts: np.array([[0, 0, len(t)] for t in texts])).fit(events)
    model.query_weight = 0.5
    asked = [query([0]), query([2], text="bag"), query([]), query([], text="bag"), query([2, 0])]
    scores = model.scores(asked)
    assert scores[0] == pytest.approx([1, 1 / 1.01**0.5, 0, 0, 0, 0], abs=1e-6)
    assert scores[1, 2] == pytest.approx(1) and scores[1, 4] == pytest.approx(0.5)
    assert scores[2].tolist() == [2, 2, 1, 1, 3, 0]
    assert scores[3].argmax() == 4
    assert scores[4, 0] == pytest.approx(1 / 1.49**0.5) and scores[4, 2] == pytest.approx(0.7 / 1.49**0.5)


def test_frozen_title_without_an_encoder_tunes_the_history_alone(events):
    model = FrozenTitle(np.eye(6)).fit(events)
    assert len(tune(model, [query([0], target=1), query([2], target=3)])) == 3
    with pytest.raises(ValueError, match="one row for each item"):
        FrozenTitle(np.eye(5)).fit(events)


def test_tune_finds_the_window_and_records_the_search():
    # Item 0 sells on days 1-20, item 1 three times on day 28: short windows see 1, long ones 0.
    items = [0] * 20 + [1] * 3
    times = np.array([*range(1, 21), 28, 28, 28]) * DAY
    model = RecentPopularity(days=99).fit(Events(np.arange(23), items, times, 2))
    search = tune(model, [query([], 30 * DAY, target=1)] * 3)
    assert model.days == 7
    assert [row["days"] for row in search] == [7, 14, 30, 60, 90, 180, 365]
    assert [row["ndcg@10"] == 1 for row in search] == [True, False, False, False, False, False, False]
    assert rank_queries(model.scores, [query([], 30 * DAY, target=1)]).tolist() == [0]


def test_options_survive_a_new_fit(events):
    model = ItemKNN().fit(events)
    tune(model, [query([0, 2], target=3)], {"decay": (1.0, 0.5)})
    chosen = model.decay
    assert model.fit(events).decay == chosen


def test_events_name_what_is_wrong():
    with pytest.raises(ValueError, match="event 1: catalogue row 7"):
        Events([0, 0], [1, 7], [0, 0], 7)
    with pytest.raises(ValueError, match="equal length"):
        Events([0], [1, 2], [0, 0], 7)
