"""The pulse: once a second a process's event loop writes one byte to a pipe of its supervisor.

A process can be alive and do nothing: its loop computes for ever, or it waits for what never comes.
Heartbeats would show that, but they go through NATS, and without NATS all would seem silent. The
pipe is between the two processes alone. It says that the loop turns, and no more than that.
"""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Mapping
from typing import Final

from deploy.limits import PULSE_EVERY_S

LAST_END: Final = "EVERYTHING_LAST_END"
"""The variable in which a supervisor says how the process ended before."""
_PIPE: Final = "EVERYTHING_PULSE_FD"
_READ_BYTES: Final = 65_536


@contextlib.asynccontextmanager
async def pulsing() -> AsyncIterator[None]:
    """Write the pulse while the block runs, if a supervisor gave this process a pipe for it."""
    pipe = _given_pipe()
    if pipe is None:
        yield
        return
    task = asyncio.create_task(_pulse(pipe))
    try:
        yield
    finally:
        task.cancel()
        os.close(pipe)


def _given_pipe() -> int | None:
    """Take the pipe out of the environment: what this process starts has no pulse."""
    pipe = int(os.environ.pop(_PIPE, "-1"))
    try:
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return None
    except OSError:
        return None
    os.set_inheritable(pipe, False)
    os.set_blocking(pipe, False)
    return pipe


async def _pulse(pipe: int) -> None:
    while True:
        try:
            os.write(pipe, b".")
        except BlockingIOError:  # it is full: the supervisor itself is held up
            pass
        except BrokenPipeError:
            return
        await asyncio.sleep(PULSE_EVERY_S)


class PulseListener:
    """The supervisor's end of the pipe."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that the process must inherit."""
        return (self._theirs,)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process must find in its environment."""
        return {_PIPE: str(self._theirs)}

    def started(self) -> None:
        """Let go of the process's end, once it has it."""
        os.close(self._theirs)

    def heard(self) -> bool:
        """Return whether there was a pulse since the last call."""
        try:
            return bool(os.read(self._ours, _READ_BYTES))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._ours)
