import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fcn.outfit_encoder import OutfitEncoder, canonical_order


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return OutfitEncoder(6, hidden=8, filters=5).eval()


def batch(lengths, size, seed=0):
    torch.manual_seed(seed)
    mask = torch.arange(size)[None] < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), size, 6) * mask.unsqueeze(-1), mask


def test_shape_and_equation(encoder):
    features, mask = batch([4], 4)
    items = encoder.project(features).transpose(1, 2)
    expected = torch.cat([F.relu(c(items)).amax(-1) for c in encoder.convolutions], 1)
    assert encoder(features, mask).shape == (1, 20)
    torch.testing.assert_close(encoder(features, mask), expected)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_padding_does_not_matter(encoder, length):
    features, mask = batch([length], length)
    wide = torch.full((1, 9, 6), 7.0)  # what stands in the padding must not matter either
    wide[:, :length] = features
    torch.testing.assert_close(encoder(wide, torch.arange(9)[None] < length), encoder(features, mask))


def test_batch_equals_one_by_one(encoder):
    lengths = [1, 3, 5, 2]
    features, mask = batch(lengths, 5)
    together = encoder(features, mask)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(encoder(features[i : i + 1, :length], mask[i : i + 1, :length])[0], together[i])


def test_wide_windows_see_the_order_and_width_one_does_not(encoder):
    features, mask = batch([4], 4)
    turned = encoder(features.flip(1), mask)
    straight = encoder(features, mask)
    torch.testing.assert_close(turned[:, :5], straight[:, :5])
    assert not torch.allclose(turned[:, 5:], straight[:, 5:])


def test_outfit_without_items_is_zero_and_has_finite_gradients(encoder):
    features, mask = batch([0, 2], 3)
    result = encoder(features, mask)
    assert (result[0] == 0).all()
    result.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


@given(st.permutations(range(6)))
@settings(max_examples=30, deadline=None)
def test_canonical_order_undoes_every_permutation(order):
    slots, keys = [6, 1, 6, 3, 4, 6], ["c", "z", "a", "q", "b", "b"]
    shuffled = [(slots[i], keys[i]) for i in order]
    back = canonical_order([s for s, _ in shuffled], [k for _, k in shuffled])
    assert [shuffled[i] for i in back] == [(1, "z"), (3, "q"), (4, "b"), (6, "a"), (6, "b"), (6, "c")]


def test_widths_are_checked():
    with pytest.raises(ValueError, match="widths"):
        OutfitEncoder(4, widths=(0, 1))
