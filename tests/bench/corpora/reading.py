"""How a corpus is read: as the fetcher reads what it got, by the child that may be killed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from schemas.sources import Source
from streams.ingest.fetching.fetcher import Downloader
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.polite import Fetched
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.sources.model import Item
from streams.ingest.sources.reader import DocumentReader

WALL_S: Final = 300
"""A busy machine is no fault of a document. Its processor time is bounded as ever."""

One = TypeVar("One")


class Bounds(NamedTuple):
    """How many documents of each project are read, and for how long at most."""

    documents: int
    seconds: float

    def sample(self, given: Sequence[One]) -> Iterator[One]:
        """Yield documents spread evenly over `given`, until the time is over."""
        until = time.monotonic() + self.seconds
        count = min(self.documents, len(given))
        for number in range(count):
            if time.monotonic() > until:
                return
            yield given[number * len(given) // count]


class CorpusReader:
    """Reads documents that nobody fetched. Close it at the end."""

    def __init__(self) -> None:
        self._child = DocumentReader(wall_s=WALL_S)
        self._downloader = Downloader(_never, self._child.read)
        self.read_robots = self._child.read_robots

    async def items(
        self, reading: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> list[Item]:
        """Return the items of a document that came with `headers`. Raises Unfetched."""
        response = HttpResponse(url, 200, headers, body)
        source = Source(source="corpus", name="Corpus", kind="rss", url=url)
        return await self._downloader.items(reading, response, source)

    async def page(self, url: str, body: bytes, headers: Mapping[str, str]) -> Item | None:
        """Return a page as an article, None if it is refused."""
        try:
            (item,) = await self.items("page", url, body, headers)
        except Unfetched:
            return None
        return item

    async def close(self) -> None:
        """End the child."""
        await self._child.close()


async def _never(
    source: Source, url: str, who: str, headers: Mapping[str, str]
) -> Fetched:  # pragma: no cover
    raise NotImplementedError(f"a corpus fetches nothing: {url}")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, one)) + " |" for one in lines)
