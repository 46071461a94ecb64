"""The embedding window: the embeddings of the last hours, searched for similar articles.

The search is exact. An embedding holds whole numbers of at most 127, so an inner product
is below 2^24, and float32 holds it exactly in any order of addition. One pass over all
vectors gives the true neighbours, and anyone can check them against the log. A graph index
(HNSW) is faster beyond some ten thousand articles, but it misses neighbours, takes long to
build and is bad at removal; the passes cost less than the model
(docs/explanation/performance.md).

The window can be thrown away: all of its content is on the log, in SignalsMeasured.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.limits import EMBEDDING_DIMENSIONS, MAX_NEIGHBOURS, MAX_WINDOW_ARTICLES
from schemas.observations import Neighbour
from streams.ingest.limits import (
    MAX_NEIGHBOURS_PER_SOURCE,
    NEIGHBOUR_FLOOR_BP,
)
from streams.ingest.measuring import vectors
from streams.ingest.measuring.contraries import Wordings
from streams.ingest.measuring.vectors import Vector

_FIRST_ROWS: Final = 1_024


class EmbeddingWindow:
    """The articles observed within `span_ns` of the newest, at most `most` of them."""

    def __init__(self, span_ns: int, most: int = MAX_WINDOW_ARTICLES) -> None:
        self.span_ns = span_ns
        self.wordings = Wordings()
        """What articles of the window report; what is forgotten is judged by likeness alone."""
        self._most = most
        self._known: set[int] = set()
        self._numbers: dict[str, int] = {}
        """A number for each source. It is never removed: sources are few."""
        self._first = 0
        self._end = 0
        self._newest_ns = 0
        self._vectors = np.zeros((_FIRST_ROWS, EMBEDDING_DIMENSIONS), np.float32)
        self._squares = np.zeros(_FIRST_ROWS, np.float64)
        self._articles = np.zeros(_FIRST_ROWS, np.int64)
        self._sources = np.zeros(_FIRST_ROWS, np.int64)
        self._observed = np.zeros(_FIRST_ROWS, np.int64)

    def __len__(self) -> int:
        return self._end - self._first

    def __contains__(self, article: int) -> bool:
        return article in self._known

    def add(self, article: int, source: str, observed_ns: int, vector: Vector) -> None:
        """Add an article. One that is in the window already stays as it is."""
        if article in self._known:
            return
        if self._end == len(self._articles):
            self._move(max(_FIRST_ROWS, 2 * len(self)))
        row, self._end = self._end, self._end + 1
        self._vectors[row] = vector
        self._squares[row] = vectors.squares(vector)
        self._articles[row] = article
        self._sources[row] = self._numbers.setdefault(source, len(self._numbers))
        self._observed[row] = observed_ns
        self._known.add(article)
        self._newest_ns = max(self._newest_ns, observed_ns)
        self._evict()

    def neighbours(self, article: int, observed_ns: int, vector: Vector) -> list[Neighbour]:
        """Return the most similar articles among those before `article` within the span.

        The most similar comes first, and of equals the earliest. None is below
        NEIGHBOUR_FLOOR_BP, and no source has more than MAX_NEIGHBOURS_PER_SOURCE.
        """
        held = slice(self._first, self._end)
        products = (self._vectors[held] @ vector.astype(np.float32)).astype(np.float64)
        similar = vectors.similarity_bp(products, self._squares[held] * vectors.squares(vector))
        earlier = (self._articles[held] < article) & (
            self._observed[held] >= observed_ns - self.span_ns
        )
        (rows,) = np.nonzero((similar >= NEIGHBOUR_FLOOR_BP) & earlier)
        articles, similar = self._articles[held][rows], similar[rows]
        sources = self._sources[held][rows]
        found: list[Neighbour] = []
        counts: dict[int, int] = {}
        for row in np.lexsort((articles, -similar)):
            source = int(sources[row])
            counts[source] = counts.get(source, 0) + 1
            if counts[source] <= MAX_NEIGHBOURS_PER_SOURCE:
                found.append(Neighbour(int(articles[row]), int(similar[row])))
            if len(found) == MAX_NEIGHBOURS:
                break
        return found

    def _evict(self) -> None:
        """Remove the oldest from the front. One out of order waits for those before it."""
        oldest_ns = self._newest_ns - self.span_ns
        while len(self) > self._most or (
            self._first < self._end and self._observed[self._first] < oldest_ns
        ):
            self._known.discard(int(self._articles[self._first]))
            self._first += 1

    def _move(self, rows: int) -> None:
        """Copy the articles into new arrays of `rows` rows."""
        held, count = slice(self._first, self._end), len(self)

        def moved(old: npt.NDArray[Any]) -> npt.NDArray[Any]:
            new = np.zeros((rows, *old.shape[1:]), old.dtype)
            new[:count] = old[held]
            return new

        self._vectors, self._squares = moved(self._vectors), moved(self._squares)
        self._articles, self._observed = moved(self._articles), moved(self._observed)
        self._sources = moved(self._sources)
        self._first, self._end = 0, count
