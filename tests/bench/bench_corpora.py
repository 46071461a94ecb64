"""Other projects' corpora, read as ingest reads: `python -m tests.bench.bench_corpora FOLDER`.

FOLDER holds checkouts that are no part of this repository; of each, only the named folder is read:

    feedparser/tests                 github.com/kurtmckee/feedparser
    gofeed/testdata                  github.com/mmcdole/gofeed
    miniflux/internal/reader         github.com/miniflux/v2
    trafilatura/tests                github.com/adbar/trafilatura
    fundus/tests/resources           github.com/flairNLP/fundus
    robotstxt/robots_test.cc         github.com/google/robotstxt

What is not there is left out. `make bench` does not run this: its figures are about what is read,
not about speed.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Final

import structlog

from tests.bench.corpora import breakages, feeds, pages, robots
from tests.bench.corpora.reading import Bounds, CorpusReader

DOCUMENTS: Final = 10_000
SECONDS: Final = 1_800.0
MEASURES: Final = {
    "breakages": breakages.measure,
    "feeds": feeds.measure,
    "pieces": pages.measure_pieces,
    "articles": pages.measure_articles,
    "robots": robots.measure,
}
NEEDS: Final = {
    "breakages": (),
    "feeds": (),
    "pieces": ("trafilatura",),
    "articles": ("fundus",),
    "robots": ("robotstxt",),
}


async def measured(chosen: list[str], folder: Path, bounds: Bounds, lists: bool) -> None:
    """Print the tables of what is chosen."""
    reader = CorpusReader()
    try:
        for name in chosen:
            if all((folder / one).is_dir() for one in NEEDS[name]):
                print(await MEASURES[name](folder, bounds, reader, lists), end="\n\n", flush=True)
    finally:
        await reader.close()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the projects are")
    parser.add_argument("only", nargs="*", choices=[[], *MEASURES], help="these only")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="of each project, at most")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each project, at most")
    parser.add_argument("--list", action="store_true", help="name what went wrong")
    given = parser.parse_args()
    bounds = Bounds(given.documents, given.seconds)
    asyncio.run(measured(given.only or [*MEASURES], given.folder, bounds, given.list))


if __name__ == "__main__":
    main()
