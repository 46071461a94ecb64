"""The search process: holds the index of all embeddings and says what is alike."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from nats.aio.client import Client

from deploy.observe.heartbeat import heartbeat, question_connection
from deploy.processes.daemon_thread import run_in_daemon_thread
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.paths import VenuePaths
from projections.limits import SEARCH_EMBED_S
from schemas import subjects
from schemas.asks import EMBED, SEARCH, EmbedAsked, EmbedTold
from schemas.codec import encode
from schemas.errors import LogUnavailable
from streams.log.clock import SystemClock
from streams.log.nats_log import NatsLog
from streams.log.nats_requests import ask

if TYPE_CHECKING:
    from projections.search.keeper import EmbedQuestion, SearchKeeper

_STARTING: Final = {"phase": "loading"}
_decode: Final = msgspec.json.Decoder(EmbedTold).decode


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Answer until `stop`, and save the index at the end."""
    log = await paths.log("search")
    keeper: SearchKeeper | None = None

    def status() -> dict[str, Any]:
        return _STARTING if keeper is None else keeper.status()

    try:
        async with heartbeat(paths, "search", status):
            # numpy and hnswlib take a second to load; the heartbeat goes on meanwhile
            keeper = await run_in_daemon_thread(lambda: new_keeper(paths, log), stop)
            if keeper is not None:
                await run_until_stopped(stop, _serve(paths, keeper))
                await keeper.save()
    finally:
        await log.close()


def new_keeper(paths: VenuePaths, log: NatsLog) -> "SearchKeeper":
    """Return what keeps the index of the venue's shard and of the model that measures."""
    from projections.search.keeper import SearchKeeper
    from streams.ingest.measuring.embedding import NAME

    return SearchKeeper(log, paths.home.search / paths.shard, NAME)


async def _serve(paths: VenuePaths, keeper: "SearchKeeper") -> None:
    """Open the index and answer from it, while it is built as well."""
    from projections.search.keeper import search_responder

    asking = await question_connection(paths, "search", subjects.answers(paths.shard, EMBED))
    answering = await question_connection(paths, "search")
    responder = search_responder(keeper, _embedded_by(asking, paths.shard, keeper.model))
    try:
        await keeper.open()
        await responder.serve(answering, subjects.ask(paths.shard, SEARCH))
        await keeper.build()
        await keeper.follow(SystemClock())
    finally:
        await responder.close()
        await asking.close()
        await answering.close()


def _embedded_by(connection: Client, shard: str, model: str) -> "EmbedQuestion":
    """Return what asks the measurer for the embedding of a question."""
    from projections.search.vectors import Vectors, vector_of

    async def embed(question: str) -> Vectors | None:
        asked = encode(EmbedAsked(question))
        told = await ask(connection, subjects.ask(shard, EMBED), asked, SEARCH_EMBED_S)
        answer = _decode(told)
        if answer.problem or answer.model != model:
            raise LogUnavailable(f"the measurer has no embedding: {answer.problem or 'model'}")
        return vector_of(answer.embedding)

    return embed
