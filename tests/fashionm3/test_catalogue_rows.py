"""Masks of limits, asked for by many talks at once."""

import sys
import threading

import pytest

from fashionm3.catalogue_rows import CatalogueRows
from fashionm3.limits import Limits


@pytest.fixture(scope="module")
def recommender(trained):
    from seqllm import Recommender

    return Recommender.from_pretrained(trained.seqllm)


@pytest.fixture
def impatient():
    """Threads that change places as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_many_talks_at_once_get_their_own_rows(recommender, impatient, monkeypatch):
    monkeypatch.setattr("fashionm3.catalogue_rows.KEPT", 4)
    rows, faults = CatalogueRows(recommender), []
    expected = {price: sum(item.price < price and item.in_stock for item in map(recommender.catalog.get,
                recommender.catalog.ids.to_pylist())) for price in range(40, 72)}  # fmt: skip

    def ask(start: int) -> None:
        try:
            for step in range(100):
                price = 40 + (start + 7 * step) % 32
                assert rows.kept(Limits(under_price=price)).sum() == expected[price]
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=ask, args=(5 * k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
