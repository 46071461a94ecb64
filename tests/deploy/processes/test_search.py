"""The search process on a real server, as the gateway asks it."""

import asyncio
import shutil
from pathlib import Path

from deploy.observe.heartbeat import question_connection
from deploy.processes import search
from deploy.venue.paths import VenuePaths
from deploy.venue.search_service import SearchService
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.asks import EMBED, SEARCH, SimilarAsked, SimilarTold
from schemas.errors import LogUnavailable
from streams.ingest.measuring.embedding import NAME
from streams.ingest.measuring.questions import embed_responder
from streams.ingest.measuring.vectors import Vector
from tests.projections.search.measured import text, vector
from tests.streams.broker.venue import SHARD, BrokerVenue
from tests.support.nats import heard

WITHIN_S = 20


class OneVector:
    """Stands in for the model: every question means the same."""

    name = NAME

    def of(self, text: str) -> Vector:
        return vector(3)


async def answered(service: SearchService, asked: SimilarAsked) -> SimilarTold:
    """Return the first answer that is one."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                told = await service.similar(asked)
            except LogUnavailable:
                told = SimilarTold(problem="starting")
            if told.problem != "starting":
                return told
            await asyncio.sleep(0.1)


async def test_it_answers_saves_and_takes_over(tmp_path: Path) -> None:
    venue = BrokerVenue(tmp_path / "broker")
    await venue.start()
    paths = VenuePaths(
        Settings.model_construct(
            home=tmp_path / "home", shard=SHARD, nats_url=venue.server.url, nats_port=1
        )
    )
    shutil.copytree(tmp_path / "broker" / "keys", paths.home.service_keys)
    try:
        async with venue.service("measurer") as measurer:
            for one in (text("market", "RAIN", 3, NAME), text("market", "FOG", 4, NAME)):
                await measurer.client.jetstream().publish(*one)
            connection = await question_connection(
                paths, "gateway", subjects.answers(SHARD, SEARCH)
            )
            service = SearchService(connection, SHARD)
            embedding = embed_responder(OneVector())
            for round_number in range(2):
                stop = asyncio.Event()
                running = asyncio.create_task(search.run(paths, stop))
                told = await answered(service, SimilarAsked(of=("market", "FOG")))
                assert [one.id for one in told.things] == ["RAIN"]
                if round_number == 0:
                    told = await answered(service, SimilarAsked(text="will it rain"))
                    assert told.problem == "failed", "nobody has the model yet"
                    await embedding.serve(measurer.client, subjects.ask(SHARD, EMBED))
                    await heard(measurer.client)
                told = await answered(service, SimilarAsked(text="will it rain"))
                assert [one.id for one in told.things] == ["RAIN", "FOG"]
                assert told.things[0].similarity_bp == 10_000
                stop.set()
                await running
                assert (paths.home.search / SHARD / "manifest.json").exists()
            await embedding.close()
            await connection.close()
    finally:
        await venue.server.kill9()
