"""Texts of markets and final events: measured once per version, whoever is killed when."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.chain import GENESIS_HASH
from schemas.codec import encode
from schemas.errors import AppendUnknown, LogUnavailable
from schemas.events.governance import MarketEdited
from schemas.events.reality import ImpactAssessed, LlmAnswered, ScoreChanged
from schemas.observations import OBSERVATIONS, LlmAnswer, LlmCalled, TextMeasured
from schemas.records import Record, seal
from schemas.subjects import DEFAULT_SHARD, REALITY, events, llm, signals
from streams.ingest.measuring.texts import TextMeasurer, hash_of
from streams.ingest.measuring.typography import TYPOGRAPHY
from tests.simulated.log import SimulatedServer
from tests.streams.ingest.measuring.test_article_log_view import StillClock
from tests.streams.ingest.measuring.test_measurer import Flaky
from tests.streams.ingest.measuring.world import (
    NOW_NS,
    TEXT,
    TITLE,
    WordEmbedding,
    article,
    listed,
    observed,
    record,
)


async def inline(work: Callable[[], Any]) -> Any:
    return work()


class TextDesk:
    """A measurer of texts over a simulated log."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server
        self.log = Flaky(server)
        self.embedding = WordEmbedding()
        self.texts = TextMeasurer(self.log, StillClock(), self.embedding, aside=inline)

    async def measure_all(self) -> list[TextMeasured]:
        while await self.texts.step():
            pass
        return texts_on(self.server)


async def opened(server: SimulatedServer) -> TextDesk:
    desk = TextDesk(server)
    await desk.texts.open()
    return desk


def texts_on(server: SimulatedServer) -> list[TextMeasured]:
    found = []
    for stored in server.messages():
        if stored.subject == signals(DEFAULT_SHARD):
            said = OBSERVATIONS.decode(stored.payload)
            if isinstance(said, TextMeasured):
                found.append(said)
    return found


def judged(*decided: Any) -> tuple[str, bytes]:
    """Return a record of the reality engine, to be appended."""
    bare = Record(
        engine=REALITY,
        decider="reality/2",
        epoch=1,
        number=1,
        first_input=1,
        last_input=1,
        time_ns=NOW_NS,
        tick=False,
        events=list(decided),
        state_hash=None,
        prev=GENESIS_HASH,
    )
    return events(DEFAULT_SHARD, REALITY), seal(bare)[0]


def assessed(cluster: int, delta_e2: int = 0, llm: Any = "not_needed") -> ImpactAssessed:
    return ImpactAssessed(
        1, cluster, "ACME", cluster, 0, 0, 1, 1, 0, 0, 0, 0, 0, delta_e2, 0, llm, 1, 0
    )


def changed(cluster: int) -> ScoreChanged:
    return ScoreChanged(1, "ACME", cluster, cluster, "daily", 0, 1, 1, 0, "", 1)


def edited(name: str, weight_bp: int = 5_000) -> MarketEdited:
    return MarketEdited(
        cause=2,
        symbol="ACME",
        name=name,
        description="",
        aliases=[],
        risk_level="low",
        market_weight_bp=weight_bp,
        reality_weight_bp=10_000 - weight_bp,
    )


async def test_each_version_of_a_market_is_measured_once() -> None:
    server = SimulatedServer()
    server.store([record(listed("ACME", "Acme", ["Acme Corp", "ACM"])), record(listed("ZEN", "Z"))])
    desk = await opened(server)
    first = await desk.measure_all()
    assert [(one.kind, one.id, one.of) for one in first] == [
        ("market", "ACME", 1),
        ("market", "ZEN", 2),
    ]
    assert desk.embedding.asked[0] == "Acme\nAcme Corp, ACM"
    assert first[0].text_hash == hash_of("Acme\nAcme Corp, ACM")
    assert (first[0].model, first[0].signals) == (f"words {TYPOGRAPHY}", 0)
    server.store([record(edited("Apex")), record(edited("Apex", 4_000))])
    assert [one.of for one in await desk.measure_all()][2:] == [6]
    server.store([record(edited("Acme")), record(edited("Apex"))])
    assert len(await desk.measure_all()) == 3, "the last version is measured already"
    again = await opened(server)
    assert len(await again.measure_all()) == 3
    assert again.embedding.asked == []


async def test_a_text_is_folded_to_be_measured_and_hashed_as_published() -> None:
    server = SimulatedServer()
    server.store([record(listed("MCD", "McDonald’s", []))])
    desk = await opened(server)
    (found,) = await desk.measure_all()
    assert desk.embedding.asked == ["McDonald's"]
    assert found.text_hash == hash_of("McDonald’s")


async def test_events_are_measured_when_they_are_final_by_title_or_summary() -> None:
    server = SimulatedServer()
    server.store(observed(article(), article("Another story about Acme")))
    server.store([judged(assessed(1, 5, "waiting"), assessed(2, 5))])
    desk = await opened(server)
    assert await desk.measure_all() == []
    server.store([judged(changed(1))])
    (first,) = await desk.measure_all()
    assert (first.kind, first.id, first.of) == ("event", "1-ACME", 1)
    assert desk.embedding.asked == [f"{TITLE}\n{TEXT}"]
    answer = LlmAnswer(
        schema_version=1,
        summary="The court let Acme merge.",
        impact_e2=0,
        confidence_bp=1,
        rationale="",
        snapshot_ids=[],
    )
    call = LlmCalled(
        request=1, request_id="1-ACME", prompt="", input_hash="", model="", raw_output="",
        answer=answer, error="", started_ns=0, ended_ns=0,
    )  # fmt: skip
    at = server.store([(llm(DEFAULT_SHARD), encode(call))])
    used = LlmAnswered(at, "1-ACME", "used", 0, 0)
    server.store([judged(used, assessed(1), assessed(2))])
    found = await desk.measure_all()
    assert [(one.id, one.of) for one in found[1:]] == [("1-ACME", at), ("2-ACME", 2)]
    assert desk.embedding.asked[1] == "The court let Acme merge."
    server.store([judged(assessed(1), changed(2))])
    assert len(await desk.measure_all()) == 3
    assert len(await (await opened(server)).measure_all()) == 3


@pytest.mark.parametrize("kind", ["lost", "unanswered"])
async def test_an_append_that_fails_is_done_again_only_if_it_was_lost(kind: str) -> None:
    server = SimulatedServer()
    server.store([record(listed())])
    desk = await opened(server)
    setattr(desk.log, kind, 1)
    with pytest.raises((AppendUnknown, LogUnavailable)):
        await desk.texts.step()
    assert len(await desk.measure_all()) == 1


async def test_a_text_that_breaks_the_model_is_told_so_and_not_tried_again() -> None:
    server = SimulatedServer()
    server.store([record(listed("ACME", "Acme"), listed("ZEN", "Zenith"))])
    desk = await opened(server)

    def of(text: str) -> Any:
        if text == "Acme":
            raise ValueError(text)
        return WordEmbedding().of(text)

    desk.embedding.of = of  # type: ignore[method-assign]
    found = {one.id: one.embedding for one in await desk.measure_all()}
    assert found["ACME"] == ""
    assert found["ZEN"] != ""


async def test_what_cannot_be_read_has_no_text() -> None:
    server = SimulatedServer()
    server.store(
        [record(listed()), (llm(DEFAULT_SHARD), b"junk"), judged(assessed(2), assessed(9))]
    )
    server.store([(signals(DEFAULT_SHARD), b'{"type":"text_measured/1"}')])
    desk = await opened(server)
    while await desk.texts.step():
        pass
    assert desk.embedding.asked == ["Acme"]
