"""One process of a venue: `python -m deploy.processes.process NAME`.

| name              | what it is                                               |
|-------------------|----------------------------------------------------------|
| engine-<engine>   | the host of one engine; at most one is leader             |
| projector         | folds records into Postgres                              |
| feeds             | folds records into the FEED stream                       |
| gateway           | HTTP: the door for people, the read API, native logins   |
| scheduler         | says which source is due to be fetched                   |
| fetcher           | fetches sources and pages over HTTP                      |
| browser           | fetches what needs a browser; not started without one    |
| measurer          | measures the articles                                    |
| llm               | asks the LLM, or says why it cannot be asked             |
| search            | says which articles, events and markets are alike        |
| archiver          | copies what is sealed into the archive                   |
| historian         | keeps what the tables once said, for reads of the past   |

Each process imports only what it needs, so an engine carries no web server in its memory.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from deploy.processes.service import Main, run_service
from deploy.venue.paths import Place
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import InputError

EXIT_USAGE: Final = 64
CORE: Final = (*(f"engine-{name}" for name in subjects.ENGINES), "projector", "feeds", "gateway")
"""What it takes to trade, in the order in which they start."""
INGEST: Final = ("scheduler", "fetcher", "browser", "measurer", "llm", "search")
"""The door for the world. They load large models, so they start when the rest is there."""
KEEPING: Final = ("archiver", "historian")
"""What nothing waits for."""
NAMES: Final = (*CORE, *INGEST, *KEEPING)


def absent(settings: Settings) -> dict[str, str]:
    """Return the processes that `everything up` does not start here, and why."""
    if not settings.ingest:
        return dict.fromkeys(INGEST, "EVERYTHING_INGEST is off")
    if settings.browser is None:
        return {"browser": "no Chromium is found: set EVERYTHING_CHROMIUM"}
    return {}


HARD_WORKERS: Final = ("browser", "measurer", "llm", "search", "archiver", "historian")
"""What computes for long, and must not keep an order waiting for a processor."""
NICENESS: Final = 10

Run = Callable[[Place, asyncio.Event], Awaitable[None]]


def main_of(name: str, place: Place) -> Main:
    """Return what the process `name` does. Raises InputError when there is no such process."""
    if name not in NAMES:
        raise InputError(f"no process {name!r}; there are {', '.join(NAMES)}")
    if name.startswith("engine-"):
        from deploy.processes import engine

        return partial(engine.run, place, name.removeprefix("engine-"))
    return partial(_ingest_run(name) if name in INGEST else _core_run(name), place)


def _core_run(name: str) -> Run:
    match name:
        case "projector":
            from deploy.processes import projector

            return projector.run
        case "feeds":
            from deploy.processes import feeds

            return feeds.run
        case "archiver":
            from deploy.processes import archiver

            return archiver.run
        case "historian":
            from deploy.processes import historian

            return historian.run
        case _:
            from deploy.processes import gateway

            return gateway.run


def _ingest_run(name: str) -> Run:
    match name:
        case "scheduler":
            from deploy.processes import scheduler

            return scheduler.run
        case "measurer":
            from deploy.processes import measurer

            return measurer.run
        case "llm":
            from deploy.processes import llm

            return llm.run
        case "search":
            from deploy.processes import search

            return search.run
        case _:
            from deploy.processes import fetcher

            return lambda place, stop: fetcher.run(place, name, stop)


def main() -> None:
    """Run the process that the command line names."""
    try:
        (name,) = sys.argv[1:]
        work = main_of(name, Place(Settings()))
    except (ValueError, InputError) as error:
        structlog.get_logger().error("not started", reason=str(error))
        sys.exit(EXIT_USAGE)
    if name in HARD_WORKERS:
        os.nice(NICENESS)
    sys.exit(run_service(work, name))


if __name__ == "__main__":
    main()
