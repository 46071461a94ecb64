"""How fast articles are measured: `python -m tests.bench.bench_measuring [articles]`.

First the measurer by itself, on a simulated log: real models, made-up articles of the
length that a feed gives and of the longest that is kept. Then the window alone, with
made-up embeddings in stories of five, against a graph index (hnswlib) over the same ones.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import hnswlib
import numpy as np
import numpy.typing as npt
import psutil
import structlog

from schemas.limits import EMBEDDING_DIMENSIONS, MAX_EXCERPT_CHARS, MAX_NEIGHBOURS
from streams.ingest.limits import MEASURE_BATCH
from streams.ingest.measuring.embedding import Embedding
from streams.ingest.measuring.measurer import Measurer, load
from streams.ingest.measuring.vectors import Vector, quantise
from streams.ingest.measuring.window import EmbeddingWindow
from streams.log.clock import SystemClock
from tests.bench.rig import machine
from tests.simulated.log import SimulatedServer
from tests.streams.ingest.measuring.world import article, delivered, listed, observed, record

ARTICLES = 320
SIZES = (10_000, 100_000)
QUERIES = 200
STORY = 5
LATENT = 64
"""Dimensions that made-up embeddings vary in: texts are not spread over all 384."""
PROSE = (
    "the of a in court market report profit fell rose said company minister plan growth deal "
    "approved rejected talks shares bank price on after new record year week state people"
)


class Timed:
    """The embedding model, with the time spent in it."""

    name = Embedding.name

    def __init__(self, model: Any) -> None:
        self._model = model
        self.seconds = 0.0

    def of(self, text: str) -> Vector:
        began = time.perf_counter()
        vector: Vector = self._model.of(text)
        self.seconds += time.perf_counter() - began
        return vector


def prose(rng: random.Random, chars: int) -> str:
    """Return sentences of made-up news."""
    words, text = PROSE.split(), ""
    while len(text) < chars:
        text += " ".join(rng.choices(words, k=12)).capitalize() + ". "
    return text[:chars].strip()


async def measuring(count: int, excerpt_chars: int) -> tuple[float, float]:
    """Return articles per second, and the share of the time that the model took."""
    rng = random.Random(1)
    tools = load()
    timed = Timed(tools.embedding)
    server = SimulatedServer()
    server.store([record(listed())])
    measurer = Measurer(server.connect(), SystemClock(), tools._replace(embedding=timed))
    await measurer.open()
    news = (f"Acme: {prose(rng, 60)}" for _ in range(count))
    server.store(observed(*(article(title, prose(rng, excerpt_chars)) for title in news)))
    waiting = [delivered(server.get(number)) for number in range(2, count + 2)]
    began = time.perf_counter()
    for start in range(0, count, MEASURE_BATCH):
        await measurer.handle(waiting[start : start + MEASURE_BATCH])
    seconds = time.perf_counter() - began
    assert measurer.status()["fit"] == count
    return count / seconds, timed.seconds / seconds


def stories(count: int) -> list[Vector]:
    """Return made-up embeddings, some of which tell the same story."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=(LATENT, EMBEDDING_DIMENSIONS))
    centres = rng.normal(size=(count // STORY + 1, LATENT))
    which = rng.integers(0, len(centres), count)
    points = (centres[which] + 0.35 * rng.normal(size=(count, LATENT))) @ base
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return [quantise(row.astype(np.float32)) for row in points]


def unit(vector: Vector) -> npt.NDArray[np.float32]:
    """Return `vector` with length 1 again, as a graph index wants it."""
    wide = vector.astype(np.float32)
    return wide / np.linalg.norm(wide)


def memory_mb() -> float:
    """Return how much memory the process holds."""
    return float(psutil.Process().memory_info().rss / 2**20)


def took(work: Callable[[], object]) -> float:
    """Return how many seconds `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Graph:
    """The same window as a graph index: what it would be instead."""

    def __init__(self, size: int) -> None:
        self._index = hnswlib.Index(space="ip", dim=EMBEDDING_DIMENSIONS)
        self._index.init_index(max_elements=size, M=16, ef_construction=100, random_seed=1)
        self._index.set_ef(64)

    def add_all(self, given: list[Vector]) -> None:
        self._index.add_items(np.stack([unit(one) for one in given]), num_threads=1)

    def nearest(self, sought: Vector) -> npt.NDArray[np.uint64]:
        labels, _ = self._index.knn_query(unit(sought), k=MAX_NEIGHBOURS, num_threads=1)
        found: npt.NDArray[np.uint64] = labels[0]
        return found


def searching(size: int) -> list[tuple[str, ...]]:
    """Return what windows of `size` articles cost, as rows of a table."""
    made = stories(size + QUERIES)
    given, sought = made[:size], made[size:]
    window, before_mb = EmbeddingWindow(1), memory_mb()

    def fill() -> None:
        for number, one in enumerate(given):
            window.add(number, f"source-{number}", 0, one)

    filled_s = took(fill)
    window_mb = memory_mb() - before_mb
    exact: list[list[int]] = []

    def look() -> None:
        for one in sought:
            exact.append([near.article for near in window.neighbours(size, 0, one)])

    looked_s = took(look)
    graph, before_mb = Graph(size), memory_mb()
    built_s = took(lambda: graph.add_all(given))
    graph_mb = memory_mb() - before_mb
    near: list[set[int]] = []
    walked_s = took(lambda: near.extend({int(x) for x in graph.nearest(one)} for one in sought))
    # of what the window found above its floor, how much the graph found
    wanted = sum(map(len, exact))
    found = sum(len(one & set(true)) for one, true in zip(near, exact, strict=True))
    rows = [
        ("exact", filled_s, looked_s, window_mb, "1.0000"),
        ("hnswlib", built_s, walked_s, graph_mb, f"{found / max(1, wanted):.4f}"),
    ]
    return [
        (f"{size:,}", how, f"{fill_s:.1f}", f"{look_s / QUERIES * 1e3:.2f}", f"{mb:,.0f}", recall)
        for how, fill_s, look_s, mb, recall in rows
    ]


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ARTICLES
    print(f"{machine()}; the models on one thread\n")
    print("| article | articles/s | of the time in the model |\n|---|---|---|")
    for what, chars in (("title and 300 characters", 300), ("as long as kept", MAX_EXCERPT_CHARS)):
        rate, share = asyncio.run(measuring(count, chars))
        print(f"| {what} | {rate:.1f} | {share:.0%} |")
    print(f"\nMemory of the process, models included: {memory_mb():,.0f} MB.\n")
    print("| window | search | to fill, s | neighbours, ms | MB more | recall |")
    print("|---|---|---|---|---|---|")
    for size in SIZES if count >= ARTICLES else SIZES[:1]:
        for row in searching(size):
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
