"""The keeper on a simulated log: built, saved, taken over, refused; and what it answers."""

from pathlib import Path

import msgspec
import pytest

from projections.search import keeper as module
from projections.search.keeper import SearchKeeper, search_responder
from projections.search.vectors import Vectors
from schemas.asks import SimilarAsked, SimilarTold
from schemas.codec import encode
from schemas.errors import LogUnavailable
from schemas.observations import Models
from schemas.stored import Stored
from schemas.subjects import DEFAULT_SHARD, signals
from tests.projections.search.measured import MODEL, article_signals, text, vector
from tests.simulated.log import SimulatedServer


def server_with(articles: int) -> SimulatedServer:
    server = SimulatedServer()
    server.store([article_signals(n + 1, n) for n in range(articles)])
    server.store([text("market", "RAIN", 3), text("event", "1-RAIN", 4)])
    return server


async def kept(server: SimulatedServer, folder: Path, model: str = MODEL) -> SearchKeeper:
    keeper = SearchKeeper(server.connect("search"), folder, model)
    await keeper.open()
    await keeper.build()
    return keeper


async def embed(question: str) -> Vectors | None:
    return vector(int(question))


async def ask(keeper: SearchKeeper, asked: SimilarAsked) -> SimilarTold:
    answer = await search_responder(keeper, embed).answer(encode(asked))
    return msgspec.json.decode(answer, type=SimilarTold)


async def test_it_is_built_saved_and_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_with(20)
    first = await kept(server, tmp_path / "main")
    assert first.status() == {
        "phase": "answering", "sequence": 22, "articles": 20, "events": 1, "markets": 1,
    }  # fmt: skip
    await first.save()
    server.store([article_signals(99, 50)])
    folded: list[int] = []

    def note(message: Stored, model: str) -> None:
        folded.append(message.sequence)

    monkeypatch.setattr(module, "measured_in", note)
    second = await kept(server, tmp_path / "main")
    assert folded == [23]
    assert len(second.index) == 22


async def test_another_log_or_a_shorter_one_is_not_what_it_stands_for(tmp_path: Path) -> None:
    await (await kept(server_with(20), tmp_path / "main")).save()
    for server in (server_with(21), server_with(2)):
        keeper = SearchKeeper(server.connect("search"), tmp_path / "main", MODEL)
        await keeper.open()
        assert len(keeper.index) == 0
    other = await kept(server_with(20), tmp_path / "main", "other/1")
    assert len(other.index) == 0


async def test_what_is_of_another_model_unfit_or_unreadable_is_left_out(tmp_path: Path) -> None:
    server = server_with(1)
    server.store(
        [
            article_signals(50, 1, unfit="language", embedding=""),
            text("market", "FOG", 1, model="other"),
            text("market", "FOG", 1, model=f"other {MODEL}"),
            (signals(DEFAULT_SHARD), b'{"type":"text_measured/1"}'),
            (signals(DEFAULT_SHARD), b"junk"),
        ]
    )
    keeper = await kept(server, tmp_path / "main")
    assert len(keeper.index) == 3
    assert keeper.index.sequence == 8


async def test_what_is_of_the_model_is_held_however_its_text_was_prepared(tmp_path: Path) -> None:
    server = server_with(0)
    models = Models(
        embedding=f"{MODEL} typography/1", sentiment="", keywords="", entities="", language=""
    )
    server.store([text("market", "FOG", 1, model=f"{MODEL} typography/1")])
    server.store([article_signals(5, 5, models=models)])
    assert len((await kept(server, tmp_path / "main")).index) == 4


async def test_answers(tmp_path: Path) -> None:
    keeper = await kept(server_with(20), tmp_path / "main")
    told = await ask(keeper, SimilarAsked(text="3", most=2))
    assert [(one.kind, one.id, one.similarity_bp) for one in told.things] == [
        ("article", "4", 10_000),
        ("market", "RAIN", 10_000),
    ]
    assert told.sequence == 22
    told = await ask(keeper, SimilarAsked(of=("market", "RAIN"), kinds=("article",), most=1))
    assert [one.id for one in told.things] == ["4"]
    told = await ask(keeper, SimilarAsked(of=("article", "4"), at=4, most=50))
    assert [one.kind for one in told.things] == ["article"] * 3
    told = await ask(keeper, SimilarAsked(of=("market", "RAIN"), at=20))
    assert told.problem == "unknown"


async def test_why_there_is_no_answer(tmp_path: Path) -> None:
    keeper = SearchKeeper(server_with(1).connect("search"), tmp_path / "main", MODEL)
    assert (await ask(keeper, SimilarAsked(text="1"))).problem == "starting"
    await keeper.build()
    for wrong in (
        SimilarAsked(),
        SimilarAsked(text="1", of=("market", "RAIN")),
        SimilarAsked(text="1" * 501),
        SimilarAsked(text="1", most=0),
        SimilarAsked(text="1", most=51),
    ):
        assert (await ask(keeper, wrong)).problem == "malformed"
    responder = search_responder(keeper, embed)
    for junk in (b"", b"[", b'{"of":["horse","x"]}', b'"' + b"x" * 9_000 + b'"'):
        told = msgspec.json.decode(await responder.answer(junk), type=SimilarTold)
        assert told.problem == "malformed"

    async def away(question: str) -> Vectors | None:
        raise LogUnavailable("nobody answers")

    answer = await search_responder(keeper, away).answer(encode(SimilarAsked(text="x")))
    assert msgspec.json.decode(answer, type=SimilarTold).problem == "failed"
