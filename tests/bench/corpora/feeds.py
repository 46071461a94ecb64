"""Feeds of feedparser's, gofeed's and miniflux's tests: which are read, which refused and why.

Files are read with the content type that the project's test gives them, if any. miniflux keeps
most of its feeds as raw strings in Go. What no reader of news should take is counted apart: it is
no feed, or its DTD has entities that are fetched or contain one another.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from streams.ingest.fetching.problems import Unfetched
from tests.bench.corpora.reading import Bounds, CorpusReader, table

FOLDERS: Final = {
    "feedparser": "feedparser/tests",
    "gofeed": "gofeed/testdata",
    "miniflux": "miniflux/internal/reader",
}
_CONTENT_TYPE: Final = re.compile(rb"^\s*Header:\s*Content-type:\s*(.*?)\s*$", re.I | re.M)
"""feedparser's tests name a response's headers in the first comment of a file."""
_LOOKED_AT: Final = 2_000
_GO_STRING: Final = re.compile(r"`([^`]*)`")
_ROOT: Final = re.compile(rb"<(?:[a-z0-9_-]+:)?(?:rss|feed|rdf|channel)[\s>/]", re.IGNORECASE)
_HOSTILE: Final = re.compile(
    rb"<!ENTITY\s+(?!%)\S+\s+(?:SYSTEM|PUBLIC|([\"'])(?:(?!\1).)*&(?!#)(?:(?!\1).)*\1)",
    re.IGNORECASE | re.DOTALL,
)
"""An entity that is to be fetched, or has another one in it."""


class FeedText(NamedTuple):
    """A feed of a project's tests."""

    name: str
    body: bytes
    content_type: str = ""

    @property
    def ought(self) -> str:
        """Why it ought to be refused; empty if it ought to be read."""
        text = self.body.replace(b"\0", b"")  # UTF-16 and UTF-32 are ASCII with zeros here
        if _HOSTILE.search(text):
            return "hostile DTD"
        return "" if _ROOT.search(text) else "no feed"


def feeds(folder: Path) -> list[FeedText]:
    """Return the feeds below `folder`: XML files, and strings in the tests of Go packages."""
    found = [_file(folder, path) for path in sorted(folder.rglob("*.xml"))]
    for path in sorted(folder.rglob("*_test.go")):
        found += _strings(path)
    return found


def _file(folder: Path, path: Path) -> FeedText:
    body = path.read_bytes()
    told = _CONTENT_TYPE.search(body[:_LOOKED_AT].replace(b"\0", b""))
    content_type = told[1].decode("latin-1") if told else ""
    return FeedText(str(path.relative_to(folder)), body, content_type)


def _strings(path: Path) -> Iterator[FeedText]:
    for number, found in enumerate(_GO_STRING.finditer(path.read_text(encoding="utf-8"))):
        text = found[1].strip()
        if text.startswith("<") and _ROOT.search(text.encode()):
            yield FeedText(f"{path.parent.name}/{path.name}#{number}", text.encode())


async def measure(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return a table of all projects in `folder`, and with `lists` what was refused."""
    rows: list[list[object]] = []
    refused: list[str] = []
    for project, below in FOLDERS.items():
        given = feeds(folder / below)
        kinds: Counter[str] = Counter()
        read = items = ought = taken = 0
        for feed in bounds.sample(given):
            headers = {"content-type": feed.content_type} if feed.content_type else {}
            url = f"https://{project}.example/{feed.name}"
            problem, count = await _problem(reader, url, feed.body, headers)
            items += count
            if feed.ought:
                ought += 1
                taken += not problem
            elif problem:
                kinds[problem] += 1
                refused.append(f"{project} {feed.name}: {problem}")
            else:
                read += 1
        why = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "-"
        seen = read + ought + kinds.total()
        rows.append(
            [
                project,
                len(given),
                seen,
                read,
                items,
                kinds.total(),
                why,
                f"{ought - taken} of {ought}",
            ]
        )
    head = ["feeds", "there", "seen", "read", "items", "refused", "why", "rightly refused, apart"]
    return "\n".join([table(head, rows), *(["", *refused] if lists else [])])


async def _problem(
    reader: CorpusReader, url: str, body: bytes, headers: dict[str, str]
) -> tuple[str, int]:
    try:
        return "", len(await reader.items("rss", url, body, headers))
    except Unfetched as error:
        return error.problem.value, 0
