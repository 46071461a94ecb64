import random
from collections.abc import Sequence

import pytest

from schemas.codec import encode
from schemas.errors import LogUnavailable, UnknownRecord
from schemas.events.governance import MarketClosed, MarketEdited, PolicySet
from schemas.observations import SignalsMeasured, TextMeasured
from schemas.policy import Policy, RealityPolicy
from schemas.stored import Stored
from schemas.subjects import DEFAULT_SHARD, GOVERNANCE, articles, events, signals
from schemas.units import HOUR_NS, SECOND_NS
from streams.ingest.measuring.article_analyzer import ArticleAnalyzer, Measurement
from streams.ingest.measuring.article_log_view import ArticleLogView, behind_which
from streams.ingest.measuring.contraries import wording
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.vectors import to_text
from streams.ingest.measuring.window import EmbeddingWindow
from streams.log import cursor
from tests.simulated.log import SimulatedLog, SimulatedReader, SimulatedServer
from tests.streams.ingest.measuring.world import (
    NOW_NS,
    WordEmbedding,
    article,
    listed,
    observed,
    record,
    tools,
)


class StillClock:
    def __init__(self, now_ns: int = NOW_NS) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None: ...


class ViewedLog:
    """A ArticleLogView over a simulated log, and what it keeps."""

    def __init__(self, server: SimulatedServer, now_ns: int = NOW_NS) -> None:
        self.names, self.window = Names(), EmbeddingWindow(HOUR_NS)
        self.view = ArticleLogView(
            server.connect("view"), StillClock(now_ns), self.names, self.window
        )


def measured(sequence: int, observed_ns: int) -> tuple[str, bytes]:
    """Return the signals of an article about Acme, to be appended."""
    its = tools()
    its.names.put("ACME", "Acme", [])
    given = article(f"Acme number {sequence} soars as the court clears it", observed_ns=observed_ns)
    told = Measurement(sequence, given, 1, observed_ns + SECOND_NS)
    done: SignalsMeasured = ArticleAnalyzer(its, EmbeddingWindow(HOUR_NS)).measure(told)
    assert done.unfit == ""
    return signals(DEFAULT_SHARD), encode(done)


def text_of_a_market(signals_at: int) -> tuple[str, bytes]:
    """Return a measured text, to be appended."""
    text = TextMeasured(
        kind="market",
        id="ACME",
        of=1,
        text_hash="",
        embedding=to_text(WordEmbedding().of("Acme")),
        model="words",
        signals=signals_at,
        measured_ns=NOW_NS,
    )
    return signals(DEFAULT_SHARD), encode(text)


def edited(symbol: str, name: str) -> MarketEdited:
    return MarketEdited(
        cause=2,
        symbol=symbol,
        name=name,
        description="",
        aliases=[],
        risk_level="low",
        market_weight_bp=5_000,
        reality_weight_bp=5_000,
    )


async def test_names_and_policy_are_as_governance_decided() -> None:
    server = SimulatedServer()
    server.store([record(listed("ACME", "Acme"), listed("ZEN", "Zenith"))])
    server.store([record(edited("ACME", "Apex"), MarketClosed(cause=3, symbol="ZEN", reason=""))])
    policy = Policy(name="x", reality=RealityPolicy(vector_window_ns=2 * HOUR_NS))
    server.store([record(PolicySet(cause=4, version=2, policy=policy, reason=""))])
    reading = ViewedLog(server)
    await reading.view.open()
    found = reading.names.of("Apex", "Acme, Zenith")
    assert [one.symbol for one in found.mentions] == ["ACME"]
    assert reading.window.span_ns == 2 * HOUR_NS
    assert reading.view.names_as_of == 3


async def test_what_comes_later_is_followed() -> None:
    server = SimulatedServer()
    reading = ViewedLog(server)
    await reading.view.open()
    assert reading.view.names_as_of == 0
    server.store([record(listed()), measured(1, NOW_NS)])
    await reading.view.catch_up()
    assert reading.view.names_as_of == 1
    assert reading.view.is_measured(1)
    assert 1 in reading.window


async def test_the_window_begins_where_it_has_to() -> None:
    server = SimulatedServer()
    for article_number, hours in enumerate((9, 3, 2, 0), start=1):
        server.store([measured(article_number, NOW_NS - hours * HOUR_NS)])
    server.store([record(PolicySet(cause=1, version=1, policy=Policy(name="x"), reason=""))])
    reading = ViewedLog(server)
    await reading.view.open()
    assert [number in reading.window for number in (1, 2, 3, 4)] == [False, True, True, True]
    assert not reading.view.is_measured(1)
    assert reading.view.is_measured(2)


