"""One process of the venue: its event loop, its signals, its log lines, its exit code.

exit code   meaning
0           told to stop, and stopped
69          an operating error outlasted its bounds; starting again may help
70          a bug: an unexpected exception
71 and up   a halt, see `schemas.errors`; starting again will not help
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import uvloop

from deploy.limits import STOP_PATIENCE_S
from deploy.observe.pulse import pulsing
from deploy.processes.log_lines import configure_logging
from schemas.errors import Halt, OperatingError

EXIT_UNAVAILABLE: Final = 69
EXIT_BUG: Final = 70

log = structlog.get_logger(__name__)

Main = Callable[[asyncio.Event], Awaitable[None]]


def run_service(main: Main, name: str) -> int:
    """Run `main` until it ends or the process is told to stop; return the exit code.

    `main` gets an event that SIGTERM or SIGINT sets, and should then end by itself. It is
    cancelled after STOP_PATIENCE_S, or at a second signal. Call as
    `sys.exit(run_service(main, "engine-exchange"))`.
    """
    configure_logging(name)
    try:
        uvloop.run(_supervise(main))
    except Halt as halt:
        log.error("halted", code=halt.code, exit_code=halt.exit_code, reason=str(halt))
        return halt.exit_code
    except OperatingError as error:
        log.error("gave up", code=error.code, exit_code=EXIT_UNAVAILABLE, reason=str(error))
        return EXIT_UNAVAILABLE
    except Exception:
        log.exception("failed", exit_code=EXIT_BUG)
        return EXIT_BUG
    return 0


async def _supervise(main: Main) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    work = asyncio.ensure_future(main(stop))

    def on_signal(number: int) -> None:
        log.info("told to stop", signal=signal.Signals(number).name)
        if stop.is_set():
            work.cancel()
            return
        stop.set()
        loop.call_later(STOP_PATIENCE_S, _give_up, work)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    log.info("started")
    try:
        async with pulsing():
            await work
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    log.info("stopped")


def _give_up(work: "asyncio.Future[None]") -> None:
    if not work.done():
        log.warning("did not stop in time", patience_s=STOP_PATIENCE_S)
        work.cancel()
