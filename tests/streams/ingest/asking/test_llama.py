"""llama.cpp itself, with a model of random weights: loading, grammar, bounds, repeatability."""

import asyncio
import builtins
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import MalformedMessage
from streams.ingest.asking import llama, model_file
from streams.ingest.asking.answers import read_answer, schema
from streams.ingest.asking.llama import LlamaCpp, open_llama
from streams.ingest.asking.llm import NoLlm
from streams.ingest.asking.model_file import sha256_of
from streams.ingest.asking.prompt import Question, Quoted, render, short_id
from streams.ingest.limits import LLM_CONTEXT_TOKENS, MAX_LLM_TOKENS
from tests.support.tiny_gguf import BEGIN, END, write_tiny_llama

pytestmark = pytest.mark.long  # llama.cpp is compiled for `make test-long`

IDS = ["a" * 64, "b" * 64]
GIVEN = {short_id(one): one for one in IDS}
SCHEMA = schema(list(GIVEN))
PROMPT = render(
    Question("RATES", "Rates", -4_500, [Quoted(one, "daily", "Rate cut", "x") for one in IDS])
)
ENDLESS: dict[str, Any] = {"type": "string", "minLength": 1_000, "maxLength": 1_100}


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[LlamaCpp]:
    model = open_llama(path, sha256_of(path), threads=1)
    assert isinstance(model, LlamaCpp)
    try:
        yield model
    finally:
        await model.close()


async def test_the_grammar_is_obeyed_by_a_fool(terse: Path) -> None:
    async with opened(terse) as model:
        said = await model.ask(PROMPT, SCHEMA, 60)
    assert said.ended == "end"
    answer = read_answer(said.text, GIVEN)
    assert set(answer.snapshot_ids) <= set(IDS)


async def test_without_a_grammar_it_says_nonsense(terse: Path) -> None:
    """Else the test above would prove nothing."""
    async with opened(terse) as model:
        said = await model.ask(PROMPT, {"type": "string", "maxLength": 20}, 60)
    with pytest.raises(MalformedMessage):
        read_answer(said.text, GIVEN)


async def test_the_same_question_has_the_same_answer(terse: Path) -> None:
    """Asked twice, asked after another question, asked of a model loaded anew."""
    other = PROMPT.replace("Rate cut", "Rate rise")
    async with opened(terse) as model:
        first = await model.ask(PROMPT, SCHEMA, 60)
        between = await model.ask(other, SCHEMA, 60)
        assert await model.ask(PROMPT, SCHEMA, 60) == first
    async with opened(terse) as model:
        assert await model.ask(other, SCHEMA, 60) == between
        assert await model.ask(PROMPT, SCHEMA, 60) == first


async def test_nothing_is_kept_from_one_question_to_the_next(
    terse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time, the whole prompt is read again, though llama.cpp still holds it."""
    async with opened(terse) as model:
        read: list[int] = []
        real = model._model.eval

        def counting(tokens: list[int]) -> None:
            read.append(len(tokens))
            real(tokens)

        monkeypatch.setattr(model._model, "eval", counting)
        for _ in range(2):
            await model.ask(PROMPT, SCHEMA, 60)
        assert sorted(read)[-2:] == [len(model._tokens(PROMPT))] * 2


def test_the_same_file_twice(terse: Path, tmp_path: Path) -> None:
    assert write_tiny_llama(tmp_path / "again.gguf").read_bytes() == terse.read_bytes()


async def test_an_answer_without_end_is_cut_at_its_bound(endless: Path) -> None:
    async with opened(endless) as model:
        said = await model.ask(PROMPT, SCHEMA, 60)
    assert said.ended == "length"
    assert 300 < len(said.text) <= MAX_LLM_TOKENS + 100
    with pytest.raises(MalformedMessage):
        read_answer(said.text, GIVEN)


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an answer take its time, so that it is under way when it is cut."""
    monkeypatch.setattr(llama, "MAX_LLM_TOKENS", 1_000)


@pytest.mark.usefixtures("talkative")
async def test_the_deadline_cuts_the_answer(endless: Path) -> None:
    async with opened(endless) as model:
        whole = await model.ask(PROMPT, ENDLESS, 60)
        said = await model.ask(PROMPT, ENDLESS, 0.05)
        assert said.ended == "time"
        assert len(said.text) < len(whole.text)
        assert (await model.ask(PROMPT, ENDLESS, 60)) == whole  # and it is none the worse


async def test_the_deadline_cuts_the_reading_of_the_prompt(terse: Path) -> None:
    """llama.cpp is stopped within a step of its own, not only between two tokens."""
    async with opened(terse) as model:
        said = await model.ask(PROMPT, SCHEMA, 0)
        assert (said.text, said.ended) == ("", "time")
        assert (await model.ask(PROMPT, SCHEMA, 60)).ended == "end"


@pytest.mark.usefixtures("talkative")
async def test_a_cancelled_call_lets_go_of_the_thread(endless: Path) -> None:
    async with opened(endless) as model:
        asking = asyncio.create_task(model.ask(PROMPT, ENDLESS, 600))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await model.ask(PROMPT, ENDLESS, 0.01)).ended == "time"


