"""The index: what was measured of articles, events and markets, and what is like a vector.

A thing has versions, each with the sequence at which it was measured. The newest ones are in
a graph (Malkov & Yashunin, HNSW) once they are many; all are in a plain table, in which the
past is searched one by one. The graph may miss a thing; similarities are always exact.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import hnswlib
import numpy as np
import numpy.typing as npt

from projections.limits import (
    SEARCH_EXACT_ROWS,
    SEARCH_GRAPH_BUILD,
    SEARCH_GRAPH_LINKS,
    SEARCH_GRAPH_LOOK,
)
from projections.search.vectors import Vectors, similarities_bp
from schemas.asks import KINDS, Kind, SimilarThing
from schemas.limits import EMBEDDING_DIMENSIONS

NEVER: Final = 2**63 - 1
"""The sequence from which a newest version is superseded."""
_FIRST_ROWS: Final = 1_024
_SEED: Final = 1


class Measured(NamedTuple):
    """A version of a thing: its embedding, measured at `sequence`."""

    kind: Kind
    id: str
    sequence: int
    vector: Vectors


class KindOfThings:
    """All versions of the things of one kind, in the order in which they were measured."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.ids: list[str] = []
        self.graph: Any = None
        self._newest: dict[str, int] = {}
        self._vectors = np.zeros((_FIRST_ROWS, EMBEDDING_DIMENSIONS), np.int8)
        self._sequences = np.zeros(_FIRST_ROWS, np.int64)
        self._superseded = np.full(_FIRST_ROWS, NEVER, np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The columns of the table, as they are saved."""
        count = len(self)
        return {
            "vectors": self._vectors[:count],
            "sequences": self._sequences[:count],
            "superseded": self._superseded[:count],
        }

    def fill(self, ids: list[str], arrays: dict[str, npt.NDArray[Any]], graph: Any) -> None:
        """Take over what was saved."""
        self.ids, self.graph = ids, graph
        self._vectors, self._sequences = arrays["vectors"], arrays["sequences"]
        self._superseded = arrays["superseded"]
        self._newest = {name: row for row, name in enumerate(ids) if self._superseded[row] == NEVER}

    def add(self, some: Sequence[Measured]) -> None:
        """Add versions in the order of the log. The same embedding again changes nothing."""
        rows: list[int] = []
        for one in some:
            before = self._newest.get(one.id)
            if before is not None:
                if self.kind == "article" or np.array_equal(self._vectors[before], one.vector):
                    continue
                self._superseded[before] = one.sequence
                if before in rows:
                    rows.remove(before)
                elif self.graph is not None:
                    self.graph.mark_deleted(before)
            rows.append(self._append(one))
        if self.graph is not None:
            self._link(rows)
        elif len(self._newest) > SEARCH_EXACT_ROWS:
            self.graph = hnswlib.Index(space="cosine", dim=EMBEDDING_DIMENSIONS)
            self.graph.init_index(
                max_elements=2 * len(self),
                M=SEARCH_GRAPH_LINKS,
                ef_construction=SEARCH_GRAPH_BUILD,
                random_seed=_SEED,
            )
            self.graph.set_ef(SEARCH_GRAPH_LOOK)
            self._link(sorted(self._newest.values()))

    def vector(self, name: str, at: int | None) -> Vectors | None:
        """Return the embedding of a thing as of `at`, None if there was none."""
        row = self._newest.get(name)
        if row is None:
            return None
        if at is not None and self._sequences[row] > at:
            rows = np.flatnonzero(self._held(at))
            row = next((int(one) for one in rows if self.ids[one] == name), None)
        return None if row is None else self._vectors[row]

    def similar(
        self, vector: Vectors, most: int, at: int | None, *, exact: bool = False
    ) -> list[SimilarThing]:
        """Return the things that are most like `vector` as of `at`, most similar first."""
        count = len(self)
        if count == 0:
            return []
        rows = None
        if not exact and (at is None or self._sequences[count - 1] <= at):
            rows = self._near(vector, min(most, len(self._newest)))
        if rows is None:
            rows = np.flatnonzero(self._held(NEVER - 1 if at is None else at))
        similar = similarities_bp(self._vectors[rows], vector)
        best = np.lexsort((rows, -similar))[:most]
        return [
            SimilarThing(
                self.kind, self.ids[rows[one]], int(self._sequences[rows[one]]), int(similar[one])
            )
            for one in best
        ]

    def _near(self, vector: Vectors, most: int) -> npt.NDArray[Any] | None:
        """Return the rows that the graph finds, None if it has not `most`."""
        if self.graph is None:
            return None
        try:
            labels, _ = self.graph.knn_query(vector.astype(np.float32), k=most, num_threads=1)
        except RuntimeError:
            return None
        return np.sort(labels[0].astype(np.int64))

    def _held(self, at: int) -> npt.NDArray[np.bool_]:
        """Return which versions are the newest as of `at`."""
        count = len(self)
        held: npt.NDArray[np.bool_] = (self._sequences[:count] <= at) & (
            self._superseded[:count] > at
        )
        return held

    def _append(self, one: Measured) -> int:
        row = len(self.ids)
        if row == len(self._sequences):
            grown = max(_FIRST_ROWS, row + row // 2)
            self._vectors = _grown(self._vectors, grown, 0)
            self._sequences = _grown(self._sequences, grown, 0)
            self._superseded = _grown(self._superseded, grown, NEVER)
        self.ids.append(one.id)
        self._vectors[row] = one.vector
        self._sequences[row] = one.sequence
        self._newest[one.id] = row
        return row

    def _link(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        needed = len(self)
        if needed > self.graph.get_max_elements():
            self.graph.resize_index(needed + needed // 4)
        vectors = self._vectors[np.asarray(rows)].astype(np.float32)
        self.graph.add_items(vectors, np.asarray(rows), num_threads=1)


def _grown(old: npt.NDArray[Any], rows: int, value: int) -> npt.NDArray[Any]:
    new = np.full((rows, *old.shape[1:]), value, old.dtype)
    new[: len(old)] = old
    return new


class SearchIndex:
    """A table for each kind. `sequence` is that of the last message that was folded."""

    def __init__(self) -> None:
        self.tables = {kind: KindOfThings(kind) for kind in KINDS}
        self.sequence = 0

    def __len__(self) -> int:
        return sum(len(table) for table in self.tables.values())

    def add(self, some: Sequence[Measured]) -> None:
        """Add what was measured, in the order of the log."""
        for kind, table in self.tables.items():
            table.add([one for one in some if one.kind == kind])

    def vector(self, kind: Kind, name: str, at: int | None) -> Vectors | None:
        """Return the embedding of a thing as of `at`, None if there was none."""
        return self.tables[kind].vector(name, at)

    def similar(
        self, vector: Vectors, kinds: Sequence[Kind], most: int, at: int | None
    ) -> list[SimilarThing]:
        """Return `most` things of `kinds` at most that are like `vector`, most similar first."""
        found = [one for kind in kinds for one in self.tables[kind].similar(vector, most, at)]
        found.sort(key=lambda one: (-one.similarity_bp, one.sequence))
        return found[:most]
