import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn import DataError
from fcn.splits import (
    cold_people,
    cold_people_time,
    component_split,
    global_time,
    leave_one_out,
    outfit_components,
)

outfit_lists = st.lists(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=3, unique=True), max_size=14)
picture_keys = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.sampled_from([1, 2, 3, None]))
events = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), max_size=40)


def test_leave_one_out_known_answer():
    #         a     b     a     c     b     a     c     c
    users = [0, 1, 0, 2, 1, 0, 2, 2, 3]
    times = [5, 1, 5, 9, 1, 2, 7, 9, 0]
    # a: 2, 5, 5: the later 5 tests; b: a tie, file order; c: 7, 9, 9; the last has one event only
    assert leave_one_out(users, times).tolist() == [
        "val", "train", "test", "val", "test", "train", "train", "test", "train",
    ]  # fmt: skip


@given(events)
def test_leave_one_out_agrees_with_a_plain_loop(rows):
    users, times = [row[0] for row in rows], [row[1] for row in rows]
    expected = ["train"] * len(rows)
    for user in set(users):
        own = sorted((i for i in range(len(rows)) if users[i] == user), key=lambda i: times[i])
        if len(own) >= 2:
            expected[own[-1]] = "test"
        if len(own) >= 3:
            expected[own[-2]] = "val"
    assert leave_one_out(np.array(users, np.int32), np.array(times, np.int64)).tolist() == expected


@given(events, st.floats(0, 0.49), st.floats(0, 0.5))
def test_global_time_counts_and_order(rows, val_share, test_share):
    times = np.array([row[1] for row in rows], np.int64)
    split = global_time(times, val_share, test_share)
    assert (split == "test").sum() == int(len(times) * test_share + 0.5)
    assert (split == "val").sum() == int(len(times) * val_share + 0.5)
    rank = np.select([split == "train", split == "val"], [0, 1], 2)
    assert (np.diff(rank[np.argsort(times, kind="stable")]) >= 0).all()


def test_global_time_breaks_ties_by_file_order_and_reads_datetimes():
    times = np.array([3, 1, 1, 1, 1, 2, 0, 0, 0, 0])
    expected = ["test", "train", "train", "train", "train", "val", "train", "train", "train", "train"]
    assert global_time(times).tolist() == expected
    assert global_time(times.astype("datetime64[s]")).tolist() == expected
    assert global_time(np.zeros(5), 0.2, 0.2).tolist() == ["train", "train", "train", "val", "test"]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.1), (0.1, float("nan"))])
def test_global_time_refuses_impossible_shares(shares):
    with pytest.raises(DataError, match="shares"):
        global_time(np.arange(4), *shares)


def test_leave_one_out_refuses_unequal_lengths():
    with pytest.raises(DataError, match="one user and one time"):
        leave_one_out([1, 2], [1])


def firsts(rows):
    """person -> (row of her first event, its time), by a plain loop."""
    found = {}
    for row, (user, time) in enumerate(rows):
        if user not in found or time < found[user][1]:
            found[user] = row, time
    return found


@given(events, st.floats(0, 0.49), st.floats(0, 0.5), st.integers(0, 3))
def test_cold_people_are_asked_about_their_first_event_alone(rows, val_share, test_share, seed):
    users, times = np.array([row[0] for row in rows], int), np.array([row[1] for row in rows], int)
    split, first = cold_people(users, times, val_share, test_share, seed), firsts(rows)
    for user, (row, _) in first.items():
        own = split[users == user].tolist()
        assert own == ["train"] * len(own) or (split[row] in ("val", "test") and own.count("") == len(own) - 1)
    for name, share in (("val", val_share), ("test", test_share)):
        assert (split == name).sum() == int(len(first) * share + 0.5)


def test_cold_people_are_drawn_by_seed():
    users, times = np.repeat(np.arange(100), 2), np.arange(200)
    assert (cold_people(users, times) == cold_people(users, times)).all()
    assert (cold_people(users, times) != cold_people(users, times, seed=1)).any()


@given(events, st.floats(0, 0.49), st.floats(0, 0.5))
def test_cold_people_by_time_train_on_nothing_later(rows, val_share, test_share):
    users, times = np.array([row[0] for row in rows], int), np.array([row[1] for row in rows], int)
    split, first = cold_people_time(users, times, val_share, test_share), firsts(rows)
    train, val, test = (times[split == name] for name in ("train", "val", "test"))
    assert max(train, default=-9) < min([*val, *test], default=9)
    assert max([*train, *val], default=-9) < min(test, default=9)
    for user, (row, came) in first.items():
        own = split[users == user].tolist()
        if split[row] == "train":  # she trains by all she did before the first new person came
            held_out = min([*val, *test], default=9)
            assert own == ["train" if time < held_out else "" for time in times[users == user]]
        else:
            assert own.count("") == len(own) - 1 and came == times[row]
    assert len(test) >= int(len(first) * test_share + 0.5)  # more only by people who came at the same moment


