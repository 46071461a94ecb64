"""POST /reality/ingest: signed articles, and what the door refuses of them."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from schemas import articles, decisions
from schemas.codec import encode
from schemas.limits import (
    MAX_EVENT_ID_CHARS,
    MAX_INGEST_BYTES,
    MAX_PUSHED_TEXT_CHARS,
    MAX_TITLE_CHARS,
)
from schemas.observations import OBSERVATIONS, ArticleObserved
from schemas.pushes import PushedArticle
from schemas.sources import Source
from streams.gateway import pushes
from streams.gateway.routes import ingest
from tests.streams.gateway.house import House, Key

PATH = "/reality/ingest"
SOURCE = "wire"


@pytest.fixture
def pen() -> Key:
    """What signs for SOURCE."""
    return Key()


@pytest.fixture
async def desk(market: House, pen: Key) -> House:
    """A venue with a push source, SOURCE, of which ten characters of text are kept."""
    await add(market, source(pen))
    return market


def source(pen: Key, **fields: Any) -> Source:
    stated: dict[str, Any] = {"source": SOURCE, "name": "Wire", "kind": "push", "excerpt_chars": 10}
    return Source(**(stated | {"push_key": pen.public} | fields))


async def add(house: House, added: Source) -> None:
    answer = await house.act(decisions.AddSource(**house.terms(), source=added))
    assert answer.status_code == 200, answer.text


def article(house: House, **fields: Any) -> PushedArticle:
    stated: dict[str, Any] = {
        "source": SOURCE,
        "event_id": "e-1",
        "url": "https://wire.example/1",
        "title": "Rain in Oslo",
        "text": "It rains in Oslo, again.",
        "language": "en",
        "published_ns": house.clock.ns,
        "venue_id": house.venue_id,
    }
    return PushedArticle(**(stated | fields))


async def push(house: House, pen: Key, pushed: PushedArticle) -> httpx.Response:
    return await house.post(PATH, pen.action(pushed))


def observed(house: House) -> list[ArticleObserved]:
    found = []
    for message in house.server.messages():
        if message.subject == "main.obs.article":
            observation = OBSERVATIONS.decode(message.payload)
            assert isinstance(observation, ArticleObserved)
            found.append(observation)
    return found


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_push_is_observed_to_the_letter(desk: House, pen: Key) -> None:
    pushed = article(desk)
    action = pen.action(pushed)
    answer = await desk.post(PATH, action)
    assert answer.status_code == 202, answer.text
    snapshot_id = articles.snapshot_id(pushed.title, pushed.text)
    assert answer.json() == {"sequence": answer.json()["sequence"], "snapshot_id": snapshot_id}
    (seen,) = observed(desk)
    assert seen.push is not None
    assert (seen.push.key, seen.push.body, seen.push.signature) == tuple(action.values())
    assert seen.snapshot_id == snapshot_id
    assert seen.locator == articles.locator(pushed.url, pushed.published_ns)
    assert (seen.source, seen.via, seen.title, seen.url) == (
        SOURCE,
        "push",
        "Rain in Oslo",
        "https://wire.example/1",
    )
    assert (seen.excerpt, seen.text_chars) == ("It rains i", len(pushed.text))
    assert (seen.item, seen.backlog) == (articles.page(pushed.url), False)
    assert (seen.published_ns, seen.observed_ns) == (pushed.published_ns, desk.clock.ns)
    stored = desk.server.get(answer.json()["sequence"])
    assert stored is not None
    assert stored.payload == encode(seen)


async def test_a_repeated_event_is_answered_as_before_and_stored_once(
    desk: House, pen: Key
) -> None:
    first = await push(desk, pen, article(desk))
    desk.clock.ns += 10**9
    again = await push(desk, pen, article(desk, published_ns=desk.clock.ns - 10**9))
    assert again.status_code == 202
    assert again.json() == first.json()
    assert len(observed(desk)) == 1


async def test_an_event_id_stands_for_one_article(desk: House, pen: Key) -> None:
    await push(desk, pen, article(desk))
    assert refusal(await push(desk, pen, article(desk, title="Sun in Oslo"))) == (409, "duplicate")
    other = await push(desk, pen, article(desk, title="Sun in Oslo", event_id="e-2"))
    assert other.status_code == 202
    assert len(observed(desk)) == 2


async def test_answers_are_bounded(desk: House, pen: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushes, "MAX_REMEMBERED_PUSHES", 1)
    await push(desk, pen, article(desk))
    await push(desk, pen, article(desk, event_id="e-2"))
    await push(desk, pen, article(desk, event_id="e-2"))
    assert len(observed(desk)) == 2
    await push(desk, pen, article(desk))
    assert len(observed(desk)) == 3


async def test_what_the_door_refuses_never_reaches_the_log(desk: House, pen: Key) -> None:
    before = desk.server.last_sequence
    good = pen.action(article(desk))
    text = good["body"]
    spaced = text.replace(",", ", ", 1)
    more = text[:-1] + ',"more":1}'
    cases: list[tuple[dict[str, str], tuple[int, str]]] = [
        (good | {"signature": "A" * 86}, (401, "bad_signature")),
        (good | {"body": text.replace("Rain", "Pain")}, (401, "bad_signature")),
        (good | {"key": Key().public}, (403, "unknown_key")),
        (good | {"body": "{}"}, (400, "malformed")),
        (good | {"body": '{"type":"pushed_article/9"}'}, (422, "unknown_message")),
        (good | {"body": spaced, "signature": pen.sign(spaced.encode())}, (422, "not_canonical")),
        (good | {"body": more, "signature": pen.sign(more.encode())}, (422, "not_canonical")),
        (good | {"body": " " * (MAX_INGEST_BYTES + 1)}, (413, "too_large")),
        (Key().action(article(desk)), (403, "unknown_key")),
        (pen.action(article(desk, venue_id="0" * 64)), (409, "wrong_venue")),
        (pen.action(article(desk, source="nobody")), (404, "unknown_source")),
    ]
    for action, expected in cases:
        assert refusal(await desk.post(PATH, action)) == expected, action
    assert desk.server.last_sequence == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", ""),
        ("event_id", "a b"),
        ("event_id", "e" * (MAX_EVENT_ID_CHARS + 1)),
        ("title", ""),
        ("title", "two\nlines"),
        ("title", "t" * (MAX_TITLE_CHARS + 1)),
        ("text", "bell\x07"),
        ("text", "t" * (MAX_PUSHED_TEXT_CHARS + 1)),
        ("url", "javascript:alert(1)"),
        ("url", "https://user@wire.example/"),
        ("language", "en\n"),
        ("language", "english, mostly"),
        ("published_ns", -1),
        ("published_ns", 2**63),
    ],
)
async def test_bounds(desk: House, pen: Key, field: str, value: Any) -> None:
    before = desk.server.last_sequence
    answer = await push(desk, pen, article(desk, **{field: value}))
    assert refusal(answer) == (422, "bad_input")
    assert answer.json()["error"]["detail"] == {"field": field}
    assert desk.server.last_sequence == before


async def test_what_may_be_unknown(desk: House, pen: Key) -> None:
    bare = article(desk, url="", text="", language="", published_ns=None)
    assert (await push(desk, pen, bare)).status_code == 202
    (seen,) = observed(desk)
    assert (seen.url, seen.excerpt, seen.text_chars, seen.published_ns) == ("", "", 0, None)


@pytest.mark.parametrize("changed", [{"key": "x"}, {"body": 7}, {"signature": ""}, {"more": 1}])
async def test_an_envelope_of_the_wrong_shape(
    desk: House, pen: Key, changed: dict[str, Any]
) -> None:
    action: dict[str, Any] = pen.action(article(desk))
    assert refusal(await desk.post(PATH, action | changed)) == (422, "bad_input")


async def test_only_active_sources_that_push(desk: House, pen: Key) -> None:
    feed = Source(source="feed", name="Feed", kind="rss", url="https://feed.example/rss")
    await add(desk, feed)
    assert refusal(await push(desk, pen, article(desk, source="feed"))) == (404, "unknown_source")
    idle = source(pen, active=False)
    answer = await desk.act(decisions.ChangeSource(**desk.terms(), source=idle))
    assert answer.status_code == 200, answer.text
    assert refusal(await push(desk, pen, article(desk))) == (404, "unknown_source")


async def test_a_changed_key_signs_from_then_on(desk: House, pen: Key) -> None:
    fresh = Key()
    changed = msgspec.structs.replace(source(pen), push_key=fresh.public)
    answer = await desk.act(decisions.ChangeSource(**desk.terms(), source=changed))
    assert answer.status_code == 200, answer.text
    assert refusal(await push(desk, pen, article(desk))) == (403, "unknown_key")
    assert (await push(desk, fresh, article(desk))).status_code == 202


async def test_a_quarantined_source_may_speak(desk: House, pen: Key) -> None:
    """Its articles stand on the log, and the engine says what they count for."""
    until = desk.clock.ns + 10**12
    quarantine = decisions.QuarantineSource(
        **desk.terms(), source=SOURCE, until_ns=until, reason="r"
    )
    assert (await desk.act(quarantine)).status_code == 200
    assert (await push(desk, pen, article(desk))).status_code == 202


async def test_pushes_are_metered_by_source(
    desk: House, pen: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "PUSHES_PER_MINUTE", 2)
    other = Key()
    await add(desk, source(other, source="other"))
    for number in range(2):
        answer = await push(desk, pen, article(desk, event_id=f"e-{number}"))
        assert answer.status_code == 202
    assert (await push(desk, pen, article(desk, event_id="e-1"))).status_code == 202
    assert refusal(await push(desk, pen, article(desk, event_id="e-2"))) == (503, "busy")
    assert (await push(desk, other, article(desk, source="other"))).status_code == 202
    desk.clock.ns += 60 * 10**9
    assert (await push(desk, pen, article(desk, event_id="e-2"))).status_code == 202


async def test_before_the_genesis(house: House, pen: Key) -> None:
    assert refusal(await push(house, pen, article(house))) == (409, "no_genesis")


async def test_ordinary_json_of_another_program_is_canonical(desk: House, pen: Key) -> None:
    """What Python's own `json` writes, told to write no white space and no escapes."""
    fields = msgspec.to_builtins(article(desk, title="Snø på “Løkka” ☂", text='a\n"b"\\ /'))
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    action = {"key": pen.public, "body": text, "signature": pen.sign(text.encode())}
    assert (await desk.post(PATH, action)).status_code == 202


def test_the_signed_bytes_never_change() -> None:
    """Programs that nobody here has seen write these."""
    pushed = PushedArticle(
        source="wire",
        event_id="e-1",
        url="https://wire.example/1",
        title="Snø",
        text="a\nb",
        language="en",
        published_ns=None,
        venue_id="0",
    )
    assert encode(pushed).decode() == (
        '{"type":"pushed_article/1","source":"wire","event_id":"e-1",'
        '"url":"https://wire.example/1","title":"Snø","text":"a\\nb","language":"en",'
        '"published_ns":null,"venue_id":"0"}'
    )
