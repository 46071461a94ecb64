"""Sources of kind `sitemap`: an index and its parts, the pages they list, and whose turn it is."""

from schemas.jobs import FetchPage, FetchSource
from schemas.observations import ArticleObserved, FetchProblem, SourceFetched
from streams.ingest.fetching.problems import HostBusy, Unfetched
from streams.ingest.jobs.services import DONE
from streams.ingest.limits import MAX_HELD_REDIRECT_S
from tests.simulated.virtual_time import simulate
from tests.streams.ingest.fetching.web import Page, html, source
from tests.streams.ingest.fetching.world import FetchWorld
from tests.streams.ingest.sources.test_sitemap import index, news, page, part, urls

INDEX = "https://paper.example/sitemap.xml"
PART_A, PART_B = "https://paper.example/a.xml", "https://paper.example/b.xml"
SITEMAP = source(INDEX, kind="sitemap")


def xml(text: str, **headers: str) -> Page:
    return Page(text.encode(), 200, {"Content-Type": "application/xml", **headers})


def due(at_ns: int = 1) -> FetchSource:
    return FetchSource(source="wire", due_ns=at_ns)


def world_of(*parts: str) -> FetchWorld:
    world = FetchWorld(SITEMAP)
    world.web[INDEX] = xml(index(*parts), ETag='"1"')
    world.web[PART_A] = xml(urls(page(1, "2026-11-20"), page(2, "2026-11-22")))
    world.web[PART_B] = xml(urls(page(3, "2026-11-21", news("Rain", "2026-11-21"))))
    return world


def asked_for(world: FetchWorld) -> list[str]:
    return [url for url, _ in world.asked]


def wanted(world: FetchWorld) -> list[FetchPage]:
    return [job for job in world.queued.jobs if isinstance(job, FetchPage)]


async def last_fetch(world: FetchWorld) -> SourceFetched:
    fetched = (await world.seen())[-1]
    assert isinstance(fetched, SourceFetched)
    return fetched


def test_the_pages_of_a_sitemap_are_fetched_as_articles() -> None:
    async def work() -> None:
        world = FetchWorld(source(PART_B, kind="sitemap"))
        world.web[PART_B] = xml(urls(page(3, "2026-11-21", news("Rain", "2026-11-21"))))
        await world.do(due())
        (job,) = wanted(world)
        assert (job.url, job.title, job.language) == ("https://paper.example/3", "Rain", "en")
        world.web[job.url] = html(f"<article><p>{'It rained all day. ' * 9}</p></article>")
        assert await world.do(job) == DONE
        (article,) = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert (article.title, article.via, article.published_ns) == (
            "Rain", "html", job.published_ns,
        )  # fmt: skip

    simulate(work())


def test_the_parts_of_an_index_are_read_as_one_document() -> None:
    async def work() -> None:
        world = world_of(part("a", "2026-11-22"), part("b", "2026-11-21"))
        await world.do(due())
        assert asked_for(world) == [INDEX, PART_A, PART_B]
        assert [job.url[-1] for job in wanted(world)] == ["1", "3", "2"], "oldest first"
        fetched = await last_fetch(world)
        assert (fetched.outcome, fetched.items, fetched.new_articles) == ("fetched", 3, 3)

    simulate(work())


def test_an_index_whose_dates_stand_still_costs_one_request() -> None:
    async def work() -> None:
        world = world_of(part("a", "2026-11-22"))
        await world.do(due(0))
        await world.do(due(world.clock.now_ns()))
        assert asked_for(world) == [INDEX, PART_A, INDEX]
        assert world.asked[-1][1] == {"If-None-Match": '"1"'}
        assert (await last_fetch(world)).outcome == "unchanged"

    simulate(work())


def test_an_index_without_dates_is_asked_for_in_full_with_its_parts() -> None:
    async def work() -> None:
        world = world_of(part("a"))
        await world.do(due(0))
        world.web[PART_A] = xml(urls(page(4), page(1)))
        await world.do(due(world.clock.now_ns()))
        assert asked_for(world) == [INDEX, PART_A, INDEX, PART_A]
        assert world.asked[2][1] == {}
        assert [job.url[-1] for job in wanted(world)][2:] == ["4"]

    simulate(work())


def test_a_part_that_cannot_be_had_hides_no_other() -> None:
    async def work() -> None:
        world = world_of(part("a", "2026-11-22"), part("b", "2026-11-21"))
        world.web[PART_A] = xml("<urlset>")
        await world.do(due())
        assert [job.url[-1] for job in wanted(world)] == ["3"]
        world = world_of(part("a"), part("b"))
        world.web[PART_A] = Unfetched(FetchProblem.HTTP_STATUS, "", 404)
        world.web[PART_B] = xml(index(part("a")))
        await world.do(due())
        fetched = await last_fetch(world)
        assert (fetched.outcome, fetched.problem, fetched.status) == ("failed", "http_status", 404)
        assert asked_for(world) == [INDEX, PART_A, PART_B], "one level"

    simulate(work())


def test_a_part_waits_for_its_turn_and_not_for_ever() -> None:
    class Busy(FetchWorld):
        """A host that gives each part its turn only after `wait_s`."""

        wait_s = 30.0

        async def _get(self, *asked: object):  # type: ignore[no-untyped-def]  # as the base has it
            url = asked[1]
            told = [one for one, _ in self.asked].count(str(url))
            if url != INDEX and told == 0:
                self.asked.append((str(url), {}))
                raise HostBusy(self.wait_s)
            return await super()._get(*asked)  # type: ignore[arg-type]

    async def work(wait_s: float) -> Busy:
        world = Busy(SITEMAP)
        world.web = world_of(part("a")).web
        world.wait_s = wait_s
        assert await world.do(due()) == DONE
        return world

    patient = simulate(work(30.0))
    assert [job.url[-1] for job in wanted(patient)] == ["1", "2"]
    late = simulate(work(MAX_HELD_REDIRECT_S + 1.0))
    assert wanted(late) == []


def test_of_a_paywalled_sitemap_only_its_titles_are_observed() -> None:
    async def work() -> None:
        world = FetchWorld(source(PART_B, kind="sitemap", paywalled=True))
        titled = page(3, "2026-11-21", news("Rain falls", "2026-11-21"))
        world.web[PART_B] = xml(urls(titled, page(4, "2026-11-22")))
        await world.do(due())
        assert wanted(world) == []
        (article,) = [one for one in await world.seen() if isinstance(one, ArticleObserved)]
        assert (article.title, article.url) == ("Rain falls", "https://paper.example/3")

    simulate(work())
