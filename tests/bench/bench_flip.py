"""How long it takes to find one flipped bit: `python -m tests.bench.bench_flip`.

One bit of a whole log is flipped at a time, at random bytes, and the whole is verified.
"""

import logging
import sys
import time

import structlog

from tests.fuzz.flips import flips
from tests.replay.venue import history

PLACES = 100
COMMANDS = 2_000


def main() -> None:
    """Measure, and print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    messages = history(int(sys.argv[1]) if len(sys.argv) > 1 else COMMANDS)
    size = sum(len(message.payload) for message in messages)
    named = 0
    seconds = []
    started = time.perf_counter()
    for flip in flips(messages, PLACES, seed=1):
        assert flip.found, flip
        named += flip.named
        seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
    median_s = sorted(seconds)[len(seconds) // 2]
    print(f"\n{len(messages):,} messages, {size / 1e6:.1f} MB, in memory\n")
    print("| what | figure |\n|---|---|")
    for what, figure in (
        ("bits flipped, each on its own", f"{PLACES}"),
        ("found by `verify`", f"{len(seconds)}"),
        ("message named", f"{named}"),
        ("one `verify` of the damaged log, median", f"{median_s:.2f} s"),
        ("messages/s, until engines differ, median", f"{len(messages) / median_s:,.0f}"),
    ):
        print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
