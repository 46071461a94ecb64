"""One process of a venue: `python -m deploy.processes NAME`; `names.py` has the names.

Each process imports only what it needs, so an engine carries no web server in its memory.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from deploy.processes.giving_way import give_way
from deploy.processes.names import HARD_WORKERS, INGEST, NAMES, NICENESS
from deploy.processes.service import Main, run_service
from deploy.venue import news
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import Settings
from schemas.errors import InputError

EXIT_USAGE: Final = 64

Run = Callable[[VenuePaths, asyncio.Event], Awaitable[None]]


def main_of(name: str, paths: VenuePaths) -> Main:
    """Return what the process `name` does.

    Raises InputError when there is no such process, NewsNotInstalled when it needs the extra.
    """
    if name not in NAMES:
        raise InputError(f"no process {name!r}; there are {', '.join(NAMES)}")
    if name.startswith("engine-"):
        from deploy.processes import engine

        return partial(engine.run, paths, name.removeprefix("engine-"))
    if name in INGEST:
        news.require()
        return partial(_ingest_run(name), paths)
    return partial(_core_run(name), paths)


def _core_run(name: str) -> Run:
    match name:
        case "projector":
            from deploy.processes import projector

            return projector.run
        case "feeds":
            from deploy.processes import feeds

            return feeds.run
        case "front":
            from deploy.processes import front

            return front.run
        case "relay":
            from deploy.processes import relay

            return relay.run
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

            return lambda paths, stop: fetcher.run(paths, name, stop)


def main() -> None:
    """Run the process that the command line names."""
    try:
        (name,) = sys.argv[1:]
        work = main_of(name, VenuePaths(Settings()))
    except (ValueError, InputError) as error:
        structlog.get_logger().error("not started", reason=str(error))
        sys.exit(EXIT_USAGE)
    if name in HARD_WORKERS:
        give_way(NICENESS)
    sys.exit(run_service(work, name))


if __name__ == "__main__":
    main()
