"""The index against one that knows no better than to compare everything; saved and loaded."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.search import index as module
from projections.search.files import IndexRefused, SavedIndex, load, save
from projections.search.index import Measured, SearchIndex
from projections.search.vectors import similarities_bp, vector_of
from schemas.asks import KINDS, SimilarThing
from streams.ingest.measuring.vectors import similarity_bp, squares
from tests.fuzz.budget import examples
from tests.projections.search.measured import MODEL, thing, vector

ORIGIN = SavedIndex("main", MODEL, 40, "hash")
NAMES = ("a", "b", "c", "d", "e", "f")
DRAWN = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES), st.integers(0, 30)), max_size=40
)


def built(some: Sequence[Measured], chunk: int = 7) -> SearchIndex:
    index = SearchIndex()
    for start in range(0, len(some), chunk):
        index.add(some[start : start + chunk])
    return index


def naive(some: Sequence[Measured], wanted: int, most: int, at: int | None) -> list[SimilarThing]:
    """Return what is alike, by comparing the newest version of everything."""
    newest: dict[tuple[str, str], Measured] = {}
    for one in some:
        if at is not None and one.sequence > at:
            continue
        before = newest.get(one[:2])
        if before is None or (
            one.kind != "article" and before.vector.tobytes() != one.vector.tobytes()
        ):
            newest[one[:2]] = one
    found = [
        SimilarThing(one.kind, one.id, one.sequence, bp_of(one, wanted)) for one in newest.values()
    ]
    found.sort(key=lambda one: (-one.similarity_bp, one.sequence))
    return found[:most]


def bp_of(one: Measured, wanted: int) -> int:
    return int(similarities_bp(one.vector[None, :], vector(wanted))[0])


@examples(60)
@given(DRAWN, st.integers(0, 30), st.integers(1, 10), st.none() | st.integers(0, 41))
@pytest.mark.parametrize("exact_rows", [3, 4_096])
def test_it_finds_what_comparing_everything_finds(
    exact_rows: int, drawn: list[tuple[str, str, int]], wanted: int, most: int, at: int | None
) -> None:
    some = [thing(kind, name, 1 + n, seed) for n, (kind, name, seed) in enumerate(drawn)]  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEARCH_EXACT_ROWS", exact_rows)
        index = built(some)
        again = built([*some, *some[-3:]], chunk=3) if at is None else index
    expected = naive(some, wanted, most, at)
    assert index.similar(vector(wanted), KINDS, most, at) == expected
    if at is None and some:
        assert len(again) >= len(index)
    if at is not None:
        before = built([one for one in some if one.sequence <= at])
        assert before.similar(vector(wanted), KINDS, most, None) == expected


def test_the_same_again_changes_nothing() -> None:
    some = [thing("article", "1", 1, 1), thing("market", "A", 2, 2)]
    index = built([*some, *(one._replace(sequence=9) for one in some)])
    assert len(index) == 2
    assert [one.sequence for one in index.similar(vector(1), KINDS, 9, None)] == [1, 2]


def test_similarities_are_those_of_the_measurer() -> None:
    one, other = vector(1), vector(2)
    product = (one.astype(float) @ other.astype(float)).reshape(1)
    expected = similarity_bp(product, (squares(one) * squares(other)) * product**0)
    assert similarities_bp(one[None, :], other).tolist() == expected.tolist()
    assert vector_of("%%%") is None
    assert vector_of("AAAA") is None


def grown(rows: int) -> SearchIndex:
    things = [thing("article", str(n), n + 1, n) for n in range(rows)]
    return built([*things, thing("market", "A", rows + 1, 3), thing("market", "A", rows + 2, 4)])


@pytest.mark.parametrize("exact_rows", [10, 4_096])
def test_saved_and_loaded_it_is_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact_rows: int
) -> None:
    monkeypatch.setattr(module, "SEARCH_EXACT_ROWS", exact_rows)
    folder = tmp_path / "main"
    for _ in range(2):
        index = grown(200)
        save(index, folder, ORIGIN)
    loaded, origin = load(folder, "main", MODEL)
    assert origin == ORIGIN
    assert loaded.sequence == 40
    for table in (index, loaded):
        table.add([thing("article", "late", 300, 300), thing("market", "A", 301, 5)])
    for wanted in range(0, 40, 3):
        for at in (None, 100, 202, 300):
            assert loaded.similar(vector(wanted), KINDS, 10, at) == index.similar(
                vector(wanted), KINDS, 10, at
            )
    assert [path.name for path in tmp_path.iterdir()] == ["main"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"shard": "other"}, "shard"),
        ({"model": "other"}, "model"),
        ({"format": 99}, "format"),
    ],
)
def test_a_foreign_index_is_refused(tmp_path: Path, changes: dict[str, str], why: str) -> None:
    save(grown(3), tmp_path / "x", msgspec.structs.replace(ORIGIN, **changes))
    with pytest.raises(IndexRefused, match=why):
        load(tmp_path / "x", "main", MODEL)


def test_a_torn_or_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEARCH_EXACT_ROWS", 2)
    folder = tmp_path / "x"
    with pytest.raises(IndexRefused, match="none"):
        load(folder, "main", MODEL)
    save(grown(20), folder, ORIGIN)
    names = sorted(path.name for path in folder.iterdir())
    assert "article.graph" in names
    for name in names:
        save(grown(20), folder, ORIGIN)
        path = folder / name
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(IndexRefused):
            load(folder, "main", MODEL)
        path.unlink()
        with pytest.raises(IndexRefused):
            load(folder, "main", MODEL)
