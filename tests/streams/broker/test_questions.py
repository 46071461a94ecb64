"""One process asks another over a real server, each with its own role and nothing more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from nats.aio.client import Client

from projections.limits import SEARCH_ANSWER_S
from schemas import subjects
from schemas.asks import EMBED, SEARCH, EmbedAsked, EmbedTold
from schemas.codec import encode
from schemas.errors import LogUnavailable
from streams.broker import roles
from streams.ingest.limits import EMBED_WAIT_S, EMBEDS_WAITING
from streams.ingest.measuring.questions import embed_responder
from streams.ingest.measuring.vectors import to_text
from streams.log import nats_client
from streams.log.nats_requests import Responder, ask
from tests.streams.broker.venue import SHARD, BrokerVenue
from tests.streams.ingest.measuring.world import WordEmbedding
from tests.support.nats import heard

ASK_SEARCH, ASK_EMBED = subjects.ask(SHARD, SEARCH), subjects.ask(SHARD, EMBED)


@asynccontextmanager
async def connected(
    venue: BrokerVenue, role: str, service: str | None = None
) -> AsyncIterator[Client]:
    """Connect as a process does; answers of `service` come under its own prefix."""
    prefix = roles.inbox(role) if service is None else subjects.answers(SHARD, service)
    seed = venue.keyring.seed(role)
    client = await nats_client.connect(venue.server.url, name=role, seed=seed, inbox_prefix=prefix)
    try:
        yield client
    finally:
        await client.close()


def responder(seconds: float = 0, waiting: int = 2, wait_s: float = 5) -> Responder:
    async def answer(question: bytes) -> bytes:
        if question == b"break":
            raise ZeroDivisionError
        await asyncio.sleep(seconds)
        return question.upper()

    return Responder(answer, waiting=waiting, wait_s=wait_s, busy=b"busy", failed=b"failed")


async def test_the_gateway_asks_the_search_process(venue: BrokerVenue) -> None:
    async with connected(venue, "gateway", SEARCH) as asker, connected(venue, "search") as search:
        with pytest.raises(LogUnavailable):
            await ask(asker, ASK_SEARCH, b"x", SEARCH_ANSWER_S)
        answers = responder()
        await answers.serve(search, ASK_SEARCH)
        await heard(search)
        assert await ask(asker, ASK_SEARCH, b"x", SEARCH_ANSWER_S) == b"X"
        assert await ask(asker, ASK_SEARCH, b"break", SEARCH_ANSWER_S) == b"failed"
        assert await ask(asker, ASK_SEARCH, b"y", SEARCH_ANSWER_S) == b"Y"
        await answers.close()
    with pytest.raises(LogUnavailable):
        await ask(asker, ASK_SEARCH, b"x", SEARCH_ANSWER_S)


async def test_the_search_process_asks_the_measurer(venue: BrokerVenue) -> None:
    embedding = WordEmbedding()
    async with connected(venue, "search", EMBED) as asker, connected(venue, "measurer") as other:
        answers = embed_responder(embedding)
        await answers.serve(other, ASK_EMBED)
        await heard(other)
        told = await ask(asker, ASK_EMBED, encode(EmbedAsked("rain’s")), 5)
        assert msgspec.json.decode(told, type=EmbedTold) == EmbedTold(
            to_text(WordEmbedding().of("rain's")), "words"
        )
        for wrong in (b"junk", encode(EmbedAsked("")), encode(EmbedAsked("x" * 501))):
            told = await ask(asker, ASK_EMBED, wrong, 5)
            assert msgspec.json.decode(told, type=EmbedTold).problem == "malformed"
        assert embedding.asked == ["rain's"]
        await answers.close()


async def test_an_answer_cannot_come_to_an_inbox_of_the_role(venue: BrokerVenue) -> None:
    async with connected(venue, "gateway") as asker, connected(venue, "search") as search:
        answers = responder()
        await answers.serve(search, ASK_SEARCH)
        await heard(search)
        with pytest.raises(LogUnavailable):
            await ask(asker, ASK_SEARCH, b"x", 0.5)
        await answers.close()


async def test_who_is_too_many_is_told_at_once() -> None:
    slow = responder(seconds=0.2, waiting=2)
    found = await asyncio.gather(*(slow.answer(b"x") for _ in range(5)))
    assert sorted(found) == [b"X", b"X", b"X", b"busy", b"busy"]
    assert await slow.answer(b"x") == b"X"


async def test_who_waits_too_long_is_told() -> None:
    slow = responder(seconds=0.5, waiting=5, wait_s=0.1)
    assert list(await asyncio.gather(*map(slow.answer, (b"a", b"b")))) == [b"A", b"busy"]


def test_the_bounds_fit_into_one_another() -> None:
    assert EMBED_WAIT_S < SEARCH_ANSWER_S
    assert EMBEDS_WAITING > 0
