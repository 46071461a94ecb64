"""From `everything up` in an empty folder to a trade that anyone can see and prove.

The commands are typed as the quickstart writes them; nothing here reaches behind the doors
but where a test says so.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg

from schemas import subjects
from schemas.feed import Envelope, decode_envelope
from streams.broker import roles
from tests.support.nats import heard
from tests.support.postgres import fetch
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYMBOL = "RAIN-2027"
TRADES = f"market.{SYMBOL}.trades"
LIVE = (
    "SELECT model FROM control.switches ORDER BY number DESC LIMIT 1"  # the newest switch is live
)


class Heard:
    """A subscriber with a stock NATS client, logged in as a trader's market data session."""

    def __init__(self, url: str, account: str, seed: str) -> None:
        self.envelopes: list[Envelope] = []
        self._listening = threading.Event()
        self._stop = threading.Event()
        self._arguments = (url, account, seed)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self._thread.start()
        assert self._listening.wait(30), "the feeds login did not succeed"

    async def _listen(self) -> None:
        url, account, seed = self._arguments
        client = NatsClient()
        await client.connect(
            url,
            name="feeds",
            nkeys_seed_str=seed,
            inbox_prefix=roles.inbox(account),
            allow_reconnect=False,
        )

        async def hear(message: Msg) -> None:
            self.envelopes.append(decode_envelope(message.data))

        await client.subscribe(subjects.feed("main", f"market.{SYMBOL}.>"), cb=hear)
        await client.subscribe(subjects.feed("main", f"account.{account}.>"), cb=hear)
        await heard(client)
        self._listening.set()
        await asyncio.to_thread(self._stop.wait)
        await client.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def of(self, channel: str) -> list[Envelope]:
        return [one for one in self.envelopes if one.channel == channel]


class Streamed:
    """A reader of the feed's Server-Sent Events with plain httpx."""

    def __init__(self, url: str, channel: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._stop = False
        self._following = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(url, channel))
        self._thread.start()
        assert self._following.wait(30)

    def _read(self, url: str, channel: str) -> None:
        query = {"channel": channel}
        address = f"{url}/api/v1/feed"
        timeout = httpx.Timeout(30, read=60)
        with httpx.stream("GET", address, params=query, timeout=timeout) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                if line.startswith(": following"):
                    self._following.set()
                if line.startswith("data:"):
                    self.events.append(json.loads(line.removeprefix("data:")))
                    return

    def close(self) -> None:
        self._thread.join()


@dataclass
class Walk:
    """A venue after the quickstart, and what its watchers saw of the first trade."""

    venue: Venue
    heard: Heard
    watched: list[dict[str, Any]] = field(default_factory=list)
    streamed: list[dict[str, Any]] = field(default_factory=list)
    buy: dict[str, Any] = field(default_factory=dict)
    sell: dict[str, Any] = field(default_factory=dict)


