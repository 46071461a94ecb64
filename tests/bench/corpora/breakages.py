"""The kinds of breakage of feeds that the tests of `sources` have: how many are read."""

from pathlib import Path

from streams.ingest.fetching.problems import Unfetched
from tests.bench.corpora.reading import Bounds, CorpusReader, table
from tests.streams.ingest.sources.broken_feeds import KINDS, URL, Broken


async def measure(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return how many kinds are read whole, and which are not."""
    wrong = [(kind, why) for kind, one in KINDS.items() if (why := await _wrong(one, reader))]
    counts = table(
        ["breakages", "kinds", "read"], [["our own", len(KINDS), len(KINDS) - len(wrong)]]
    )
    return "\n".join([counts, *(["", table(["not read", "why"], wrong)] if wrong else [])])


async def _wrong(given: Broken, reader: CorpusReader) -> str:
    body = given.body if isinstance(given.body, bytes) else given.body.encode()
    try:
        items = await reader.items("rss", URL, body, {})
    except Unfetched as error:
        return error.problem.value
    if tuple(item.title for item in items) != given.titles:
        return f"{len(items)} items of {len(given.titles)}, or other titles"
    texts = tuple(item.text for item in items)
    return "" if given.texts is None or texts == given.texts else "text lost"
