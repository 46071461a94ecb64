"""Work that blocks for seconds, for example loading a model, and that a stop does not await."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_daemon_thread(work: Callable[[], T], stop: asyncio.Event) -> T | None:
    """Return what `work` returns, or None once `stop` is set.

    A thread cannot be cancelled: after a stop it keeps running and its result is dropped. A
    daemon thread does not keep the process alive, which asyncio's own threads do.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(found: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(found)  # type: ignore[arg-type]  # None only if work returned it

    def do() -> None:
        found, error = None, None
        try:
            found = work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=do, name="daemon-work", daemon=True).start()
    stopping = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {result, stopping}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
    if result.done():
        return result.result()
    result.cancel()
    return None
