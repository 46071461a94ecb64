"""The processes of a venue by name, and why some of them are not started here.

| name              | what it is                                               |
|-------------------|----------------------------------------------------------|
| engine-<engine>   | the host of one engine; at most one is the leader        |
| projector         | folds records into Postgres                              |
| feeds             | folds records into the FEED stream                       |
| front             | where strangers reach nats-server; only at an address   |
| relay             | native clients: their logins, and their commands         |
| gateway           | HTTP: commands, the read API, feeds                      |
| scheduler         | says which source is due to be fetched                   |
| fetcher           | fetches sources and pages over HTTP                      |
| browser           | fetches what needs a browser, or has runners do it       |
| measurer          | measures the articles                                    |
| llm               | asks the LLM, or says why it cannot be asked             |
| search            | says which articles, events and markets are alike        |
| archiver          | copies what is sealed into the archive                   |
| historian         | keeps what the tables once said, for reads of the past   |
"""

from typing import Final

from deploy.venue import news
from deploy.venue.settings import Settings
from schemas import subjects

CORE: Final = (
    *(f"engine-{name}" for name in subjects.ENGINES),
    "projector",
    "feeds",
    "relay",
    "gateway",
)
"""What it takes to trade, in the order in which they start."""
INGEST: Final = ("scheduler", "fetcher", "browser", "measurer", "llm", "search")
"""What brings in the news. They need the extra `news`, and load large models."""
KEEPING: Final = ("archiver", "historian")
"""What nothing waits for."""
FRONT: Final = "front"
"""Where strangers connect; started only where EVERYTHING_NATS_FRONT says an address."""
NAMES: Final = (*CORE, FRONT, *INGEST, *KEEPING)
HARD_WORKERS: Final = ("browser", "measurer", "llm", "search", "archiver", "historian")
"""What computes for long, and must not keep an order waiting for a processor."""
NICENESS: Final = 10
"""How much those give way."""


def not_started(settings: Settings) -> dict[str, str]:
    """Return the processes that `everything up` does not start here, and why."""
    if not settings.ingest:
        return dict.fromkeys(INGEST, "EVERYTHING_INGEST is off")
    if not news.is_installed():
        return dict.fromkeys(INGEST, news.NOT_INSTALLED)
    missing = {}
    if not settings.renders:
        missing["browser"] = "no Chromium is found: set EVERYTHING_CHROMIUM"
    if not news.has_index():
        missing["search"] = "hnswlib is not installed: search goes by words alone"
    return missing