async def test_after_a_long_silence_it_reaches_back_from_the_last_that_was_measured() -> None:
    # those that waited meanwhile are compared with what was before them
    server = SimulatedServer()
    for number in (1, 2):
        server.store([measured(number, NOW_NS - 30 * HOUR_NS)])
    reading = ViewedLog(server)
    await reading.view.open()
    assert 1 in reading.window
    assert 2 in reading.window


async def test_texts_do_not_move_the_window() -> None:
    server = SimulatedServer()
    for number in (1, 2):
        server.store([measured(number, NOW_NS - 30 * HOUR_NS)])
    server.store([text_of_a_market(signals_at=2)])
    reading = ViewedLog(server)
    await reading.view.open()
    assert 1 in reading.window
    assert 2 in reading.window
    assert len(reading.window) == 2


async def test_texts_alone_are_no_articles() -> None:
    server = SimulatedServer()
    server.store([text_of_a_market(signals_at=0)])
    reading = ViewedLog(server)
    await reading.view.open()
    assert len(reading.window) == 0


async def test_behind_which_needs_few_looks_and_skips_nothing() -> None:
    rng = random.Random(4)
    server = SimulatedServer()
    times: list[int | None] = []
    for number in range(300):
        # commands carry times that anyone may choose
        for _ in range(rng.randrange(4)):
            server.store([("main.cmd.order.eve", b'{"time_ns":9999999999999999999}')])
            times.append(None)
        server.store(observed(article(observed_ns=number)))
        times.append(number)
    server.store([("main.cmd.order.eve", b"junk")])
    log = CountingLog(server.connect("looks"))
    for wanted in (0, 1, 57, 150, 299, 300):
        log.looks = 0
        found = await behind_which(log, wanted)
        behind = [one for one in times[found:] if one is not None]
        assert behind[:1] in ([wanted], [])
        assert all(one is None or one < wanted for one in times[:found])
        assert log.looks <= 11


class CountingLog(SimulatedLog):
    def __init__(self, log: SimulatedLog) -> None:
        super().__init__(server=log.server)
        self.looks = 0

    async def open_reader(self, subjects: Sequence[str], after: int) -> SimulatedReader:
        self.looks += 1
        return await super().open_reader(subjects, after)


@pytest.mark.parametrize("subject", [events(DEFAULT_SHARD, GOVERNANCE), signals(DEFAULT_SHARD)])
async def test_what_cannot_be_read_stops_the_measurer(subject: str) -> None:
    server = SimulatedServer()
    server.store([(subject, b'{"type":"new/9"}')])
    with pytest.raises(UnknownRecord):
        await ViewedLog(server).view.open()


async def test_signals_without_their_embedding_stop_the_measurer() -> None:
    server = SimulatedServer()
    subject, payload = measured(1, NOW_NS)
    start = payload.index(b'"embedding":"') + len(b'"embedding":"')
    server.store([(subject, payload[:start] + payload[start + 4 :])])
    with pytest.raises(UnknownRecord, match="embedding"):
        await ViewedLog(server).view.open()


async def test_a_log_that_withholds_what_it_has_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cursor, "READ_POLL_S", 0)
    server = SimulatedServer()
    reading = ViewedLog(server)
    await reading.view.open()

    async def lying(subject: str) -> Stored | None:
        return Stored(99, subject, b"")

    monkeypatch.setattr(reading.view._log, "last", lying)
    with pytest.raises(LogUnavailable):
        await reading.view.catch_up()


async def test_what_articles_of_the_window_report_is_known_again() -> None:
    server = SimulatedServer()
    wins, loses = article("Acme\u00a0wins its case", "A court ruled so."), article("Acme loses", "")
    server.store([*observed(wins), measured(1, NOW_NS)])
    viewed = ViewedLog(server)
    await viewed.view.open()
    assert viewed.window.wordings.get(1) == wording("Acme wins its case", "A court ruled so.")
    server.store([*observed(loses), (articles(DEFAULT_SHARD), b"junk")])
    await viewed.view.catch_up()
    assert viewed.window.wordings.get(3) == wording("Acme loses", "")
    assert viewed.window.wordings.get(4) is None
    await viewed.view.close()
