import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from fcn.logistic import lasso_path, ridge_path


def made(n=600, width=40):
    """Labels that hang on columns 0 and 1 only, 0.3 of them 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, width, generator=generator)
    x = torch.cat([x, -x.sum(1, keepdim=True)], 1)  # linearly dependent, as the values of one field are
    chance = torch.sigmoid(torch.stack([2 * x[:, 0] - 1, -2 * x[:, 1] - 1], 1))
    return x, (torch.rand(n, 2, generator=generator) < chance).float()


def test_agrees_with_sklearn():
    x, y = made()
    weight, bias = lasso_path(x, y, lambda w, b: 0.0, penalties=[20.0], steps=2000)
    for label in range(2):
        model = LogisticRegression(C=1 / 20, l1_ratio=1.0, solver="saga", max_iter=5000, tol=1e-6)
        model.fit(x.numpy(), y[:, label].numpy())
        np.testing.assert_allclose(weight[:, label], model.coef_[0], atol=0.01)
        assert bias[label] == pytest.approx(model.intercept_[0], abs=0.01)


def test_finds_what_matters_and_leaves_the_rest_at_zero():
    x, y = made()
    weight, _ = lasso_path(x, y, lambda w, b: 0.0, penalties=[30.0])
    assert weight[0, 0] > 0.5 and weight[1, 1] < -0.5
    assert (weight == 0).float().mean() > 0.8


@pytest.mark.parametrize("path", [lasso_path, ridge_path])
def test_the_best_score_wins(path):
    x, y = made()
    penalties = (1000.0, 30.0, 1.0)
    for wanted in penalties:
        tried = []

        def score(weight, bias, tried=tried, wanted=wanted):
            tried.append(weight)
            return float(penalties[len(tried) - 1] == wanted)

        best = path(x, y, score, penalties=penalties)[0]
        assert torch.equal(best, tried[penalties.index(wanted)])
    assert (lasso_path(x, y, lambda w, b: 0.0, penalties=[1e6])[0] == 0).all()


def test_squares_agree_with_sklearn():
    x, y = made()
    weight, bias = ridge_path(x, y, lambda w, b: 0.0, penalties=[20.0], steps=200)
    for label in range(2):
        model = LogisticRegression(C=1 / 40, tol=1e-8, max_iter=1000)  # of half the squares
        model.fit(x.numpy(), y[:, label].numpy())
        np.testing.assert_allclose(weight[:, label], model.coef_[0], atol=0.001)
        assert bias[label] == pytest.approx(model.intercept_[0], abs=0.001)


def test_groups_are_one_multinomial_regression():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 4, generator=generator)
    kind = (x[:, :3] + torch.randn(300, 3, generator=generator)).argmax(1)  # 0: none
    mood = (torch.rand(300, generator=generator) < torch.sigmoid(x[:, 3])).float()
    y = torch.stack([(kind == 1).float(), (kind == 2).float(), mood], 1)
    weight, bias = ridge_path(x, y, lambda w, b: 0.0, penalties=[1e-4], steps=500, groups=[(0, 2)])
    found = F.pad(x @ weight[:, :2] + bias[:2], (1, 0)).softmax(1)
    expected = LogisticRegression(C=1e4, tol=1e-8, max_iter=1000).fit(x.numpy(), kind.numpy())
    np.testing.assert_allclose(found, expected.predict_proba(x.numpy()), atol=0.005)
    alone = ridge_path(x, y[:, 2:], lambda w, b: 0.0, penalties=[1e-4], steps=500)[0]
    np.testing.assert_allclose(weight[:, 2:], alone, atol=0.005)


@pytest.mark.parametrize("path", [lasso_path, ridge_path])
def test_no_columns(path):
    weight, bias = path(torch.zeros(8, 0), torch.tensor([[1.0], [0.0]]).repeat(4, 1), lambda w, b: 0.0)
    assert weight.shape == (0, 1) and bias[0] == pytest.approx(0.0)
