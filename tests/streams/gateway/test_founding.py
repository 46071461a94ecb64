"""Who may found a venue: whoever has its home's code, with its home's notary."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from schemas.codec import encode
from streams.gateway import founding
from streams.gateway.founding import FoundingTerms
from tests.streams.gateway.house import House, Key, open_house


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def found_with(house: House, code: str | None, genesis: Any = None) -> httpx.Response:
    headers = {} if code is None else {"X-Founding-Code": code.encode()}
    action = house.root.action(genesis or house.genesis())
    return await house.post("/admin/action", action, headers=headers)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, "founding_code_missing"),
        ("", "wrong_founding_code"),
        ("AAAA-BBBB-CCCC-DDDE", "wrong_founding_code"),
        ("aaaa-bbbb-cccc-dddd", "wrong_founding_code"),
        ("AAAA-BBBB-CCCC-DDDD-", "wrong_founding_code"),
        ("é", "wrong_founding_code"),
    ],
)
async def test_who_comes_first_without_the_code_founds_nothing(
    house: House, code: str | None, expected: str
) -> None:
    assert refusal(await found_with(house, code)) == (403, expected)
    assert house.server.last_sequence == 0
    assert (await house.found()).status_code == 200


async def test_where_no_code_was_made_nobody_founds() -> None:
    async with open_house() as house:
        code = house.founding.code
        house.context.founding_terms = founding.nothing_to_found
        assert refusal(await found_with(house, code)) == (403, "founding_closed")
        assert refusal(await found_with(house, None)) == (403, "founding_closed")
        assert house.server.last_sequence == 0


async def test_with_the_code_but_another_notary_nothing_is_founded(house: House) -> None:
    """Of such a venue no seal would ever count."""
    genesis = msgspec.structs.replace(house.genesis(), notary_key=Key().public)
    answer = await found_with(house, house.founding.code, genesis)
    assert refusal(answer) == (403, "foreign_notary_key")
    assert house.notary.public in answer.json()["error"]["message"]
    assert house.server.last_sequence == 0


async def test_an_unfounded_venue_says_whose_seals_will_count(house: House) -> None:
    venue = (await house.get("/venue")).json()
    assert (venue["founded"], venue["notary_key"]) == (False, house.notary.public)
    assert house.founding.code not in json.dumps(venue)


async def test_guesses_are_bounded_and_the_right_code_is_never_kept_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(founding, "WRONG_FOUNDING_CODES_PER_MINUTE", 3)
    answers = [refusal(await found_with(house, f"guess {number}")) for number in range(5)]
    assert answers == [(403, "wrong_founding_code")] * 3 + [(503, "busy")] * 2
    house.clock.ns += 60 * 10**9
    assert refusal(await found_with(house, "guess")) == (403, "wrong_founding_code")
    for _ in range(5):
        await found_with(house, "guess")
    assert (await house.found()).status_code == 200


async def test_the_code_stands_neither_on_the_log_nor_in_an_answer(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [await found_with(house, "wrong"), await house.found(), await house.found()]
    code = house.founding.code
    assert [answer.status_code for answer in answers] == [403, 200, 409]
    assert all(code not in answer.text + str(answer.headers) for answer in answers)
    assert all(code.encode() not in one.payload for one in house.server.messages())
    assert code not in "".join(capsys.readouterr())
    assert code not in repr(house.founding) + repr(house.context)


async def test_a_founded_venue_asks_for_no_code(market: House) -> None:
    """What a stranger without a code is told then is that the venue is there already."""
    assert refusal(await found_with(market, None)) == (409, "genesis_exists")
    market.context.founding_terms = founding.nothing_to_found
    assert (await market.act(market.listing("SNOW"))).status_code == 200


async def test_each_gateway_of_a_home_asks_for_the_terms_anew(house: House) -> None:
    """The file appears after a gateway has started, and is read at each founding."""
    held: list[FoundingTerms] = []
    house.context.founding_terms = lambda: held[-1] if held else None
    assert refusal(await house.found()) == (403, "founding_closed")
    held.append(house.founding)
    assert (await house.found()).status_code == 200
    first = house.server.get(1)
    assert first is not None and encode(house.founding) not in first.payload
