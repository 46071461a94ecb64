"""Requests in other words find their market: with the real model, over made-up markets."""

import pytest

from projections.search.index import Measured, SearchIndex
from streams.ingest.measuring.embedding import Embedding
from tests.projections.search.paraphrases import MARKETS

pytestmark = pytest.mark.slow

RANK = 3
LEAST = 36


def test_paraphrased_requests_find_their_market() -> None:
    embedding = Embedding()
    index = SearchIndex()
    index.add(
        [
            Measured("market", symbol, number, embedding.of(f"{name}\n{description}"))
            for number, (symbol, name, description, _) in enumerate(MARKETS, start=1)
        ]
    )
    missed = {}
    for symbol, name, _, request in MARKETS:
        found = index.similar(embedding.of(request), ["market"], RANK, None)
        ids = [one.id for one in found]
        if symbol not in ids:
            missed[name] = (request, ids)
    assert len(MARKETS) == 40
    assert len(MARKETS) - len(missed) >= LEAST, missed