def walk_to_a_market(at: Venue) -> None:
    """Found, list, open two accounts and fund them, as the quickstart says."""
    at.run("init", "My venue")
    at.run("admin", "list-market", SYMBOL, "--name", "Rain in 2027", "--type", "sports")
    for account in ("alice", "bob"):
        at.run("account", "new", account)
        at.run("admin", "mint", account, "1000")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with venue(tmp_path_factory.mktemp("venue") / "home", ingest=False) as at:
        wait_for("the welcome", lambda: "not founded yet" in at.up_log())
        walk_to_a_market(at)
        seed = (at.home / "keys" / "accounts" / "alice.nk").read_text().strip()
        # How the price stands comes at once; then buying, selling and trading bring five more.
        command = [sys.executable, "-P", "-m", "deploy.cli", "watch", SYMBOL]
        watching = subprocess.Popen(
            [*command, "--json", "--count", "5"],
            env=at.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watching.stdout is not None
        first = watching.stdout.readline()
        streaming = Streamed(at.url, TRADES)
        story = Walk(at, Heard(at.broker_url, "alice", seed))
        story.buy = at.json("order", "alice", "buy", SYMBOL, "10", "--price", "62.50")
        story.sell = at.json("order", "bob", "sell", SYMBOL, "4", "--price", "60")
        assert watching.wait(60) == 0
        with watching.stdout as rest:
            story.watched = [json.loads(line) for line in (first, *rest)]
        streaming.close()
        story.streamed = streaming.events
        yield story
        story.heard.close()


def test_the_trade_is_the_makers_price(walk: Walk) -> None:
    assert (walk.buy["status"], walk.buy["resting"]) == ("placed", 10)
    assert (walk.sell["status"], walk.sell["filled"]) == ("filled", 4)
    assert [(fill["price"], fill["quantity"]) for fill in walk.sell["fills"]] == [("62.50", 4)]


def test_watch_saw_it(walk: Walk) -> None:
    assert len(walk.watched) == 5
    trades = [one["payload"]["trades"] for one in walk.watched if one["channel"] == TRADES]
    assert [[(t["price"], t["quantity"]) for t in these] for these in trades] == [[("62.50", 4)]]


def test_server_sent_events_carried_it(walk: Walk) -> None:
    (event,) = walk.streamed
    assert (event["channel"], event["sequence_number"]) == (TRADES, 1)
    assert event["payload"]["trades"][0]["price"] == "62.50"


def test_a_stock_nats_client_heard_it(walk: Walk) -> None:
    (trade,) = wait_for("the trade on the feed", lambda: walk.heard.of(TRADES))
    assert trade.payload["trades"][0]["quantity"] == 4
    own = wait_for("alice's own channel", lambda: walk.heard.of("account.alice.orders"))
    first = own[0].sequence_number
    assert [one.sequence_number for one in own] == list(range(first, first + len(own)))
    assert not walk.heard.of("account.bob.orders")


def test_postgres_has_it(walk: Walk) -> None:
    dsn = walk.venue.place.database_url

    def rows(query: str) -> list[tuple[Any, ...]]:
        (live,) = fetch(dsn, LIVE)
        return [tuple(row) for row in fetch(dsn, query, schema=f"rm_{live[0]}")]

    trades = "SELECT price_ticks, quantity_lots, taker_account, maker_account FROM trade_history"
    (trade,) = wait_for("the projector has the trade", lambda: rows(trades))
    assert trade == (6250, 4, "bob", "alice")
    positions = rows("SELECT account, symbol, lots FROM positions ORDER BY account")
    assert positions == [("alice", SYMBOL, 4), ("bob", SYMBOL, -4)]


def test_the_other_commands_say_so_too(walk: Walk) -> None:
    at = walk.venue
    assert held(at, "bob") == {SYMBOL: -4}
    book = at.json("book", SYMBOL)
    assert [(level["price"], level["quantity"]) for level in book["bids"]] == [("62.50", 6)]
    (order,) = at.json("orders", "alice")
    assert (order["filled"], order["resting"]) == (4, 6)
    (trade,) = at.json("trades", SYMBOL)
    assert trade["price"] == "62.50"
    (market,) = at.json("markets")
    assert (market["symbol"], market["status"]) == (SYMBOL, "open")
    money = at.json("account", "show", "alice")
    assert (money["cash"], money["reserved"]) == ("375.00", "375.00")
    status = at.json("status")
    assert all(one["alive"] for one in status["processes"].values())
    for words in (["status"], ["book", SYMBOL], ["venue"], ["admin", "audit"], ["admin", "keys"]):
        assert at.run(*words).stdout.strip(), words


def test_verify_and_rebuild_agree(walk: Walk) -> None:
    report = walk.venue.json("verify")
    assert report["exit_code"] == 0
    assert (report["findings"], report["unable"]) == ([], [])
    assert report["account"]["trades"] == 1
    rebuilt = walk.venue.json("rebuild")
    assert rebuilt["equal"]
    assert {table["verdict"] for table in rebuilt["tables"]} == {"equal"}


def held(at: Venue, account: str) -> dict[str, int]:
    """Return what `account` holds, by symbol."""
    return {one["symbol"]: one["quantity"] for one in at.json("positions", account)}


REFUSED = [
    (["init", "Again"], "bad_input"),
    (["order", "alice", "buy", "NONE", "1", "--price", "50"], "unknown_symbol"),
    (["order", "alice", "buy", SYMBOL, "1", "--price", "100"], "price_out_of_range"),
    (["order", "alice", "buy", SYMBOL, "1", "--price", "50.001"], "price_off_grid"),
    (["order", "alice", "buy", SYMBOL, "0", "--price", "50"], "quantity_out_of_range"),
    (["order", "nobody", "buy", SYMBOL, "1", "--price", "50"], "key_missing"),
    (["order", "../alice", "buy", SYMBOL, "1", "--price", "50"], "bad_input"),
    (["account", "new", "alice"], "account_exists"),
    (["account", "new", "Alice"], "bad_account_name"),
    (["admin", "mint", "alice", "lots"], "bad_input"),
    (["admin", "mint", "alice", "1", "--key", "alice"], "key_missing"),
    (["admin", "halt", "NONE", "--reason", "x"], "unknown_symbol"),
    (["admin", "list-market", SYMBOL, "--name", "x", "--type", "sports"], "symbol_exists"),
    (["admin", "new-key", "root"], "key_exists"),
    (["book", "NONE"], "unknown_symbol"),
    (["watch", "none"], "unknown_channel"),
    (["trades", "NONE"], "unknown_symbol"),
]


@pytest.mark.parametrize(
    ("words", "code"), REFUSED, ids=[" ".join(words)[:40] for words, _ in REFUSED]
)
def test_bad_input_gets_its_code(walk: Walk, words: list[str], code: str) -> None:
    refused(walk.venue.invoke(*words, "--json"), walk.venue.invoke(*words), code)


def test_a_process_refuses_in_the_same_words(walk: Walk) -> None:
    words, code = REFUSED[1]
    told = walk.venue.run(*words, "--json", check=False)
    said = walk.venue.run(*words, check=False)
    refused(told, said, code)
    inside = walk.venue.invoke(*words)
    assert (said.stdout, said.stderr) == (inside.stdout, inside.stderr)


Done = subprocess.CompletedProcess[str]


def refused(told: Done, said: Done, code: str) -> None:
    """See that a command was refused by `code`, as a document and in words."""
    assert told.returncode == said.returncode == 1, told.stdout + told.stderr
    error = json.loads(told.stdout)["error"]
    assert (error["code"], bool(error["message"])) == (code, True)
    assert code in said.stderr
    assert "Traceback" not in said.stderr + told.stderr


def test_an_order_that_the_exchange_refuses_exits_1(walk: Walk) -> None:
    words = ["order", "alice", "buy", SYMBOL, "1000000", "--price", "99"]
    told = walk.venue.run(*words, "--json", check=False)
    answer = json.loads(told.stdout)
    assert (told.returncode, answer["status"]) == (1, "rejected")
    assert answer["code"] == "insufficient_funds"


def test_repeating_a_client_order_id_does_nothing_twice(walk: Walk) -> None:
    words = ["order", "alice", "buy", SYMBOL, "1", "--price", "1", "--id", "once"]
    first = walk.venue.json(*words)
    again = walk.venue.json(*words)
    assert (first["status"], again["status"]) == ("placed", "duplicate")
    assert again["order_id"] == first["order_id"]
    done = walk.venue.json("cancel", "alice", str(first["order_id"]))
    assert (done["status"], done["order_ids"]) == ("cancelled", [first["order_id"]])
    assert walk.venue.json("cancel", "alice", str(first["order_id"]))["status"] == "not_open"


def test_a_second_up_in_the_same_home_refuses(walk: Walk) -> None:
    done = walk.venue.run("up", check=False)
    assert done.returncode == 1
    assert "running" in done.stderr
    assert walk.venue.json("status")["log"]["messages"] > 0, "the first goes on"


def trade(at: Venue) -> None:
    """Trade one share more between the two accounts."""
    at.run("order", "alice", "buy", SYMBOL, "1", "--price", "40")
    answer = at.json("order", "bob", "sell", SYMBOL, "1", "--price", "40")
    assert (answer["status"], answer["filled"]) == ("filled", 1)


def test_ctrl_c_stops_all_and_a_second_up_goes_on(tmp_path: Path) -> None:
    at = Venue(tmp_path / "home", ingest=False)
    at.start()
    walk_to_a_market(at)
    trade(at)
    before = at.json("status")["log"]["messages"]
    assert at.stop() == 0
    assert at.leftovers() == []
    assert "Traceback" not in at.up_log()
    assert at.run("status", check=False).returncode == 1
    at.start()
    try:
        assert at.json("status")["log"]["messages"] >= before
        wait_for("alice holds 1", lambda: held(at, "alice") == {SYMBOL: 1})
        trade(at)
        wait_for("alice holds 2", lambda: held(at, "alice") == {SYMBOL: 2})
        assert at.json("verify")["exit_code"] == 0
        assert at.json("rebuild")["equal"]
    finally:
        assert at.stop() == 0
    assert at.leftovers() == []


def test_up_recovers_from_its_own_kill(tmp_path: Path) -> None:
    at = Venue(tmp_path / "home", ingest=False)
    at.start()
    walk_to_a_market(at)
    trade(at)
    at.kill_up()
    assert at.leftovers(), "what up started is still there"
    at.start()
    try:
        trade(at)
        wait_for("alice holds 2", lambda: held(at, "alice") == {SYMBOL: 2})
        assert at.json("verify")["exit_code"] == 0
        assert all(one["alive"] for one in at.json("status")["processes"].values())
    finally:
        assert at.stop() == 0
    assert at.leftovers() == []


def test_a_port_in_use_is_said_and_nothing_starts(tmp_path: Path) -> None:
    at = Venue(tmp_path / "home", ingest=False)
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", at.http_port))
        stranger.listen()
        done = at.run("up", check=False)
    assert done.returncode == 1
    assert f"port {at.http_port} is in use: set EVERYTHING_HTTP_PORT" in done.stderr
    assert at.leftovers() == []


def test_being_stopped_while_starting_leaves_nothing_behind(tmp_path: Path) -> None:
    at = Venue(tmp_path / "home", ingest=False)
    at.launch()
    wait_for("the first server runs", lambda: (at.home / "run" / "processes.json").exists())
    os.kill(at.up_pid, signal.SIGTERM)
    assert at.wait() == 0
    assert at.leftovers() == []
