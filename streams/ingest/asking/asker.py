"""Asking: from LlmRequested to LlmCalled.

Every request that is read in time gets one LlmCalled, with an answer or with an error,
whatever the model does. A request that is read too late gets none; the engine notices that
by its own timer. After a crash before the append the request comes again; after a crash
behind it the answer is found on the log.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Literal, TypeVar

import structlog

from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import InputError, MalformedMessage
from schemas.events.reality import LlmRequested
from schemas.limits import MAX_LLM_ARTICLES
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
)
from schemas.records import read
from schemas.stored import Stored
from schemas.subjects import llm as llm_subject
from schemas.texts import clean
from schemas.units import SECOND_NS
from streams.ingest.asking import prompt
from streams.ingest.asking.answers import read_answer, schema
from streams.ingest.asking.llm import LanguageModel, Said
from streams.ingest.asking.llm_log_view import LlmLogView
from streams.ingest.jobs.services import DONE, Delivery, Later, Verdict
from streams.ingest.limits import LLM_CUT_S, MAX_LLM_TOKENS, MAX_RAW_OUTPUT_CHARS
from streams.log.ports import Clock, Log

TOO_LATE: Final = "no answer before the deadline"
TOO_LONG: Final = f"the answer is longer than {MAX_LLM_TOKENS} tokens"
PROMPT_TOO_LONG: Final = "the prompt does not fit, however short its articles"
NO_ARTICLES: Final = "an article cannot be read"
_AGAIN: Final = Later(1.0)
"""Not 0: a process that is stopping would get the message again."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class _Stopped(Exception):
    """The process was told to stop. The question under way is not answered."""


class _Unaskable(Exception):
    """The model cannot be asked. The error says why."""


