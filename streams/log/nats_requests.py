"""Questions between processes of the venue, over core NATS: no stream keeps them.

An asker has a connection of its own, whose inbox is under `subjects.answers`, so that an
answer can be put nowhere near the log's acknowledgements. The number of questions that
wait is bounded, and so is the time: a question that nobody waits for any more is not answered.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.errors import EverythingError, LogUnavailable

_logger = structlog.get_logger(__name__)

AnswerRequest = Callable[[bytes], Awaitable[bytes]]


class Responder:
    """Answers what is asked on `subject`, so many questions `at_once`.

    At most `waiting` questions wait, each `wait_s` at most; others get the answer `busy` at
    once. An exception of `answer` leads to the answer `failed`.
    """

    def __init__(
        self,
        answer: AnswerRequest,
        *,
        waiting: int,
        wait_s: float,
        busy: bytes,
        failed: bytes,
        at_once: int = 1,
    ) -> None:
        self._answer = answer
        self._most = waiting
        self._wait_s = wait_s
        self._busy = busy
        self._failed = failed
        self._waiting = 0
        self._turn = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, client: Client, subject: str) -> None:
        """Begin to answer; it ends with the connection. Members of a group share the work."""
        await client.subscribe(subject, queue=subject, cb=self._on_message)

    async def close(self) -> None:
        """Stop answering."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_message(self, message: Msg) -> None:
        # The connection hands out one message after the other: the work is a task of its own.
        task = asyncio.create_task(self._respond(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, message: Msg) -> None:
        answer = await self.answer(message.data)
        with contextlib.suppress(NatsError, ConnectionError):
            await message.respond(answer)

    async def answer(self, question: bytes) -> bytes:
        """Return the answer to a question, once it is its turn."""
        if self._waiting >= self._most:
            return self._busy
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn.acquire()
        except TimeoutError:
            return self._busy
        finally:
            self._waiting -= 1
        try:
            return await self._answer(question)
        except EverythingError as error:
            _logger.warning("not answered", code=error.code, reason=str(error))
            return self._failed
        except Exception:
            _logger.exception("not answered")
            return self._failed
        finally:
            self._turn.release()


async def ask(client: Client, subject: str, question: bytes, within_s: float) -> bytes:
    """Return the answer to `question`. Raises LogUnavailable when none comes `within_s`."""
    if not client.is_connected:
        raise LogUnavailable(f"{subject}: the broker cannot be reached")
    try:
        answer = await client.request(subject, question, timeout=within_s)
    except (NatsError, TimeoutError, ConnectionError) as error:
        raise LogUnavailable(f"{subject} does not answer: {type(error).__name__}") from error
    return answer.data
