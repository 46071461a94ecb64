"""The CLI's commands about news, against a real door; what tables would say is set here.

The answers are made of the read API's own models, so they cannot drift from it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from fastapi import APIRouter
from typer.testing import CliRunner, Result

from deploy.cli.app import app
from deploy.cli.watching import describe
from deploy.venue import keys
from projections.api import reality_models as told
from schemas import decisions
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import EverythingError, InputError
from schemas.jobs import FetchPage, job_name
from schemas.observations import OBSERVATIONS, ArticleObserved, JobGivenUp, JobRetried
from schemas.sources import Source
from tests.streams.gateway.house import SYMBOL, House, open_house
from tests.streams.gateway.test_real import RealClock, served
from tests.streams.gateway.test_services import ScriptedQueue

WHEN = "2026-11-20T18:02:03.000000Z"
PROPOSAL = '{"symbol":"RAIN-OSLO"}'
HASH = digest(PROPOSAL.encode())
HOSTILE = "[/red] rain \u2602"


def source_out(source: Source, **fields: Any) -> told.SourceOut:
    stated = {name: getattr(source, name) for name in source.__struct_fields__}
    trust = f"{stated.pop('trust_bp') / 10_000:.4f}"
    also: dict[str, Any] = {
        "quarantined_until": None,
        "quarantine_reason": "",
        "quarantine_detail": "",
        "last_fetch": None,
        "fetches": 0,
        "failures": 0,
        "articles": 0,
        "added_at": WHEN,
        "changed_at": WHEN,
        "cause": 1,
        "sequence": 1,
    }
    return told.SourceOut(**(stated | {"trust": trust} | also | fields))


def review_out(**fields: Any) -> told.ReviewOut:
    stated: dict[str, Any] = {
        "proposal_hash": HASH,
        "status": "open",
        "symbol": SYMBOL,
        "event_id": f"7-{SYMBOL}",
        "cluster": 7,
        "proposal": PROPOSAL,
        "reasons": ["suspicious_delta"],
        "detail": "18.40 is above 15.00",
        "charged": "feed",
        "sources": ["feed"],
        "points": "18.40",
        "delta": "18.40",
        "score_now": "50.00",
        "score_if_approved": "68.40",
        "final_price_now": "50.00",
        "final_price_if_approved": "59.20",
        "confidence": "0.5800",
        "signers": [],
        "answer_reason": "",
        "approved": None,
        "refused_source": "",
        "refused": "",
        "refused_detail": "",
        "opened_at": WHEN,
        "expires_at": WHEN,
        "closed_at": None,
        "cause": 9,
        "sequence": 9,
    }
    return told.ReviewOut(**(stated | fields))


EVENT = told.EventOut(
    event_id=f"7-{SYMBOL}",
    symbol=SYMBOL,
    cluster=7,
    state="pending_review",
    summary="It will rain",
    article=7,
    points="18.40",
    computed_points="18.40",
    counted_points="0.00",
    delta="18.40",
    quick_score="0.2300",
    weight="1.4392",
    trust="0.8500",
    confidence="0.5800",
    independent_sources=1,
    related=1,
    age_s=60,
    llm="skipped",
    policy_version=0,
    proposal_hash=HASH,
    opened_at=WHEN,
    changed_at=WHEN,
    cause=9,
    sequence=9,
)
ASSESSMENT = told.AssessmentOut(
    article=7,
    source="feed",
    trust="0.8500",
    title=HOSTILE,
    url="https://feed.example/1",
    published_at=WHEN,
    observed_at=WHEN,
    sentiment="0.5000",
    keywords="0.1000",
    relevance="0.6000",
    quick_score="0.2300",
    withdrawn="",
    withdrawn_by=None,
    assessed_at=WHEN,
    cause=9,
    sequence=9,
)
ARTICLE = told.ArticleOut(
    article=8,
    source="feed",
    title=HOSTILE,
    url="https://feed.example/2",
    published_at=None,
    observed_at=WHEN,
    language="en",
    text_chars=10,
    snapshot_id="0" * 64,
    locator="0" * 64,
    via="rss",
    robots_hash="",
    status="dropped",
    cluster=None,
    similar_to=7,
    similarity="0.9000",
    drop_reason="duplicate",
    drop_detail="",
    sequence=9,
)
MODE = told.LlmModeOut(
    mode="degraded",
    reason="3 of 20 calls failed",
    until=WHEN,
    availability="enabled",
    availability_reason="",
    model="tiny@0",
    prompt="assess-1",
    sequence=9,
)


LETTER = JobGivenUp(
    source="feed",
    url="https://feed.example/2",
    job=FetchPage(
        source="feed",
        url="https://feed.example/2",
        title=HOSTILE,
        language="",
        published_ns=None,
        wanted_by="",
        asked_ns=1,
    ),
    queue="page",
    attempts=5,
    reason="http_status",
    detail="",
    status=503,
    given_up_ns=1,
)
JOB = told.JobRowOut(
    job=job_name(LETTER.source, LETTER.url),
    source=LETTER.source,
    url=LETTER.url,
    what="page",
    title=HOSTILE,
    wanted_by="",
    status="dead",
    queue="page",
    attempts=5,
    reason="http_status",
    detail="",
    http_status=503,
    given_up=9,
    given_up_at=WHEN,
    retried_by=None,
    retry_reason=None,
    retried_at=None,
    sequence=9,
)
DAY = told.LedgerDayOut(
    symbol=SYMBOL,
    day="2026-11-20",
    unsigned_moves=2,
    unsigned="4.25",
    unsigned_size="4.25",
    approved="0.00",
    refused="-9.10",
    taken_back="0.00",
    cuts=1,
    sequence=9,
)
WITHOUT = told.WithoutSourceOut(symbol=SYMBOL, moved="4.25", score="54.25", score_without="50.00")


class Tables:
    """What the read API answers here."""

    def __init__(self) -> None:
        self.sources: dict[str, told.SourceOut] = {}
        self.review: Callable[[], told.ReviewOut] = review_out
        self.job = JOB

    def router(self) -> APIRouter:
        router = APIRouter()
        router.get("/sources")(lambda: {"sources": list(self.sources.values())})
        router.get("/sources/{source}")(lambda source: {"source": self.sources[source]})
        router.get("/sources/{source}/ledger")(lambda: {"days": [DAY]})
        router.get("/sources/{source}/ledger/symbols")(lambda: {"symbols": [WITHOUT]})
        router.get("/reviews")(lambda: {"reviews": [self.review()], "next": None})
        router.get("/reviews/{proposal_hash}")(lambda: {"review": self.review()})
        router.get("/events/{event_id}")(lambda: {"event": EVENT, "articles": [ASSESSMENT]})
        prices = {"reality_score": "51.00", "final_price": "50.50"}
        router.get("/market/{symbol}")(lambda: {"market": prices})
        router.get("/market/{symbol}/events")(lambda: {"events": [EVENT]})
        router.get("/articles")(lambda: {"articles": [ARTICLE]})
        router.get("/jobs")(lambda: {"jobs": [self.job]})
        router.get("/jobs/{job}")(lambda: {"job": self.job})
        router.get("/llm-calls")(lambda: {"mode": MODE, "calls": []})
        return router


class Person:
    """Whoever types commands, with the root key in the key folder."""

    def __init__(self, house: House, tables: Tables) -> None:
        self.house = house
        self.tables = tables

    async def run(self, *words: str, answer: str = "") -> Result:
        done = await asyncio.to_thread(CliRunner().invoke, app, words, input=answer)
        if isinstance(done.exception, EverythingError):
            raise done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    async def json(self, *words: str) -> Any:
        done = await self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def signed(self, kind: str) -> dict[str, Any]:
        """Return the last decision on the log, which must be of `kind`."""
        body: dict[str, Any] = json.loads(self.house.on_log("cmd.admin")[-1]["body"])
        assert body["type"] == f"{kind}/1"
        return body


@pytest.fixture(autouse=True)
def logs_aside() -> Iterator[None]:
    """Keep the door's log lines out of what the commands print."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Person]:
    tables = Tables()
    async with open_house(clock=RealClock()) as house:
        await house.open_for_trade()
        async with served(house.context, [tables.router()], lifespan="off") as url:
            monkeypatch.setenv("EVERYTHING_HOME", str(tmp_path))
            monkeypatch.setenv("EVERYTHING_URL", url)
            monkeypatch.setenv("COLUMNS", "200")
            folder = tmp_path / "keys"
            folder.mkdir()
            keys.key_path(folder, "root").write_text(house.root.seed)
            yield Person(house, tables)


