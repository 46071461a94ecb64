"""What an older release decided is decided again by that release, from its own checkout.

Some of today's deciders are those of v0.1.0, so the tests raise all: then its records are followed.
"""

import asyncio
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from deploy.venue import keys
from deploy.venue.engines import all_engines
from deploy.venue.paths import NOTARY_KEY
from engines.exchange.engine import ExchangeEngine
from engines.exchange.state import State
from engines.kernel import Engine
from engines.notary.engine import NotaryEngine
from replay.verify.other_release import decide_with
from replay.verify.releases import RELEASES
from replay.verify.report import Report
from replay.verify.text import describe
from replay.verify.verify import verify
from schemas import signatures
from schemas.codec import encode
from schemas.commands import PlaceOrder
from schemas.errors import InputError
from schemas.events.exchange import OrderRejected
from schemas.stored import Stored
from tests.house.source import ROOT
from tests.replay.venue import engines, history, live, server_with
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate
from tests.streams.host.rig import Running
from tests.upgrade.checkouts import newer
from tests.upgrade.released import released


def verified_with(log_of: SimulatedServer, *checkouts: Path) -> tuple[Report, Report]:
    """Return what the newer release says alone, and with others' help."""
    log = log_of.connect()
    alone, together = (asyncio.run(verify(log, newer())) for _ in range(2))
    for checkout in checkouts:
        asyncio.run(decide_with(log, together, checkout))
    return alone, together


def gone_on(engines: Sequence[Engine[Any]], *commands: tuple[str, bytes]) -> SimulatedServer:
    """Return the log of the venue of v0.1.0 that these engines took over, and were told more."""
    venue = released("v0.1.0")
    server = venue.server()
    seed = keys.load(venue.keys, NOTARY_KEY)

    async def on() -> None:
        hosts = [
            Running(
                server,
                engine,
                writer=f"newer-{engine.name}",
                sign=(lambda data: signatures.sign(seed, data))
                if engine.name == "notary"
                else None,
            )
            for engine in engines
        ]
        server.store(commands)
        await asyncio.sleep(5_000)
        for host in hosts:
            await host.stopped()

    simulate(on())
    return server


@cache
def upgraded() -> SimulatedServer:
    """Return the log of that venue as the newer release went on with it."""
    return gone_on(newer(), ("main.cmd.account.heidi", b"{}"))


def test_every_decider_of_today_has_its_release() -> None:
    assert {engine.decider for engine in all_engines("main")} <= set(RELEASES)


def test_an_upgraded_venue_is_proved_by_both_releases(v010: Path) -> None:
    old = released("v0.1.0").expected["verify"]["engines"]
    alone, together = verified_with(upgraded(), v010)
    assert (alone.exit_code, alone.findings, alone.unable) == (2, [], [])
    assert {one.engine: one.records for one in alone.followed} == {
        name: one["records"] for name, one in old.items()
    }
    assert {one.release for one in alone.followed} == {"v0.1.0"}
    assert any("--with a checkout of v0.1.0 decides them again" in one for one in describe(alone))
    assert (together.exit_code, together.findings, together.unable) == (0, [], [])
    assert together.followed == []
    assert {one.engine for one in together.decided_elsewhere} == set(old)
    for name, engine in together.engines.items():
        assert engine.applied == {}
        assert engine.redecided == engine.records >= old[name]["records"]
    assert together.engines["exchange"].records > old["exchange"]["records"]
    assert together.engines["notary"].records > old["notary"]["records"]
    assert together.engines["exchange"].state_hashes == 1
    told = describe(together)
    assert told[-1] == "clean: all of it had to be as it is"
    assert any("decided again, 0 followed, " in line for line in told)


_NEW_FIELDS = 3


class Cheating(ExchangeEngine):
    """Says that it decides as v0.1.0 does, and names another reason for each refusal.

    It knows as little of unused accounts: none lapses, and its dump ends before their fields.
    """

    decider = "exchange/1"

    def initial(self) -> State:
        state = super().initial()
        state.unused.lapse_ns = 2**63
        return state

    def dump(self, state: State) -> bytes:
        fields = msgspec.msgpack.decode(super().dump(state))
        return msgspec.msgpack.encode(fields[:-_NEW_FIELDS])

    def decide(self, state: Any, message: Stored, now_ns: int) -> Sequence[Any]:
        return [
            replace(event, code="the_house_says_no") if isinstance(event, OrderRejected) else event
            for event in super().decide(state, message, now_ns)
        ]


def test_what_the_older_release_would_not_have_decided_is_found(v010: Path) -> None:
    order = PlaceOrder("1", 0, "NOWHERE", "buy", 1, price_ticks=1)
    cheated = gone_on([Cheating(), NotaryEngine()], ("main.cmd.order.heidi", encode(order)))
    alone, together = verified_with(cheated, v010)
    assert (alone.exit_code, alone.findings) == (2, [])
    assert together.exit_code == 1
    first = together.findings[0]
    assert (first.kind, first.engine) == ("decision", "exchange")
    assert first.note == f"decision: its inputs decide otherwise (says {v010})"
    assert "exchange" in {one.engine for one in together.followed}
    assert {one.engine for one in together.decided_elsewhere} == {
        "governance",
        "reality",
        "pricing",
    }


def test_a_release_without_the_deciders_says_so(v010: Path) -> None:
    class Stranger(ExchangeEngine):
        decider = "exchange/77"

    def strange() -> list[Engine[Any]]:
        return [*(one for one in engines() if one.name != "exchange"), Stranger()]

    server = simulate(live(20, seed=6, first_engines=strange))
    report = asyncio.run(verify(server.connect(), engines()))
    assert [(one.decider, one.release) for one in report.followed] == [("exchange/77", "")]
    asyncio.run(decide_with(server.connect(), report, v010))
    assert report.exit_code == 2
    assert report.unable == [f"with {v010}: it has none of the deciders that were followed"]
    assert "no release is known that decides them again" in describe(report)[-2]


def test_a_release_with_rooms_at_the_root_is_asked_the_same_way() -> None:
    """This code is the other release here. No later seal covers the notary's last record."""
    _, together = verified_with(server_with(history()), ROOT)
    (unsealed,) = together.unable
    assert re.search(r"notary: \d+ records of notary/2 .* are sealed through \d+ only", unsealed)
    assert {one.engine for one in together.decided_elsewhere} == {
        "governance", "exchange", "reality", "pricing"
    }  # fmt: skip
    assert [one.engine for one in together.followed] == ["notary"]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkout of a release"):
        verified_with(server_with(history()), tmp_path)


def test_a_checkout_that_does_not_run_is_not_called_clean(tmp_path: Path) -> None:
    module = tmp_path / "deploy" / "cli"
    module.mkdir(parents=True)
    (module / "__main__.py").write_text("raise SystemExit('broken')")
    (tmp_path / "deploy" / "__init__.py").touch()
    (module / "__init__.py").touch()
    _, together = verified_with(server_with(history()), tmp_path)
    assert together.exit_code == 2
    assert f"with {tmp_path}: exit code 1: broken" in together.unable
