"""From a request on the log to an answer on the log, whatever the model does."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.articles import snapshot_id
from schemas.chain import digest
from schemas.errors import AppendUnknown, LogUnavailable, UnknownRecord
from schemas.events.reality import LlmTimedOut
from schemas.limits import MAX_LLM_ARTICLES
from schemas.observations import LlmAvailability
from schemas.stored import Stored
from schemas.subjects import articles, llm
from schemas.units import SECOND_NS
from streams.ingest.asking import asker as words
from streams.ingest.asking.asker import Asker, announce
from streams.ingest.asking.llm import Said
from streams.ingest.asking.prompt import NAME
from streams.ingest.jobs.services import DONE, Delivery, Later, Verdict
from streams.ingest.limits import MAX_RAW_OUTPUT_CHARS
from tests.simulated.faults import AppendFault, DeliveryFault, Faults
from tests.simulated.virtual_time import START_NS, VirtualClock, simulate
from tests.streams.ingest.asking.scripted import (
    DEADLINE_NS,
    AskingWorld,
    ScriptedLlm,
    document,
    ids_in,
    requested,
    sensible,
)


def handled(
    world: AskingWorld, model: ScriptedLlm, *sequences: int, faults: Faults | None = None
) -> list[Verdict]:
    """Have one worker handle the records at `sequences`, one after another."""

    async def main() -> list[Verdict]:
        log = world.server.connect("llm", faults)
        asker = Asker(log, VirtualClock(), model, asyncio.Event())
        verdicts = [await asker.handle(world.delivery(one)) for one in sequences]
        await log.close()
        return verdicts

    return simulate(main())


def saying(text: str, ended: str = "end") -> ScriptedLlm:
    return ScriptedLlm(lambda *_: Said(text, ended))  # type: ignore[arg-type]


def test_a_request_is_answered() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    articles_ = world.article(), world.article("Markets calm", "Nothing moved.")
    request = world.request(*articles_)
    assert handled(world, model, request) == [DONE]
    (called,) = world.calls()
    (prompt,) = model.prompts
    assert (called.request, called.request_id) == (request, "2-RATES")
    assert (called.prompt, called.model) == (NAME, "scripted@0")
    assert called.input_hash == digest(prompt.encode())
    assert called.error == ""
    assert called.answer is not None
    assert (called.answer.impact_e2, called.answer.confidence_bp) == (4_000, 7_500)
    assert called.answer.snapshot_ids == [
        snapshot_id("Rate cut", "The bank cut its rate."),
        snapshot_id("Markets calm", "Nothing moved."),
    ]
    assert json.loads(called.raw_output)["impact_suggestion"] == 40
    assert called.ended_ns - called.started_ns == SECOND_NS
    assert "Market RATES: Interest rates\n" in prompt
    assert "-0.4600" in prompt


def test_name_is_the_one_of_the_request() -> None:
    """A prompt can be rendered again from the log, whatever the market is called later."""
    world, model = AskingWorld(), ScriptedLlm(sensible)
    article = world.article()
    world.rename("RATES", "Rates in June")
    first = world.request(article)
    world.rename("RATES", "Rates in July")
    second = world.request(article)
    handled(world, model, second, first)
    assert ["June" in prompt for prompt in model.prompts] == [False, True]
    assert ["July" in prompt for prompt in model.prompts] == [True, False]


def test_unknown_market_goes_by_its_symbol() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    handled(world, model, world.request(world.article(), symbol="NEW"))
    assert "Market NEW: NEW\n" in model.prompts[0]


def test_other_events_ask_nothing() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    assert handled(world, model, world.write(LlmTimedOut(1, "2-RATES"))) == [DONE]
    assert (model.prompts, world.calls()) == ([], [])


def test_all_requests_of_a_record_are_answered() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    article = world.article()
    both = requested(article), requested(article, symbol="OTHER")
    handled(world, model, world.write(*both))
    assert [one.request_id for one in world.calls()] == ["2-RATES", "2-OTHER"]


def test_a_request_that_comes_again_has_its_answer() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    request = world.request(world.article())
    handled(world, model, request, request)  # the same worker
    handled(world, model, request)  # and one that was started since
    assert len(world.calls()) == len(model.prompts) == 1


def test_a_request_past_its_deadline_is_left_to_the_engine() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    request = world.request(world.article(), deadline_ns=START_NS)
    assert handled(world, model, request) == [DONE]
    assert (model.prompts, world.calls()) == ([], [])


@pytest.mark.parametrize(
    ("said", "ended", "error"),
    [
        ("I am only a language model.", "end", "not one JSON document"),
        ('{"summary": "and so on and on', "length", words.TOO_LONG),
        ('{"summary": "cut', "time", words.TOO_LATE),
        ("x" * 100_000, "end", "longer than 8000 characters"),
        ("{}", "end", "not the fields that were asked for"),
    ],
)
def test_nonsense_is_recorded_with_its_error(said: str, ended: str, error: str) -> None:
    world = AskingWorld()
    assert handled(world, saying(said, ended), world.request(world.article())) == [DONE]
    (called,) = world.calls()
    assert (called.answer, called.error) == (None, error)
    assert called.raw_output == said[:MAX_RAW_OUTPUT_CHARS]


def test_an_answer_that_ended_at_its_bound_is_one() -> None:
    world = AskingWorld()

    def say(prompt: str, schema: Mapping[str, Any]) -> Said:
        return Said(json.dumps(document(ids_in(schema))), "length")

    handled(world, ScriptedLlm(say), world.request(world.article()))
    assert world.calls()[0].answer is not None


def test_raw_output_can_stand_in_a_table() -> None:
    world = AskingWorld()
    handled(world, saying("a\x00b\nc\u202e"), world.request(world.article()))
    assert world.calls()[0].raw_output == "a\ufffdb\nc\ufffd"


def test_a_sensible_answer_that_is_too_late_is_none() -> None:
    world = AskingWorld()
    handled(world, ScriptedLlm(sensible, after_s=121), world.request(world.article()))
    (called,) = world.calls()
    assert (called.answer, called.error) == (None, words.TOO_LATE)
    assert called.raw_output != ""


def test_a_model_that_never_comes_back_is_given_up() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible, after_s=1e9)
    handled(world, model, world.request(world.article()))
    (called,) = world.calls()
    assert (called.answer, called.error) == (None, words.TOO_LATE)
    assert called.ended_ns - START_NS == 125 * SECOND_NS
    assert model.cancelled == 1


@pytest.mark.parametrize("broken", [RuntimeError("llama_decode returned -1"), MemoryError()])
def test_a_model_that_breaks_is_recorded(broken: Exception) -> None:
    world = AskingWorld()

    def say(*_: object) -> Said:
        raise broken

    assert handled(world, ScriptedLlm(say), world.request(world.article())) == [DONE]
    (called,) = world.calls()
    assert (called.answer, called.raw_output) == (None, "")
    assert called.error == f"the model failed: {type(broken).__name__}"
    assert called.input_hash != ""


def test_long_articles_are_shortened_until_they_fit() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible, most_chars=2_500)
    of = [world.article(f"t{n}", "x" * 1_000) for n in range(MAX_LLM_ARTICLES)]
    handled(world, model, world.request(*of))
    assert len(model.prompts[0]) <= 2_500
    assert world.calls()[0].answer is not None


def test_a_prompt_that_never_fits_is_recorded() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible, most_chars=10)
    handled(world, model, world.request(world.article()))
    assert model.prompts == []
    assert world.calls()[0].error == words.PROMPT_TOO_LONG


def test_what_is_no_article_is_recorded() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    junk = world.server.store([(articles(world.server.shard), b"junk")])
    for of in [(999,), (world.market,), (junk,), ()]:
        handled(world, model, world.request(*of))
    assert model.prompts == []
    assert [one.error for one in world.calls()] == [words.NO_ARTICLES] * 4
    assert [one.input_hash for one in world.calls()] == [""] * 4


def test_an_unreadable_record_is_a_halt() -> None:
    world = AskingWorld()

    async def main() -> None:
        asker = Asker(
            world.server.connect(), VirtualClock(), ScriptedLlm(sensible), asyncio.Event()
        )
        with pytest.raises(UnknownRecord):
            await asker.handle(Delivery(1, "main.evt.reality", b'{"type":"record/9"}', 1))

    simulate(main())


def test_told_to_stop_the_call_is_cut_and_comes_again() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible, after_s=60)
    article = world.article()
    request = world.request(article)

    async def main() -> None:
        stop = asyncio.Event()
        asker = Asker(world.server.connect(), VirtualClock(), model, stop)
        asyncio.get_running_loop().call_later(5, stop.set)
        assert await asker.handle(world.delivery(request)) == Later(1)
        assert asyncio.get_running_loop().time() == 5
        assert await asker.handle(world.delivery(request)) == Later(1)

    simulate(main())
    assert (model.cancelled, len(model.prompts), world.calls()) == (1, 1, [])
    handled(world, ScriptedLlm(sensible), request)
    assert len(world.calls()) == 1


class LosesAck(Faults):
    """The first answer is stored, but its ack is lost with the connection."""

    def __init__(self) -> None:
        self.lost = 0

    def on_append(self, client: str, subject: str) -> AppendFault:
        self.lost += 1
        return AppendFault(ack_lost=self.lost == 1)


def test_an_append_of_unknown_fate_is_looked_up() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    request = world.request(world.article())
    with pytest.raises(AppendUnknown):
        handled(world, model, request, faults=LosesAck())
    assert handled(world, model, request) == [DONE]
    assert len(world.calls()) == len(model.prompts) == 1


class NoReading(Faults):
    def on_poll(self, client: str) -> DeliveryFault:
        return DeliveryFault(fails=True)


def test_an_unreachable_log_asks_nothing() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    with pytest.raises(LogUnavailable):
        handled(world, model, world.request(world.article()), faults=NoReading())
    assert model.prompts == []


def test_a_log_that_withholds_what_it_has_is_not_waited_for_for_ever() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    request = world.request(world.article())
    delivery = world.delivery(request)

    async def main() -> None:
        log = world.server.connect()
        asker = Asker(log, VirtualClock(), model, asyncio.Event())
        world.server.lose(world.market)  # a reader of one subject cannot tell that it is gone
        with pytest.raises(LogUnavailable):
            await asker.handle(delivery)

    last = world.server.last

    def remembered(subject: str, at: int | None = None) -> Stored | None:
        return last(subject, at) or Stored(world.market, subject, b"")

    world.server.last = remembered  # type: ignore[method-assign]
    simulate(main())
    assert model.prompts == []


def test_availability_is_said_and_disabled_only_once() -> None:
    world = AskingWorld()

    async def main() -> None:
        log, clock = world.server.connect(), VirtualClock()
        asker = Asker(log, clock, ScriptedLlm(sensible), asyncio.Event())
        await announce(log, clock, "disabled", "no model")
        await announce(log, clock, "disabled", "no model")
        await asker.say_enabled()
        await asker.say_disabled("stopped")
        await announce(log, clock, "disabled", "stopped")
        await announce(log, clock, "disabled", "no model")

    simulate(main())
    said = [one for one in world.observed() if isinstance(one, LlmAvailability)]
    assert [(one.mode, one.reason, one.model) for one in said] == [
        ("disabled", "no model", ""),
        ("enabled", "", "scripted@0"),
        ("disabled", "stopped", "scripted@0"),
        ("disabled", "no model", ""),
    ]
    assert {one.prompt for one in said} == {NAME}


def test_junk_among_the_answers_is_passed_over() -> None:
    world, model = AskingWorld(), ScriptedLlm(sensible)
    world.server.store([(llm(world.server.shard), b"junk")])
    handled(world, model, world.request(world.article()))
    assert len(model.prompts) == 1


def test_deadline_of_the_request_bounds_the_call() -> None:
    world = AskingWorld()
    asked: list[float] = []

    class TimedLlm(ScriptedLlm):
        async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
            asked.append(within_s)
            return await super().ask(prompt, schema, within_s)

    handled(world, TimedLlm(sensible), world.request(world.article(), deadline_ns=DEADLINE_NS))
    assert asked == [120.0]
