"""Embeddings of questions: a search by meaning asks the measurer, which has the model."""

import asyncio
from typing import Final

import msgspec

from schemas.asks import EmbedAsked, EmbedTold
from schemas.codec import encode
from schemas.limits import MAX_ASK_BYTES, MAX_QUESTION_CHARS
from streams.ingest.limits import EMBED_WAIT_S, EMBEDS_WAITING
from streams.ingest.measuring.article_analyzer import Embeds
from streams.ingest.measuring.typography import normalized
from streams.ingest.measuring.vectors import to_text
from streams.log.nats_requests import Responder

_decode: Final = msgspec.json.Decoder(EmbedAsked).decode


def embed_responder(embedding: Embeds) -> Responder:
    """Return what answers questions for embeddings, in a thread of its own."""

    async def answer(question: bytes) -> bytes:
        try:
            text = _decode(question).text if len(question) <= MAX_ASK_BYTES else ""
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = ""
        if not 0 < len(text) <= MAX_QUESTION_CHARS:
            return encode(EmbedTold(problem="malformed"))
        vector = await asyncio.to_thread(embedding.of, normalized(text))
        return encode(EmbedTold(embedding=to_text(vector), model=embedding.name))

    return Responder(
        answer,
        waiting=EMBEDS_WAITING,
        wait_s=EMBED_WAIT_S,
        busy=encode(EmbedTold(problem="busy")),
        failed=encode(EmbedTold(problem="failed")),
    )
