"""The window against one that knows no better than to compare everything."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import EMBEDDING_DIMENSIONS, MAX_NEIGHBOURS
from schemas.observations import Neighbour
from streams.ingest.limits import (
    MAX_NEIGHBOURS_PER_SOURCE,
    NEIGHBOUR_FLOOR_BP,
)
from streams.ingest.measuring.vectors import (
    Vector,
    from_text,
    quantise,
    similarity_bp,
    squares,
    to_text,
)
from streams.ingest.measuring.window import EmbeddingWindow

SPAN_NS = 100


def vector(seed: int, around: int | None = None, spread: float = 0.7) -> Vector:
    """Return a random embedding, near that of `around` if given."""
    numbers = np.random.default_rng(seed).normal(size=EMBEDDING_DIMENSIONS)
    if around is not None:
        centre = np.random.default_rng(10_000 + around).normal(size=EMBEDDING_DIMENSIONS)
        numbers = centre + spread * numbers
    return quantise((numbers / np.linalg.norm(numbers)).astype(np.float32))


def source(article: int) -> str:
    """Return a source that every seventh article shares."""
    return f"source-{article % 7}"


def alike(one: Vector, other: Vector) -> int:
    first, second = [int(x) for x in one], [int(x) for x in other]
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sum(a * a for a in first) * sum(b * b for b in second)
    return int(product * 10_000 / math.sqrt(max(lengths, 1)))


def naive(
    held: list[tuple[int, int, Vector]], article: int, observed_ns: int, sought: Vector
) -> list[Neighbour]:
    found = [
        Neighbour(other, alike(sought, its))
        for other, its_ns, its in held
        if other < article and its_ns >= observed_ns - SPAN_NS
    ]
    good = [one for one in found if one.similarity_bp >= NEIGHBOUR_FLOOR_BP]
    told: Counter[str] = Counter()
    kept = []
    for one in sorted(good, key=lambda one: (-one.similarity_bp, one.article)):
        told[source(one.article)] += 1
        if told[source(one.article)] <= MAX_NEIGHBOURS_PER_SOURCE:
            kept.append(one)
    return kept[:MAX_NEIGHBOURS]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-30, 40)), max_size=60),
    st.booleans(),
)
def test_neighbours_are_the_true_ones(steps: list[tuple[int, int]], twins: bool) -> None:
    window = EmbeddingWindow(SPAN_NS)
    held: list[tuple[int, int, Vector]] = []
    newest_ns = 1_000
    for article, (story, later_ns) in enumerate(steps, start=1):
        observed_ns = newest_ns + later_ns
        newest_ns = max(newest_ns, observed_ns)
        new = vector(story if twins else article, around=story)
        if observed_ns == newest_ns:
            assert window.neighbours(article, observed_ns, new) == naive(
                held, article, observed_ns, new
            )
        window.add(article, source(article), observed_ns, new)
        held.append((article, observed_ns, new))


def test_no_neighbour_is_later_older_than_the_window_or_itself() -> None:
    window, same = EmbeddingWindow(SPAN_NS), vector(1)
    for article, observed_ns in ((3, 50), (5, 100), (7, 110), (9, 120)):
        window.add(article, source(article), observed_ns, same)
    assert window.neighbours(7, 151, same) == [Neighbour(5, 10_000)]


def test_one_source_cannot_keep_the_others_out_of_sight() -> None:
    window, same = EmbeddingWindow(SPAN_NS), vector(1)
    window.add(1, "honest", 0, vector(1, around=1))
    for article in range(2, 60):
        window.add(article, "flood", 0, same)
    found = [one.article for one in window.neighbours(99, 0, vector(2, around=1))]
    assert 1 in found
    assert len(found) <= 1 + MAX_NEIGHBOURS_PER_SOURCE


def test_of_equals_the_earliest_come_first() -> None:
    window, same = EmbeddingWindow(SPAN_NS), vector(1)
    for article in range(30, 0, -1):
        window.add(article, source(article), 0, same)
    found = [one.article for one in window.neighbours(99, 0, same)]
    assert found == list(range(1, MAX_NEIGHBOURS + 1))


def test_what_is_too_old_goes() -> None:
    window = EmbeddingWindow(SPAN_NS)
    for article in range(1, 5_001):
        window.add(article, source(article), article, vector(article % 7))
    assert len(window) == SPAN_NS + 1
    assert 4_899 not in window
    assert 4_900 in window
    assert len(window._articles) < 5_000


def test_the_oldest_goes_when_there_are_too_many() -> None:
    window = EmbeddingWindow(SPAN_NS, most=10)
    for article in range(1, 26):
        window.add(article, source(article), 0, vector(article))
    assert [article in window for article in (15, 16, 25)] == [False, True, True]
    assert len(window) == 10


def test_an_article_is_held_once() -> None:
    window = EmbeddingWindow(SPAN_NS)
    window.add(1, source(1), 10, vector(1))
    window.add(1, source(1), 99, vector(2))
    assert len(window) == 1
    assert window.neighbours(2, 10, vector(1)) == [Neighbour(1, 10_000)]


def test_the_order_of_arrival_does_not_matter() -> None:
    given = [(article, vector(article, around=article % 3)) for article in range(1, 40)]
    one, other = EmbeddingWindow(SPAN_NS), EmbeddingWindow(SPAN_NS)
    for article, its in given:
        one.add(article, source(article), 5, its)
    for article, its in reversed(given):
        other.add(article, source(article), 5, its)
    sought = vector(99, around=1)
    assert one.neighbours(100, 5, sought) == other.neighbours(100, 5, sought) != []


@given(st.binary(min_size=EMBEDDING_DIMENSIONS, max_size=EMBEDDING_DIMENSIONS))
def test_text_keeps_every_byte(data: bytes) -> None:
    assert from_text(to_text(np.frombuffer(data, np.int8))).tobytes() == data


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 512, "A" * 511 + "é"])
def test_text_that_holds_no_embedding_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_text(text)


def test_the_most_that_an_inner_product_can_be_is_exact_in_float32() -> None:
    # beyond 2^24 float32 skips whole numbers, and neighbours would depend on the order of sums
    assert EMBEDDING_DIMENSIONS * 127 * 127 < 2**24


@given(st.integers(0, 50), st.integers(0, 50))
def test_similarity_is_symmetric_and_bounded(one: int, other: int) -> None:
    first, second = vector(one), vector(other)
    product = float(first.astype(int) @ second.astype(int))
    lengths = squares(first) * squares(second)
    (found,) = similarity_bp(np.array([product]), np.array([float(lengths)]))
    assert found == alike(first, second) == alike(second, first)
    assert -10_000 <= found <= 10_000
    assert (found == 10_000) == (one == other)


def test_a_zero_vector_is_like_nothing() -> None:
    window = EmbeddingWindow(SPAN_NS)
    zero = np.zeros(EMBEDDING_DIMENSIONS, np.int8)
    window.add(1, source(1), 0, zero)
    assert window.neighbours(2, 0, vector(1)) == window.neighbours(2, 0, zero) == []
