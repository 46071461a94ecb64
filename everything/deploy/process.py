"""One process of a venue: `python -m everything.deploy.process NAME`.

| name              | what it is                                               |
|-------------------|----------------------------------------------------------|
| engine-<engine>   | the host of one engine; at most one is in office          |
| projector         | folds records into Postgres                              |
| feeds             | folds records into the FEED stream                       |
| gateway           | HTTP: the door for people, the read API, native logins   |

Each process imports only what it needs, so an engine carries no web server in its memory.
"""

import sys
from functools import partial
from typing import Final

import structlog

from everything.deploy.place import Place
from everything.deploy.settings import Settings
from everything.schemas import subjects
from everything.schemas.errors import InputError
from everything.streams.log.service import Main, run_service

EXIT_USAGE: Final = 64
NAMES: Final = (*(f"engine-{name}" for name in subjects.ENGINES), "projector", "feeds", "gateway")
"""All processes, in the order in which they start."""


def main_of(name: str, place: Place) -> Main:
    """Return what the process `name` does. Raises InputError when there is no such process."""
    if name not in NAMES:
        raise InputError(f"no process {name!r}; there are {', '.join(NAMES)}")
    if name == "projector":
        from everything.deploy.processes import projector

        return partial(projector.run, place)
    if name == "feeds":
        from everything.deploy.processes import feeds

        return partial(feeds.run, place)
    if name == "gateway":
        from everything.deploy.processes import gateway

        return partial(gateway.run, place)
    from everything.deploy.processes import engine

    return partial(engine.run, place, name.removeprefix("engine-"))


def main() -> None:
    """Run the process that the command line names."""
    try:
        (name,) = sys.argv[1:]
        work = main_of(name, Place(Settings()))
    except (ValueError, InputError) as error:
        structlog.get_logger().error("not started", reason=str(error))
        sys.exit(EXIT_USAGE)
    sys.exit(run_service(work, name))


if __name__ == "__main__":
    main()
