"""Source kinds: one file each, and their list. `push` is not fetched, so it is not here."""

from typing import Final

from streams.ingest.sources import browser, html, rss, sitemap
from streams.ingest.sources.model import Kind, Reading

KINDS: Final[dict[str, Kind]] = {one.KIND.kind: one.KIND for one in (rss, html, browser, sitemap)}

READINGS: Final[dict[str, Reading]] = {
    "rss": rss.read,
    "html": html.read,
    "sitemap": sitemap.read,
    "sitemap_parts": sitemap.read_parts,
    "page": lambda document: [html.read_page(document)],
}
"""The readings of documents by name. `page` is for a page that a link led to."""