class Asker:
    """Answers the requests of the reality engine until `stop`. One call at a time."""

    def __init__(self, log: Log, clock: Clock, llm: LanguageModel, stop: asyncio.Event) -> None:
        self._log = log
        self._clock = clock
        self._llm = llm
        self._stop = stop
        self._view = LlmLogView(log)
        self._counts = {"asked": 0, "answered": 0, "invalid": 0, "skipped": 0}
        self._sequence = 0

    def status(self) -> dict[str, Any]:
        """Return the position on the log, and how many requests ended in which way."""
        return {"sequence": self._sequence, **self._counts}

    async def handle(self, given: Delivery) -> Verdict:
        """Answer the requests in one record of the reality engine.

        Raises UnknownRecord for a record that cannot be read, OperatingError when the log
        cannot be reached: then the record has to come again.
        """
        record = read(Stored(given.sequence, given.subject, given.payload))
        for event in record.events:
            if isinstance(event, LlmRequested):
                try:
                    await self._serve(given.sequence, event)
                except _Stopped:
                    return _AGAIN
        self._sequence = given.sequence
        return DONE

    async def _serve(self, sequence: int, request: LlmRequested) -> None:
        """Answer one request, unless it has an answer already or is too late."""
        if self._stop.is_set():
            raise _Stopped
        await self._view.catch_up()
        started_ns = self._clock.now_ns()
        answered = self._view.is_answered(sequence, request.request_id)
        if answered or started_ns >= request.deadline_ns:
            self._counts["skipped"] += 1
            _log.info("skipped", seq=sequence, request=request.request_id, answered=answered)
            return
        self._counts["asked"] += 1
        called = await self._called(sequence, request, started_ns)
        self._counts["invalid" if called.answer is None else "answered"] += 1
        appended = await self._log.send(llm_subject(self._log.shard), encode(called))
        _log.info("asked", seq=appended, request=request.request_id, error=called.error)

    async def _called(self, sequence: int, request: LlmRequested, started_ns: int) -> LlmCalled:
        """Ask, and return what is to be appended about it."""
        text, given, said = "", dict[str, str](), Said("", "end")
        error, answer = "", None
        try:
            question = await self._question(sequence, request)
            given = {prompt.short_id(one.snapshot_id): one.snapshot_id for one in question.articles}
            text = self._fitting(question)
            within_s = (request.deadline_ns - started_ns) / SECOND_NS
            said = await self._said(text, given, within_s)
            answer = self._understood(said, given, request.deadline_ns)
        except (_Unaskable, MalformedMessage) as problem:
            error = str(problem)
        return LlmCalled(
            request=sequence,
            request_id=request.request_id,
            prompt=prompt.NAME,
            input_hash=digest(text.encode()) if text else "",
            model=self._llm.name,
            raw_output=_printable(said.text),
            answer=answer,
            error=error,
            started_ns=started_ns,
            ended_ns=max(self._clock.now_ns(), started_ns),
        )

    async def _question(self, sequence: int, request: LlmRequested) -> prompt.Question:
        articles = [await self._quoted(article) for article in request.articles[-MAX_LLM_ARTICLES:]]
        if not articles:
            raise _Unaskable(NO_ARTICLES)
        name = self._view.name_of(request.symbol, sequence)
        return prompt.Question(request.symbol, name, request.quick_bp, articles)

    async def _quoted(self, sequence: int) -> prompt.Quoted:
        stored = await self._log.get(sequence)
        try:
            article = None if stored is None else OBSERVATIONS.decode(stored.payload)
        except InputError:
            article = None
        if not isinstance(article, ArticleObserved):
            raise _Unaskable(NO_ARTICLES)
        return prompt.Quoted(article.snapshot_id, article.source, article.title, article.excerpt)

    def _fitting(self, question: prompt.Question) -> str:
        for text in prompt.renderings(question):
            if self._llm.fits(text):
                return text
        raise _Unaskable(PROMPT_TOO_LONG)

    async def _said(self, text: str, given: dict[str, str], within_s: float) -> Said:
        """Return what the model says. Raises _Stopped, or _Unaskable when the model breaks."""
        try:
            async with asyncio.timeout(within_s + LLM_CUT_S):
                asking = self._llm.ask(text, schema(list(given)), within_s)
                return await self._unless_stopped(asking)
        except _Stopped:
            raise
        except TimeoutError:
            return Said("", "time")
        except Exception as error:
            _log.exception("the model failed")
            raise _Unaskable(f"the model failed: {type(error).__name__}") from error

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """Return the result of `work`, or cancel it and raise _Stopped once told to stop."""
        working, stopping = asyncio.ensure_future(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _Stopped
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def _understood(self, said: Said, given: dict[str, str], deadline_ns: int) -> LlmAnswer:
        """Return the answer in what was said. Raises MalformedMessage."""
        if said.ended == "time" or self._clock.now_ns() >= deadline_ns:
            raise MalformedMessage(TOO_LATE)
        try:
            return read_answer(said.text, given)
        except MalformedMessage:
            if said.ended == "length":
                raise MalformedMessage(TOO_LONG) from None
            raise

    # -- availability --------------------------------------------------------------------

    async def say_enabled(self) -> None:
        """Say that requests are answered, with which model and prompt."""
        await announce(self._log, self._clock, "enabled", "", self._llm.name)

    async def say_disabled(self, reason: str) -> None:
        """Say that requests are no longer answered."""
        await announce(self._log, self._clock, "disabled", reason, self._llm.name)


async def announce(
    log: Log, clock: Clock, mode: Literal["enabled", "disabled"], reason: str, model: str = ""
) -> None:
    """Append an LlmAvailability. A `disabled` that is on the log already is not repeated."""
    saying = LlmAvailability(
        mode=mode, reason=reason, model=model, prompt=prompt.NAME, observed_ns=clock.now_ns()
    )
    if mode == "disabled":
        known = LlmLogView(log)
        await known.catch_up()
        last = known.availability
        if last is not None and (last.mode, last.reason) == (mode, reason):
            return
    await log.send(llm_subject(log.shard), encode(saying))
    _log.info("availability", mode=mode, reason=reason, model=model)


def _printable(text: str) -> str:
    """Return what the model said, cut to its bound, with nothing that no table can hold."""
    lines = text[:MAX_RAW_OUTPUT_CHARS].split("\n")
    return "\n".join(clean(line, MAX_RAW_OUTPUT_CHARS) for line in lines)