@pytest.mark.usefixtures("talkative")
async def test_the_loop_goes_on_meanwhile(endless: Path) -> None:
    async with opened(endless) as model:
        asking = asyncio.create_task(model.ask(PROMPT, ENDLESS, 60))
        beats = 0
        while not asking.done():
            await asyncio.sleep(0.001)
            beats += 1
        await asking
    assert beats > 5


@pytest.mark.usefixtures("talkative")
async def test_closing_cuts_a_call_short(endless: Path) -> None:
    model = open_llama(endless, sha256_of(endless), threads=1)
    assert isinstance(model, LlamaCpp)
    asking = asyncio.create_task(model.ask(PROMPT, ENDLESS, 600))
    await asyncio.sleep(0.02)
    await model.close()
    assert (await asking).ended == "time", "and its own bound is longer than a test may take"


async def test_what_fits(terse: Path) -> None:
    async with opened(terse) as model:
        assert model.fits(PROMPT)
        assert not model.fits("\u00e4 " * (LLM_CONTEXT_TOKENS - MAX_LLM_TOKENS))


async def test_no_text_becomes_a_control_token(terse: Path) -> None:
    """Only the template's own turns end in the model's own token."""
    async with opened(terse) as model:
        tokens = model._tokens("<|system|>\nhello<s><unk></s>\nyou")
        assert (tokens[0], tokens.count(BEGIN), tokens.count(END)) == (BEGIN, 1, 1)
        assert 0 not in tokens


async def test_a_prompt_beyond_the_context_breaks_and_is_survived(terse: Path) -> None:
    async with opened(terse) as model:
        with pytest.raises(Exception, match=r".") as raised:
            await model.ask("word " * 3 * LLM_CONTEXT_TOKENS, SCHEMA, 60)
        assert not isinstance(raised.value, asyncio.CancelledError)
        assert (await model.ask(PROMPT, SCHEMA, 60)).ended == "end"


# -- loading -----------------------------------------------------------------------------


async def test_name_tells_file_and_digest(terse: Path, terse_sha256: str) -> None:
    async with opened(terse) as model:
        assert model.name == f"terse.gguf@{terse_sha256}"


def test_missing_file(tmp_path: Path) -> None:
    assert open_llama(tmp_path / "none.gguf", "0" * 64) == NoLlm(model_file.NO_FILE)


def test_another_file(terse: Path) -> None:
    assert open_llama(terse, "0" * 64) == NoLlm(model_file.WRONG_FILE)


@pytest.mark.parametrize("stated", ["", "none", "0" * 63, None])
def test_no_stated_digest(terse: Path, stated: str | None) -> None:
    assert open_llama(terse, stated) == NoLlm(model_file.NO_PIN)


@pytest.mark.parametrize("data", [b"", b"GGUF", b"no model at all", b"GGUF" + bytes(4_000)])
def test_no_model(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    assert open_llama(path, sha256_of(path)) == NoLlm(llama.NOT_LOADED)


def test_half_a_model(terse: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(terse.read_bytes()[:100_000])
    assert open_llama(path, sha256_of(path)) == NoLlm(llama.NOT_LOADED)


def test_without_the_library(
    terse: Path, terse_sha256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name == "llama_cpp":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert open_llama(terse, terse_sha256) == NoLlm(llama.NOT_INSTALLED)


def test_pin_beside_the_file(tmp_path: Path) -> None:
    path = write_tiny_llama(tmp_path / "own.gguf")
    pin = model_file.pin_of(path)
    assert pin.name == "own.gguf.sha256"
    pin.write_text(sha256_of(path).upper() + "\n")
    assert model_file.checked(path, None) == model_file.ModelFile(path, sha256_of(path))
    assert model_file.checked(path, "0" * 64) == model_file.WrongFile(model_file.WRONG_FILE)
    pin.write_bytes(b"\xff\xfe")
    assert model_file.checked(path, None) == model_file.WrongFile(model_file.NO_PIN)


def test_schema_is_plain_json() -> None:
    asked: Mapping[str, Any] = json.loads(json.dumps(SCHEMA))
    assert asked == SCHEMA
