"""Pages that show nothing before their scripts have run: HTML that a browser rendered."""

from typing import Final

from streams.ingest.sources import html
from streams.ingest.sources.model import Kind

KIND: Final = Kind(
    kind="browser",
    via="browser",
    queue="browser",
    page_queue="browser",
    reading="html",
    follows=html.KIND.follows,
)
