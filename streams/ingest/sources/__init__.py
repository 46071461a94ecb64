"""Source kinds: one file each, and this list of them. `push` is not fetched and not here."""

from typing import Final

from streams.ingest.sources import browser, html, rss
from streams.ingest.sources.model import Kind, Reading

KINDS: Final[dict[str, Kind]] = {one.KIND.kind: one.KIND for one in (rss, html, browser)}

READINGS: Final[dict[str, Reading]] = {
    "rss": rss.read,
    "html": html.read,
    "page": lambda document: [html.read_page(document)],
}
"""What the reader may be asked to do with a document; a `page` is one that a link led to."""
