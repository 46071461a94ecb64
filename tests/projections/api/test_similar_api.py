"""Search by meaning over HTTP: both rankings, what is degraded, what is refused, the past."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from projections.api import create_read_router
from projections.api.similar import fused
from projections.limits import SEARCHES_PER_MINUTE
from schemas.asks import SimilarAsked, SimilarThing, SimilarTold
from schemas.errors import LogUnavailable
from streams.accounts.rate_limiter import RateLimiter
from streams.gateway.errors import install_handlers
from tests.projections.api.test_api import ok, refused, who
from tests.projections.api.test_history_api import Machine
from tests.projections.historic import keep_all
from tests.projections.reading import project_all, rows
from tests.projections.story import Story, told
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def story() -> Story:
    return told(seed=3, records=80)


@pytest.fixture(scope="module")
def similar_dsn(postgres: PostgresServer, story: Story) -> str:
    dsn = postgres.new_database()
    asyncio.run(project_all(story.scribe.server, dsn))
    return dsn


class Similar:
    """Stands in for the search process: tells what it was given."""

    def __init__(self) -> None:
        self.asked: list[SimilarAsked] = []
        self.told = SimilarTold()
        self.away = False

    async def similar(self, asked: SimilarAsked) -> SimilarTold:
        self.asked.append(asked)
        if self.away:
            raise LogUnavailable("nobody answers")
        return self.told


class SearchClock:
    def now_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None: ...


@asynccontextmanager
async def asking(
    dsn: str, port: Similar | None, admit: Callable[[str], None] = lambda _: None, **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_handlers(app, lambda _: None)
    router = create_read_router(dsn, who, similar_to=port, admit_search=admit, **more)
    app.include_router(router, prefix="/api/v1")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client,
    ):
        yield client


PATH = "/search/similar"


def table_rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows(dsn, query)]


async def test_meaning_and_words_are_ranked_together(similar_dsn: str) -> None:
    articles = table_rows(similar_dsn, "SELECT article, title FROM articles ORDER BY article")
    (market, *_) = table_rows(similar_dsn, "SELECT symbol, name FROM stocks ORDER BY symbol")
    first, second = articles[0], articles[-1]
    port = Similar()
    port.told = SimilarTold(
        things=[
            SimilarThing("article", str(second[0]), 1, 9_000),
            SimilarThing("market", str(market[0]), 1, 8_000),
            SimilarThing("article", "999999999", 1, 7_000),
            SimilarThing("article", str(first[0]), 1, 100),
        ]
    )
    async with asking(similar_dsn, port) as api:
        answer = await ok(api, PATH, q=market[1])
        assert answer["degraded"] is None
        top = answer["results"][0]
        assert (top["kind"], top["id"], top["symbol"]) == ("market", market[0], market[0])
        assert (top["title"], top["similarity"], top["matched"]) == (
            market[1], "0.8000", ["meaning", "words"],
        )  # fmt: skip
        ids = [one["id"] for one in answer["results"]]
        assert str(second[0]) in ids
        assert "999999999" not in ids, "the tables do not have it"
        assert port.asked[-1] == SimilarAsked(text=market[1])
        answer = await ok(api, PATH, market=market[0], kind="article", limit=1)
        assert [one["id"] for one in answer["results"]] == [str(second[0])]
        asked = port.asked[-1]
        assert (asked.text, asked.of, asked.kinds) == ("", ("market", market[0]), ("article",))


async def test_words_alone_say_that_they_are_alone(similar_dsn: str) -> None:
    (article, *_) = table_rows(similar_dsn, "SELECT article, title FROM articles ORDER BY article")
    port = Similar()
    answers = []
    async with asking(similar_dsn, port) as api, asking(similar_dsn, None) as bare:
        port.away = True
        answers.append(await ok(api, PATH, q=article[1], kind="article"))
        port.away, port.told = False, SimilarTold(problem="starting")
        answers.append(await ok(api, PATH, q=article[1], kind="article"))
        answers.append(await ok(bare, PATH, q=article[1], kind="article"))
        its_own = await ok(bare, PATH, article=article[0])
    for answer in answers:
        assert answer["degraded"] == "words"
        assert answer == answers[0]
        assert any(one["id"] == str(article[0]) for one in answer["results"])
        assert {tuple(one["matched"]) for one in answer["results"]} == {("words",)}
        assert {one["similarity"] for one in answer["results"]} == {None}
    assert all(one["id"] != str(article[0]) for one in its_own["results"])


@pytest.mark.parametrize(
    "words", ["the of and", "'; DROP TABLE x", "a & b | !c <-> (d", "雨 ä \\", "%"]
)
async def test_any_words_may_be_asked(similar_dsn: str, words: str) -> None:
    async with asking(similar_dsn, None) as api:
        assert (await ok(api, PATH, q=words))["degraded"] == "words"


async def test_what_is_refused(similar_dsn: str) -> None:
    async with asking(similar_dsn, Similar()) as api:
        wrong: list[dict[str, Any]] = [{}, {"q": "x", "market": "M0"}, {"article": 1, "event": "1"}]
        wrong += [{"q": ""}, {"q": "x" * 501}, {"q": "x", "kind": "horse"}, {"article": 0}]
        for query in wrong:
            assert (await refused(api, PATH, **query))[0] == 422
        assert (await refused(api, PATH, q="x", limit=51))[0] == 422
        assert await refused(api, PATH, market="NONE") == (404, "unknown_symbol")
        assert await refused(api, PATH, market="no symbol") == (404, "unknown_symbol")
        assert await refused(api, PATH, article=2**62) == (404, "not_found")
        assert await refused(api, PATH, event="1-NONE") == (404, "not_found")
    async with asking("postgresql://nobody@127.0.0.1:1/x", Similar()) as api:
        assert (await refused(api, PATH, q="x"))[0] == 503


async def test_a_network_asks_so_often_and_no_more(similar_dsn: str) -> None:
    rate = RateLimiter(SearchClock(), "this network searches too often")

    def admit(network: str) -> None:
        rate.admit(SEARCHES_PER_MINUTE, network)

    async with asking(similar_dsn, None, admit) as api:
        for _ in range(SEARCHES_PER_MINUTE):
            await ok(api, PATH, q="x", kind="event")
        assert await refused(api, PATH, q="x") == (503, "busy")


def test_fusion_likes_what_both_rankings_like() -> None:
    a, b, c = (("article", name) for name in "abc")
    assert fused([a, b], [b, c]) == [b, a, c]  # type: ignore[list-item]
    assert fused([], [c, a]) == [c, a]  # type: ignore[list-item]


async def test_the_past_is_asked_for_as_it_was(postgres: PostgresServer, story: Story) -> None:
    dsn = postgres.new_database()
    await project_all(story.scribe.server, dsn)
    await keep_all(story.scribe.server, dsn)
    found = table_rows(dsn, "SELECT article, title FROM articles ORDER BY article")
    middle = found[len(found) // 2]
    port = Similar()
    async with asking(dsn, port, states=Machine(story.scribe.server)) as api:
        answer = await ok(api, PATH, q=middle[1], at=middle[0])
    assert port.asked[0].at == middle[0]
    assert answer["sequence"] == middle[0]
    articles = [int(one["id"]) for one in answer["results"] if one["kind"] == "article"]
    assert middle[0] in articles
    assert max(articles) <= middle[0]
