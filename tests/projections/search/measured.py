"""Things that were measured, for a throwaway log: articles and texts."""

from typing import Any

import numpy as np

from projections.search.index import Measured
from schemas.asks import Kind
from schemas.codec import encode
from schemas.limits import EMBEDDING_DIMENSIONS
from schemas.observations import Models, SignalsMeasured, TextMeasured
from schemas.subjects import DEFAULT_SHARD, signals
from streams.ingest.measuring.vectors import Vector, quantise, to_text

MODEL = "words"


def vector(seed: int) -> Vector:
    """Return an embedding of one of few directions, a little apart from the others of it."""
    numbers = np.random.default_rng(seed).normal(size=EMBEDDING_DIMENSIONS)
    numbers += 2 * np.random.default_rng(1_000_000 + seed % 7).normal(size=EMBEDDING_DIMENSIONS)
    return quantise((numbers / np.linalg.norm(numbers)).astype(np.float32))


def thing(kind: Kind, name: str, sequence: int, seed: int) -> Measured:
    return Measured(kind, name, sequence, vector(seed))


def article_signals(article: int, seed: int, **fields: Any) -> tuple[str, bytes]:
    """Return the signals of an article, to be appended."""
    given: dict[str, Any] = {
        "article": article,
        "source": "daily",
        "snapshot_id": "0" * 64,
        "published_ns": None,
        "observed_ns": 1,
        "unfit": "",
        "detail": "",
        "language": "en",
        "language_bp": 10_000,
        "sentiment_bp": 0,
        "keywords_bp": 0,
        "keywords": [],
        "entities": [],
        "mentions": [],
        "neighbours": [],
        "embedding": to_text(vector(seed)),
        "models": Models(embedding=MODEL, sentiment="", keywords="", entities="", language=""),
        "names_as_of": 1,
        "measured_ns": 1,
    }
    return signals(DEFAULT_SHARD), encode(SignalsMeasured(**{**given, **fields}))


def text(kind: Any, name: str, seed: int, model: str = MODEL) -> tuple[str, bytes]:
    """Return a measured text, to be appended."""
    said = TextMeasured(
        kind=kind,
        id=name,
        of=1,
        text_hash="",
        embedding=to_text(vector(seed)),
        model=model,
        signals=0,
        measured_ns=1,
    )
    return signals(DEFAULT_SHARD), encode(said)
