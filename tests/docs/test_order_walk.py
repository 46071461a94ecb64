"""An order goes through the files that docs/explanation/order.md names, in that order."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from projections.api import create_read_router
from projections.store.projector import Projector
from streams.gateway.context import GatewayContext
from tests.house.source import ROOT
from tests.projections.reading import running
from tests.simulated.log import SimulatedServer
from tests.streams.gateway.house import SYMBOL, open_house
from tests.support.waiting import wait_until

PAGE: Final = ROOT / "docs" / "explanation" / "order.md"
MOST_STOPS: Final = 24
DECIDED: Final = 15
ANSWERED: Final = 17
"""Stops until the record is made, and until the caller has the outcome."""

_STOP = re.compile(r"^\| \d+ \| `([\w/.]+)` \| `([\w.]+)` \|", re.MULTILINE)
_BESIDE = re.compile(r"`([\w/]+\.py)`")


@contextmanager
def called() -> Iterator[list[tuple[str, str]]]:
    """List the functions of ours, by file and name, in the order of their first call."""
    found: dict[tuple[str, str], None] = {}
    calls: list[tuple[str, str]] = []
    above = f"{ROOT}/"

    def note(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(above):
            found[path.removeprefix(above), frame.f_code.co_qualname] = None

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        calls.extend(call for call in found if not call[0].startswith(("tests/", ".")))


async def traced_order(dsn: str) -> list[tuple[str, str]]:
    """Return what is called when one order trades and is then read."""
    server = SimulatedServer()
    contexts: list[GatewayContext] = []

    async def account_of(credentials: Any) -> str:
        return contexts[0].sessions.account(credentials.credentials)

    async with open_house(
        log=server.connect("gateway"), routers=(create_read_router(dsn, account_of),)
    ) as house:
        contexts.append(house.context)
        await house.open_for_trade()
        maker, taker = await house.trader("alice"), await house.trader("bob")
        sell = {"client_order_id": "a", "symbol": SYMBOL, "side": "sell", "quantity": 9} | {
            "price": "62.50"
        }
        made = await house.post("/orders", sell, headers=maker, params={"wait": "outcome"})
        projector = Projector(server.connect("projector"), dsn)
        async with running(projector) as task:
            sequence = made.json()["sequence"]
            await wait_until(lambda: projector.status()["sequence"] > sequence, task)
            with called() as calls:
                bought = await house.post(
                    "/orders", sell | {"side": "buy"}, headers=taker, params={"wait": "outcome"}
                )
                asked = {"wait_for": bought.json()["sequence"]}
                path = f"/orders/{bought.json()['order_id']}"
                read = await house.get(path, headers=taker, params=asked)
            assert (bought.status_code, read.status_code) == (200, 200), (bought.text, read.text)
            assert read.json()["order"]["status"] == "filled", read.text
    return calls


async def test_the_page_names_every_file_that_an_order_passes(dsn: str) -> None:
    walk, beside = PAGE.read_text().split("## Beside the way")
    stops = _STOP.findall(walk)
    assert 0 < len({path for path, _ in stops}) <= MOST_STOPS
    calls = await traced_order(dsn)
    passed = {path for path, _ in calls}
    assert passed <= {path for path, _ in stops} | set(_BESIDE.findall(beside))
    at = [calls.index(stop) for stop in stops]
    # The record is answered from and projected at the same time.
    for way in (at[:ANSWERED], at[:DECIDED] + at[ANSWERED:]):
        assert way == sorted(way), [calls[call] for call in sorted(way)]
