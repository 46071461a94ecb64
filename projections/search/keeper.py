"""Keeps the index as the log has it, saves it, and answers questions from it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from projections.limits import (
    SEARCH_CHUNK_ROWS,
    SEARCH_SAVE_ROWS,
    SEARCH_SAVE_SHARE,
    SEARCH_WAIT_S,
    SEARCHES_WAITING,
)
from projections.search.files import IndexRefused, SavedIndex, load, message_hash, save
from projections.search.index import Measured, SearchIndex
from projections.search.vectors import Vectors, vector_of
from schemas import subjects
from schemas.asks import SimilarAsked, SimilarTold
from schemas.codec import encode
from schemas.errors import InputError, OperatingError
from schemas.limits import MAX_ASK_BYTES, MAX_QUESTION_CHARS, MAX_SIMILAR
from schemas.observations import MEASURED, TextMeasured, model_of
from schemas.stored import Stored
from streams.log.cursor import Cursor
from streams.log.nats_requests import Responder
from streams.log.ports import Clock, Log

_decode_asked: Final = msgspec.json.Decoder(SimilarAsked).decode

_log = structlog.get_logger(__name__)

EmbedQuestion = Callable[[str], Awaitable[Vectors | None]]
"""Returns the embedding of a question, None if there is none. May raise OperatingError."""
OnBuilt = Callable[[int, int], None]


def measured_in(message: Stored, model: str) -> Measured | None:
    """Return what `message` says of a thing; None if it is of another model or unreadable."""
    try:
        said = MEASURED.decode(message.payload)
    except InputError:
        return None
    vector = vector_of(said.embedding)
    if vector is None:
        return None
    if isinstance(said, TextMeasured):
        fits = model_of(said.model) == model
        return Measured(said.kind, said.id, message.sequence, vector) if fits else None
    if said.unfit or model_of(said.models.embedding) != model:
        return None
    return Measured("article", str(said.article), message.sequence, vector)


class SearchKeeper:
    """The index of one shard and one model, in `folder` while nobody has it in memory."""

    def __init__(self, log: Log, folder: Path, model: str) -> None:
        self._log = log
        self._folder = folder
        self.model = model
        self._subject = subjects.signals(log.shard)
        self._last: Stored | None = None
        self._saved_rows = 0
        self._turn = asyncio.Lock()
        """The graph is never searched while it grows."""
        self.index = SearchIndex()
        self.is_built = False

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        kinds = {f"{kind}s": len(table) for kind, table in self.index.tables.items()}
        phase = "answering" if self.is_built else "building"
        return {"phase": phase, "sequence": self.index.sequence, **kinds}

    async def open(self) -> None:
        """Take what was saved, if it is of this log; otherwise begin again."""
        try:
            index, origin = await asyncio.to_thread(load, self._folder, self._log.shard, self.model)
            stored = await self._log.get(origin.sequence)
            if stored is None or origin.message_hash != message_hash(*stored[1:]):
                raise IndexRefused("the log does not hold what it stands for")
        except IndexRefused as refused:
            _log.info("search index refused", reason=str(refused))
            return
        self.index, self._last, self._saved_rows = index, stored, len(index)

    async def build(self, progress: OnBuilt | None = None) -> None:
        """Fold the log up to where it ends now, and save the index if that brought much."""
        async with Cursor(self._log, [self._subject], self.index.sequence) as cursor:
            end = await cursor.end()
            async for messages in cursor.read_to(end):
                await self._fold(messages)
                if progress is not None:
                    progress(self.index.sequence, end)
        self.is_built = True
        await self.save_if_due()

    async def follow(self, clock: Clock) -> None:
        """Fold what comes, without end. Raises an OperatingError that outlasts its bounds."""
        async with Cursor(self._log, [self._subject], self.index.sequence) as cursor:
            async for messages in cursor.follow(retry=clock):
                await self._fold(messages)
                await self.save_if_due()

    async def save_if_due(self) -> None:
        """Save the index if much has come since it was saved."""
        fresh = len(self.index) - self._saved_rows
        if fresh >= max(SEARCH_SAVE_ROWS, len(self.index) // SEARCH_SAVE_SHARE):
            await self.save()

    async def save(self) -> None:
        """Save the index. A disk that fails costs the next start a rebuild, and nothing else."""
        if self._last is None or len(self.index) == self._saved_rows:
            return
        last = self._last
        known = message_hash(last.subject, last.payload)
        origin = SavedIndex(self._log.shard, self.model, self.index.sequence, known)
        try:
            async with self._turn:
                await asyncio.to_thread(save, self.index, self._folder, origin)
        except OSError as error:
            _log.warning("search index not saved", reason=str(error))
            return
        self._saved_rows = len(self.index)

    async def _fold(self, messages: Sequence[Stored]) -> None:
        some = [one for stored in messages if (one := measured_in(stored, self.model))]
        for start in range(0, len(some), SEARCH_CHUNK_ROWS):
            async with self._turn:
                await asyncio.to_thread(self.index.add, some[start : start + SEARCH_CHUNK_ROWS])
        if messages:
            self._last = messages[-1]
            self.index.sequence = self._last.sequence

    async def answer(self, asked: SimilarAsked, embed: EmbedQuestion) -> SimilarTold:
        """Return what is like the thing or the text that is asked about."""
        if not self.is_built:
            return SimilarTold(problem="starting")
        if asked.of is not None:
            vector = self.index.vector(*asked.of, asked.at)
        else:
            try:
                vector = await embed(asked.text)
            except OperatingError as error:
                _log.warning("question not embedded", code=error.code)
                return SimilarTold(problem="failed")
        if vector is None:
            return SimilarTold(problem="unknown")
        async with self._turn:
            found = await asyncio.to_thread(
                self.index.similar, vector, asked.kinds, asked.most + 1, asked.at
            )
        things = [one for one in found if (one.kind, one.id) != asked.of][: asked.most]
        return SimilarTold(things=things, sequence=self.index.sequence)


def search_responder(keeper: SearchKeeper, embed: EmbedQuestion) -> Responder:
    """Return what answers questions from `keeper`'s index."""

    async def answer(question: bytes) -> bytes:
        try:
            asked = _decode_asked(question) if len(question) <= MAX_ASK_BYTES else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            asked = None
        if asked is None or not _is_sound(asked):
            return encode(SimilarTold(problem="malformed"))
        return encode(await keeper.answer(asked, embed))

    return Responder(
        answer,
        waiting=SEARCHES_WAITING,
        wait_s=SEARCH_WAIT_S,
        busy=encode(SimilarTold(problem="busy")),
        failed=encode(SimilarTold(problem="failed")),
    )


def _is_sound(asked: SimilarAsked) -> bool:
    return (
        (asked.of is None) == bool(asked.text)
        and len(asked.text) <= MAX_QUESTION_CHARS
        and 0 < asked.most <= MAX_SIMILAR
    )
