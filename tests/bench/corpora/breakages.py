"""The kinds of breakage of feeds that tests/streams/ingest/breakages.py has: how many are read."""

from pathlib import Path

from streams.ingest.fetching.problems import Unfetched
from tests.bench.corpora.reading import Bounds, CorpusReader, table
from tests.streams.ingest.breakages import BREAKAGES, Breakage


async def measure(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return how many kinds are read whole, and which are not."""
    wrong = [(one.kind, why) for one in BREAKAGES if (why := await _wrong(one, reader))]
    counts = table(
        ["breakages", "kinds", "read"],
        [["our own", len(BREAKAGES), len(BREAKAGES) - len(wrong)]],
    )
    return "\n".join([counts, *(["", table(["not read", "why"], wrong)] if wrong else [])])


async def _wrong(given: Breakage, reader: CorpusReader) -> str:
    headers = {"content-type": given.content_type} if given.content_type else {}
    try:
        items = await reader.items("rss", "https://quay.example/feed", given.body, headers)
    except Unfetched as error:
        return error.problem.value
    if len(items) != given.items:
        return f"{len(items)} items of {given.items}"
    found = any(given.finds in f"{item.title}\n{item.text}" for item in items)
    return "" if found else "text lost"
