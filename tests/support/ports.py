"""Ports of loopback that no other worker of this run is given."""

import os
import random
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 10_000
EACH: Final = 2_500
WORKERS: Final = 8
"""All of them lie below the ports that Linux gives to outgoing connections."""


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    # Another run on this machine counts through the same ports: begin elsewhere.
    number = random.SystemRandom().randrange(EACH)
    while True:
        number = (number + 1) % EACH
        yield FIRST + worker * EACH + number


_PORTS: Final = _ports()


def free_port() -> int:
    """Return a port on which nobody listens, and which comes again only much later."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("the ports never end")