def test_cold_people_by_time_known_answer():
    #         a     b     a     c     d     c     d     e
    users = [0, 1, 0, 2, 3, 2, 3, 4]
    times = [1, 2, 9, 3, 4, 5, 3, 7]
    # first events: a 1, b 2, c 3, d 3 (not 4), e 7; c and d came together and validate together
    expected = ["train", "train", "", "val", "", "", "val", "test"]
    assert cold_people_time(users, times, 0.2, 0.2).tolist() == expected


def by_hand(outfits, pictures):
    """Components by merging sets until nothing changes: a list of sets of outfit numbers."""
    named = [set(outfit) | {pictures[i] for i in outfit if pictures.get(i) is not None} for outfit in outfits]
    groups = [({row}, names) for row, names in enumerate(named)]
    for _ in outfits:
        merged = []
        for rows, names in groups:
            for other in merged:
                if other[1] & names:
                    other[0].update(rows)
                    other[1].update(names)
                    break
            else:
                merged.append((set(rows), set(names)))
        groups = merged
    return [rows for rows, _ in groups]


@given(outfit_lists, picture_keys)
def test_components_agree_with_merging_sets(outfits, pictures):
    found = outfit_components(outfits, pictures)
    groups = {frozenset(np.flatnonzero(found == one).tolist()) for one in set(found.tolist())}
    assert groups == set(map(frozenset, by_hand(outfits, pictures)))
    assert (np.diff(np.bincount(found)) <= 0).all()  # the largest is 0


@given(outfit_lists, picture_keys, st.floats(0, 0.45), st.floats(0, 0.45), st.integers(0, 3))
def test_component_split_shares_no_item_outfit_or_picture(outfits, pictures, val_share, test_share, seed):
    split = component_split(outfits, val_share, test_share, seed, pictures)
    assert split.shape == (len(outfits),) and set(split) <= {"train", "val", "test"}
    for what in (set, lambda outfit: {pictures[i] for i in outfit if pictures.get(i) is not None}):
        sides = {s: set().union(*(what(o) for o, its in zip(outfits, split, strict=True) if its == s)) for s in split}
        assert sum(map(len, sides.values())) == len(set().union(*sides.values()))


@given(outfit_lists, st.randoms(use_true_random=False), st.integers(0, 3))
def test_component_split_does_not_hang_on_the_order_of_rows_or_items(outfits, random, seed):
    first = component_split(outfits, 0.2, 0.2, seed)
    rows = list(range(len(outfits)))
    random.shuffle(rows)
    shuffled = [random.sample(outfits[row], len(outfits[row])) for row in rows]
    assert component_split(shuffled, 0.2, 0.2, seed).tolist() == first[rows].tolist()
    assert component_split(pa.array(outfits, pa.list_(pa.string())), 0.2, 0.2, seed).tolist() == first.tolist()


@given(st.lists(st.integers(1, 6), max_size=12), st.floats(0, 0.45), st.floats(0, 0.45))
def test_component_split_fills_every_split_and_misses_shares_by_less_than_a_component(sizes, val_share, test_share):
    outfits = [[f"{c}", f"{c}-{k}"] for c, size in enumerate(sizes) for k in range(size)]
    split = component_split(outfits, val_share, test_share)
    shares = {"train": 1 - val_share - test_share, "val": val_share, "test": test_share}
    asked = [name for name, share in shares.items() if share > 0]
    assert len(set(split)) == min(len(asked), len(sizes))
    if len(sizes) > len(asked):  # otherwise one each, whatever the shares
        for name in asked:
            assert (split == name).sum() - shares[name] * len(outfits) <= max(sizes)


def test_component_split_known_answer():
    """Components of 5, 2, 1, 1 and 1 outfits: the largest train, and the shares come out."""
    outfits = [["a", f"a{k}"] for k in range(5)] + [["b", "b1"], ["b1", "b2"], ["c"], ["d"], ["e"]]
    split = component_split(outfits, 0.2, 0.2)
    assert set(split[:5]) == {"train"} and len(set(split[5:7])) == 1
    assert [(split == name).sum() for name in ("train", "val", "test")] == [6, 2, 2]
    alone = [tuple(component_split(outfits, 0.2, 0.2, seed)[7:]) for seed in range(20)]
    assert len(set(alone)) == 3  # which of the three single outfits train is drawn
    joined = component_split(outfits, 0.2, 0.2, pictures={"a4": "look", "c": "look"})
    assert joined[7] == joined[4] == "train"
    pairs = {tuple(component_split([["a"], ["b"]], 0.1, 0.1, seed)) for seed in range(9)}
    assert pairs == {("train", "val"), ("val", "train")}


def test_component_split_refuses_what_has_no_items():
    with pytest.raises(DataError, match="row 1.*without items"):
        component_split([["a"], []])
    with pytest.raises(DataError, match="row 1.*without an id"):
        component_split([["a"], ["b", None], ["c"]])
    with pytest.raises(DataError, match="shares"):
        component_split([["a"]], 0.6, 0.6)
