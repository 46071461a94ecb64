"""The document reader: documents are parsed in a child process, which may be killed.

A page can be written so that any parser needs minutes or gigabytes for it: a hundred
thousand nested elements, or formatting elements that each paragraph repeats. A parser in C
lets no other Python code run meanwhile. So a child process reads each document and each
robots.txt within READ_S of processor time, and has MAX_READER_BYTES for itself and for all of
it. A child that dies of a document is replaced, and the document counts as too large. One that
keeps much after a document is replaced too, so that the next finds as much room as any.

The child is this module, run with `-m`. Requests and answers are msgpack behind a length of
four bytes. The child ends at the end of its input, and so with its parent.
"""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import structlog

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.robots_file import Allowance, read_robots
from streams.ingest.limits import (
    MAX_FETCH_BYTES,
    MAX_ITEM_CHARS,
    MAX_READER_BYTES,
    MAX_READER_KEPT_BYTES,
    READ_S,
    READ_WALL_S,
)
from streams.ingest.sources import READINGS, page_text
from streams.ingest.sources.model import Document, Item

_LENGTH_BYTES: Final = 4
_MAX_ANSWER_BYTES: Final = 4 * (MAX_FETCH_BYTES + MAX_ITEM_CHARS)
_INHERITED: Final = ("PYTHONPATH",)

log = structlog.get_logger(__name__)

Read = Callable[[str, Document], Awaitable[list[Item]]]
"""Read a document by the reading of that name. Raises Unfetched."""


class _ReadDocument(msgspec.Struct, tag=True):
    reading: str
    document: Document


class _ReadRobots(msgspec.Struct, tag=True):
    body: bytes
    product: str


class _Outcome(msgspec.Struct):
    items: list[Item] = []
    robots: Allowance | None = None
    problem: str = ""
    detail: str = ""
    is_child_full: bool = False


_decode_asked: Final = msgspec.msgpack.Decoder(_ReadDocument | _ReadRobots).decode
_decode_outcome: Final = msgspec.msgpack.Decoder(_Outcome).decode
_encode: Final = msgspec.msgpack.Encoder().encode


async def read_here(reading: str, document: Document) -> list[Item]:
    """Read in this process, for simulated worlds. See `Read`."""
    return READINGS[reading](document)


class DocumentReader:
    """Owns the child process, which is started when first needed.

    `read` is a `Read`, and `read_robots` a `robots.ReadRobots`.
    """

    def __init__(self, wall_s: float = READ_WALL_S) -> None:
        self.wall_s = wall_s
        self._child: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()

    async def read(self, reading: str, document: Document) -> list[Item]:
        """Have the child read. Raises Unfetched, TOO_LARGE when it died of the document."""
        return (await self._outcome(_ReadDocument(reading, document))).items

    async def read_robots(self, body: bytes, product: str) -> Allowance:
        """Have the child read a robots.txt. Raises Unfetched, TOO_LARGE when it died of it."""
        found = (await self._outcome(_ReadRobots(body, product))).robots
        assert found is not None
        return found

    async def _outcome(self, asked: _ReadDocument | _ReadRobots) -> _Outcome:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(self.wall_s):
                    outcome = _decode_outcome(await self._exchange(_encode(asked)))
                if outcome.is_child_full:
                    await self._end()
            except (TimeoutError, EOFError, OSError, msgspec.DecodeError) as error:
                what = asked.document.url if isinstance(asked, _ReadDocument) else "a robots.txt"
                log.warning("reader ended", document=what)
                await self._end()
                raise Unfetched(FetchProblem.TOO_LARGE, "takes too much to read") from error
            except BaseException:
                # After a cancellation the answer would be taken for that of the next document.
                await self._end()
                raise
        if outcome.problem:
            raise Unfetched(FetchProblem(outcome.problem), outcome.detail)
        return outcome

    async def _exchange(self, asked: bytes) -> bytes:
        child = await self._running()
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(len(asked).to_bytes(_LENGTH_BYTES) + asked)
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(_LENGTH_BYTES))
        if length > _MAX_ANSWER_BYTES:
            raise EOFError
        return await child.stdout.readexactly(length)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", __name__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # the child finds its code where we do, and gets none of the venue's secrets
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            )
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()

    @property
    def pid(self) -> int:
        """The child's process id. Raises LookupError when none runs."""
        if self._child is None:
            raise LookupError
        return self._child.pid

    async def close(self) -> None:
        """End the child."""
        async with self._one_at_a_time:
            await self._end()


def _answer(asked: _ReadDocument | _ReadRobots) -> _Outcome:
    try:
        if isinstance(asked, _ReadRobots):
            return _Outcome(robots=read_robots(asked.body, asked.product))
        return _Outcome(items=READINGS[asked.reading](asked.document))
    except Unfetched as error:
        return _Outcome(problem=error.problem.value, detail=error.detail)


def _memory_bytes() -> int:
    """Return the size of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Read documents from `source` until it ends. The kernel ends a process that takes READ_S."""
    most_bytes = _memory_bytes() + MAX_READER_KEPT_BYTES
    while True:
        head = source.read(_LENGTH_BYTES)
        if len(head) < _LENGTH_BYTES:
            return
        data = source.read(int.from_bytes(head))
        signal.setitimer(signal.ITIMER_PROF, READ_S)
        outcome = _answer(_decode_asked(data))
        outcome.is_child_full = _memory_bytes() > most_bytes
        answer = _encode(outcome)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(len(answer).to_bytes(_LENGTH_BYTES) + answer)
        sink.flush()


if __name__ == "__main__":
    # trafilatura asks py3langid for languages only where it is told to; numpy comes with it,
    # which takes half of the memory that there is.
    sys.modules["py3langid"] = None  # type: ignore[assignment]
    page_text.load()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_READER_BYTES, MAX_READER_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # being killed here is normal
    serve(sys.stdin.buffer, sys.stdout.buffer)