FEED = Source(
    source="feed",
    name="A feed",
    kind="rss",
    url="https://feed.example/rss",
    trust_bp=8_512,
    poll_interval_s=60,
    link_selector="a.more",
    paywalled=True,
)


async def test_a_source_is_added(person: Person) -> None:
    await person.json(
        *("admin", "add-source", "feed", "--name", "A feed", "--kind", "rss"),
        *("--url", FEED.url, "--trust", "0.8512", "--poll-interval", "60"),
        *("--link-selector", "a.more", "--paywalled"),
    )
    assert person.house.context.directory.sources == {"feed": FEED}


async def test_the_poll_interval_is_the_settings(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLL_INTERVAL", "77")
    await person.json(
        "admin", "add-source", "feed", "--name", "F", "--kind", "rss", "--url", FEED.url
    )
    assert person.signed("add_source")["source"]["poll_interval_s"] == 77


@pytest.mark.parametrize(
    "words",
    [
        ("--trust", "1.5"),
        ("--trust", "0.00001"),
        ("--trust", "much"),
        ("--trust", "NaN"),
        ("--trust", "Infinity"),
        ("--url", "ftp://feed.example"),
        ("--poll-interval", "1"),
        ("--push-key", "nobody"),
    ],
)
async def test_what_cannot_be_a_source_is_not_signed(
    person: Person, words: tuple[str, str]
) -> None:
    before = person.house.server.last_sequence
    given = {"--name": "F", "--kind": "rss", "--url": FEED.url} | dict([words])
    options = [word for pair in given.items() for word in pair]
    with pytest.raises(InputError):
        await person.run("admin", "add-source", "feed", *options)
    assert person.house.server.last_sequence == before


async def test_a_change_leaves_the_rest_as_it_stands(person: Person) -> None:
    await person.house.act(decisions.AddSource(**terms(person), source=FEED))
    person.tables.sources["feed"] = source_out(FEED)
    await person.json("admin", "change-source", "feed", "--trust", "0.2", "--no-active")
    changed = person.house.context.directory.sources["feed"]
    assert (changed.trust_bp, changed.active) == (2_000, False)
    assert (changed.url, changed.link_selector, changed.paywalled) == (FEED.url, "a.more", True)
    with pytest.raises(InputError):
        await person.run("admin", "change-source", "feed")


def terms(person: Person) -> dict[str, Any]:
    return person.house.terms()


async def test_quarantine_and_release(person: Person) -> None:
    await person.house.act(decisions.AddSource(**terms(person), source=FEED))
    await person.json("admin", "quarantine-source", "feed", "--hours", "2", "--reason", "spam")
    signed = person.signed("quarantine_source")
    left_ns = signed["until_ns"] - person.house.clock.now_ns()
    assert 2 * 3600 - 60 < left_ns / 10**9 <= 2 * 3600
    await person.json("admin", "release-source", "feed", "--reason", "sorry")
    assert person.signed("quarantine_source")["until_ns"] == 0


async def test_a_source_pushes(person: Person) -> None:
    made = await person.json("admin", "new-key", "wire")
    await person.json(
        *("admin", "add-source", "wire", "--name", "Wire", "--kind", "push"),
        *("--push-key", "wire"),
    )
    source = person.house.context.directory.sources["wire"]
    assert source.push_key == made["public_key"]
    article = ("push", "wire", "--title", "Rain", "--text", "in Oslo")
    when = ("--published", "2026-11-20T18:00:00+01:00")
    first = await person.json(*article, *when)
    assert await person.json(*article, *when) == first
    stored = person.house.server.get(first["sequence"])
    assert stored is not None
    seen = OBSERVATIONS.decode(stored.payload)
    assert isinstance(seen, ArticleObserved)
    assert (seen.title, seen.excerpt, seen.language) == ("Rain", "in Oslo", "en")
    assert seen.published_ns == 1_795_194_000 * 10**9
    for wrong in (("--published", "soon"), ("--url", "nowhere"), ("--id", "a b")):
        with pytest.raises(InputError):
            await person.run(*article, *wrong)


async def test_jobs_say_why_they_were_given_up(person: Person) -> None:
    shown = (await person.run("jobs", "--status", "dead")).stdout
    row = f"{JOB.job}  dead    2026-11-20 18:02  feed           5  http_status 503  {JOB.url}"
    assert row in shown, shown
    (job,) = await person.json("jobs", "--source", "feed", "--reason", "http_status")
    assert job["job"] == JOB.job


async def test_a_job_is_tried_again(person: Person) -> None:
    queue = person.house.context.jobs = ScriptedQueue()
    log = person.house.server.connect("fetcher")
    given_up = await log.send("main.obs-job.feed", encode(LETTER))
    person.tables.job = JOB.model_copy(update={"given_up": given_up})
    command = ("admin", "retry-job", JOB.job, "--reason", "the site is back")
    done = await person.json(*command)
    stored = person.house.server.get(done["sequence"])
    assert stored is not None
    said = OBSERVATIONS.decode(stored.payload)
    assert isinstance(said, JobRetried)
    assert (said.given_up, said.reason) == (given_up, "the site is back")
    assert list(queue.jobs) == [f"retry:{done['sequence']}"]
    assert f"{JOB.job} is tried again" in (await person.run(*command)).stdout


async def test_reviews_show_their_evidence(person: Person) -> None:
    until = "2999-01-01T00:00:00.000000Z"
    person.tables.sources["feed"] = source_out(FEED, quarantined_until=until)
    shown = (await person.run("admin", "reviews")).stdout
    for words in (
        f"{HASH[:16]}  {SYMBOL}  +18.40  suspicious_delta",
        "It will rain",
        "50.00 when it opened, 68.40 if approved; 51.00 now",
        "50.00 when it opened, 59.20 if approved; 50.50 now",
        "18.40 is above 15.00",
        "expires 2026-11-20 18:02 UTC",
        "source   feed: quarantined until 2999-01-01 00:00",
        f"2026-11-20 18:02  feed (trust 0.8500)  quick 0.2300  {HOSTILE}  https://feed.example/1",
    ):
        assert words in shown, shown
    (review,) = await person.json("admin", "reviews")
    assert review["articles"][0]["title"] == HOSTILE


def answered(person: Person, **fields: Any) -> Callable[[], told.ReviewOut]:
    """Return what the table says: open until a decision about HASH stands on the log."""

    def review() -> told.ReviewOut:
        said = [json.loads(one["body"]) for one in person.house.on_log("cmd.admin")]
        over = any(one.get("proposal_hash") == HASH for one in said)
        return review_out(**fields) if over else review_out()

    return review


@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_exactly_what_was_shown_is_answered(person: Person, word: str) -> None:
    person.tables.sources["feed"] = source_out(FEED)
    person.tables.review = answered(person, status=f"{word}d", sequence=99)
    command = ("admin", word, HASH[:6], "--reason", "seen")
    before = person.house.server.last_sequence
    declined = await person.run(*command, answer="n\n")
    assert (declined.exit_code, person.house.server.last_sequence) == (1, before)
    assert HOSTILE in declined.output
    done = await person.run(*command, answer="y\n")
    assert done.exit_code == 0, done.output
    signed = person.signed(f"{word}_review")
    assert (signed["proposal_hash"], signed["symbol"]) == (HASH, SYMBOL)
    assert signed["reason"] == "seen"


async def test_part_of_a_move_is_approved(person: Person) -> None:
    person.tables.sources["feed"] = source_out(FEED)
    person.tables.review = answered(person, status="approved", approved="3.50", sequence=99)
    command = ("admin", "approve", HASH[:6], "--only", "3.50", "--reason", "less")
    done = await person.run(*command, answer="y\n")
    assert done.exit_code == 0, done.output
    assert "Approve 3.50 points of this move, and no more?" in done.output
    assert person.signed("approve_part")["delta_e2"] == 350
    with pytest.raises(InputError, match="--only"):
        await person.run(*command[:4], "much", "--reason", "r", "--yes")


async def test_without_asking(person: Person) -> None:
    person.tables.review = answered(person, status="approved", sequence=99)
    done = await person.json("admin", "approve", HASH, "--reason", "seen", "--yes")
    assert (done["status"], done["review"]["status"]) == ("accepted", "approved")


async def test_an_answer_without_effect_is_told(person: Person) -> None:
    refused = {"refused": "holds_the_symbol", "refused_detail": "alice", "sequence": 10**6}
    person.tables.review = answered(person, **refused)
    done = await person.run("admin", "approve", HASH, "--reason", "seen", "--yes")
    assert done.exit_code == 1
    assert "holds_the_symbol: alice" in done.stdout


async def test_what_cannot_be_answered(person: Person) -> None:
    before = person.house.server.last_sequence
    command = ("admin", "approve", "--reason", "r", "--yes")
    with pytest.raises(InputError, match="at least"):
        await person.run(*command, HASH[:3])
    with pytest.raises(InputError, match="0 open reviews"):
        await person.run(*command, "0000" if not HASH.startswith("0000") else "1111")
    with pytest.raises(InputError, match="--yes"):
        await person.run("admin", "approve", "--reason", "r", HASH, "--json")
    person.tables.review = lambda: review_out(status="expired")
    with pytest.raises(InputError, match="expired"):
        await person.run(*command, HASH)
    person.tables.review = lambda: review_out(proposal='{"symbol":"OTHER"}')
    with pytest.raises(InputError, match="not the one that its hash says"):
        await person.run(*command, HASH)
    assert person.house.server.last_sequence == before


async def test_reading(person: Person) -> None:
    fetch = told.FetchOut(outcome="failed", problem="http_status", detail="", status=403, at=WHEN)
    person.tables.sources["feed"] = source_out(FEED, last_fetch=fetch)
    wrong = {"problem": "bad_xml", "detail": "line 6, item 2: the feed breaks off"}
    broken = told.FetchOut(outcome="failed", **wrong, status=200, at=WHEN)
    name = "broken"
    person.tables.sources[name] = source_out(
        msgspec.structs.replace(FEED, source=name), last_fetch=broken
    )
    for words, expected in (
        (("sources",), "2026-11-20 18:02 http_status 403"),
        (("sources",), "2026-11-20 18:02 bad_xml: line 6, item 2: the feed breaks off"),
        (("events", SYMBOL), "pending_review"),
        (("source-ledger", "feed"), f"2026-11-20  {SYMBOL}"),
        (("source-ledger", "feed"), "everything whatif --without-source feed"),
        (("source-ledger", "feed"), "54.25"),
        (("articles",), "dropped: duplicate"),
        (("articles",), HOSTILE),
        (("llm",), "llm_mode: degraded until 2026-11-20 18:02 UTC (3 of 20 calls failed)"),
    ):
        shown = (await person.run(*words)).stdout
        assert expected in shown, shown
        assert await person.json(*words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "applied"}, "reality   51.00, moved 1.00 by event 7-RAIN"),
        ({"status": "pending_review"}, "51.00, a move of 1.00 waits for a person (7-RAIN)"),
        ({"status": "rejected"}, "51.00, a move of 1.00 was rejected (7-RAIN)"),
        ({"status": "opened", "proposal_hash": None}, "reality   51.00 opened"),
    ],
)
def test_watching_a_score(fields: dict[str, Any], words: str) -> None:
    payload = {"reality_score": "51.00", "delta": "1.00", "event_id": "7-RAIN"}
    payload |= {"proposal_hash": HASH} | fields
    envelope = {"kind": "reality_update", "payload": payload, "ts": WHEN, "sequence_number": 3}
    (line,) = describe(envelope)
    assert words in line
