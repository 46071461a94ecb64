"""Search by meaning over 100,000 articles: `python -m tests.bench.bench_search [articles]`.

Made-up embeddings in stories of five are put on an index and saved. A process of its own, as
in a venue, then takes the files over and is asked for the neighbours of things that are not in
it: how soon it is ready, how long an answer takes, what it misses of the exact answer, and
how much memory it holds in the end.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from projections.search.files import SavedIndex, load, save
from projections.search.index import Measured, SearchIndex
from schemas.limits import EMBEDDING_DIMENSIONS
from streams.ingest.measuring.vectors import Vector, quantise
from tests.bench.rig import machine

ARTICLES: Final = 100_000
QUESTIONS: Final = 1_000
STORY: Final = 5
LATENT: Final = 64
"""Dimensions that made-up embeddings vary in: texts are not spread over all 384."""
NEAREST: Final = 10
ORIGIN: Final = SavedIndex("main", "made-up", 1, "")


def stories(count: int, asked: int) -> tuple[list[Vector], list[Vector]]:
    """Return made-up embeddings of `count` articles, and `asked` more of the same stories."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=(LATENT, EMBEDDING_DIMENSIONS)).astype(np.float32)
    centres = rng.normal(size=(count // STORY + 1, LATENT)).astype(np.float32)
    found: list[Vector] = []
    while len(found) < count + asked:
        size = min(10_000, count + asked - len(found))
        which = rng.integers(0, len(centres), size)
        spread = 0.35 * rng.normal(size=(size, LATENT)).astype(np.float32)
        points = (centres[which] + spread) @ base
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        found += [quantise(row) for row in points]
    return found[:count], found[count:]


def build(count: int, folder: Path) -> None:
    """Build the index and save it, and the questions beside it."""
    articles, asked = stories(count, QUESTIONS)
    index = SearchIndex()
    began = time.perf_counter()
    for start in range(0, count, 1_000):
        some = articles[start : start + 1_000]
        index.add(
            [Measured("article", str(start + n), start + n + 1, one) for n, one in enumerate(some)]
        )
    built = time.perf_counter() - began
    began = time.perf_counter()
    save(index, folder / "index", ORIGIN)
    saved = time.perf_counter() - began
    np.save(folder / "asked.npy", np.stack(asked))
    print(f"| built | {built:.0f} s |\n| saved | {saved:.1f} s |")


def answer(folder: Path) -> None:
    """Take the index over and ask it."""
    began = time.perf_counter()
    index, _ = load(folder / "index", ORIGIN.shard, ORIGIN.model)
    ready = time.perf_counter() - began
    asked = np.load(folder / "asked.npy")
    index.similar(asked[0], ["article"], NEAREST, None)
    times, hits = [], 0
    answers = []
    for vector in asked:
        began = time.perf_counter()
        answers.append(index.similar(vector, ["article"], NEAREST, None))
        times.append((time.perf_counter() - began) * 1_000)
    memory = psutil.Process().memory_info().rss / 2**20
    exact_times = []
    table = index.tables["article"]
    for vector, found in zip(asked[:200], answers[:200], strict=True):
        began = time.perf_counter()
        true = table.similar(vector, NEAREST, None, exact=True)
        exact_times.append((time.perf_counter() - began) * 1_000)
        hits += len({one.id for one in true} & {one.id for one in found})
    recall = hits / (200 * NEAREST)
    p50, p99 = np.percentile(times, 50), np.percentile(times, 99)
    print(f"| ready from the files | {ready:.1f} s |")
    print(f"| answer, p50 / p99 | {p50:.1f} / {p99:.1f} ms |")
    print(f"| exact answer (the past), p50 | {np.percentile(exact_times, 50):.0f} ms |")
    print(f"| recall@{NEAREST} against exact | {recall:.4f} |")
    print(f"| memory of the process | {memory:.0f} MB |")


def main() -> None:
    """Print the figures."""
    if sys.argv[1:2] == ["--answer"]:
        answer(Path(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ARTICLES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{machine()}\n\n| {count:,} articles | |\n|---|---|")
        build(count, folder)
        child = [sys.executable, "-m", "tests.bench.bench_search", "--answer", name]
        print(subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip())


if __name__ == "__main__":
    main()
