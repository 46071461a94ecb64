"""The guard: nothing but the public internet, whatever the name and wherever a hop leads."""

import asyncio
import socket

import httpcore
import pytest

from streams.ingest.fetching.guard import (
    Endpoint,
    Guard,
    SystemResolver,
    check_url,
    dial,
    own_endpoint,
)
from streams.ingest.fetching.http import Agent, Http
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_DNS_ADDRESSES
from tests.streams.ingest.fetching.web import PUBLIC, Page, Wires, fails, html, site, source


def client(wires: Wires) -> Http:
    return Http(Agent(), wires.resolve, wires.dial)


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    wires = Wires({"a.example/": html("hello")})
    answer = await client(wires).get("http://a.example/")
    assert answer.body == b"hello"
    assert wires.resolved == ["a.example"]
    assert wires.dialled == [(PUBLIC, 80)]


async def test_https_goes_to_its_own_port() -> None:
    wires = Wires({"a.example/": html("hello")})
    await client(wires).get("https://a.example/")
    assert wires.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["10.0.0.1"], ["::1"], ["169.254.169.254"],
     ["::ffff:127.0.0.1"], ["fe80::1%eth0"], ["nonsense"]],
    ids=str,
)  # fmt: skip
async def test_one_address_that_is_not_public_is_enough(addresses: list[str]) -> None:
    wires = Wires({}, addresses)
    with fails("forbidden_address"):
        await client(wires).get("http://a.example/")
    assert wires.dialled == []


async def test_a_name_that_changes_its_address_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public when judged, loopback when dialled."""
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    wires = Wires({"a.example/": html("x")})
    await Http(Agent(), resolve, wires.dial).get("http://a.example/")
    assert wires.dialled == [(PUBLIC, 80)]
    assert len(answers) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1",
     "127.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0", "[::]", "localhost."],
)  # fmt: skip
async def test_this_machine_under_any_name_is_never_touched(host: str) -> None:
    """The machine's own resolver, and a real listener that must not hear anything."""
    async with site({"/": html("secret")}) as honeypot:
        resolver = SystemResolver()
        try:
            with pytest.raises(Unfetched) as caught:
                await Http(Agent(), resolver).get(f"http://{host}:{honeypot.port}/")
        finally:
            resolver.close()
        assert caught.value.problem.value in ("forbidden_address", "unresolved")
        assert honeypot.connections == 0


async def test_loopback_is_allowed_for_exactly_the_own_place() -> None:
    async with site({"/": html("mine")}) as mine, site({"/": html("secret")}) as honeypot:
        http = Http(Agent(), _numbers)
        own = own_endpoint(source(f"{mine.url}/"))
        assert (await http.get(f"{mine.url}/", own=own)).body == b"mine"
        with fails("forbidden_address"):
            await http.get(f"{honeypot.url}/", own=own)
        with fails("forbidden_address"):
            await http.get(f"http://localhost:{mine.port}/", own=own)
        assert honeypot.connections == 0


async def test_the_own_place_must_be_loopback() -> None:
    """A name that was this machine's when the source was signed and leads elsewhere now."""
    wires = Wires({}, ["10.0.0.1"])
    with fails("forbidden_address"):
        await client(wires).get("http://localhost/", own=Endpoint("localhost", 80))
    wires = Wires({}, [PUBLIC])
    with fails("forbidden_address"):
        await client(wires).get("http://localhost/", own=Endpoint("localhost", 80))
    assert wires.dialled == []


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "file:///etc/passwd", "http://user:pw@a.example/", "http://a.example:0/",
     "http://a.example:99999/", "gopher://a.example/", "http:///", "", "http://a b/",
     "http://a.example:25/", "http://a.example:22/", "https://a.example:993/"],
)  # fmt: skip
def test_urls_that_are_none(url: str) -> None:
    with fails("bad_url"):
        check_url(url, None)


@pytest.mark.parametrize("url", ["http://a.example:8080/x?y", "https://a.example:443/"])
def test_urls_that_are_some(url: str) -> None:
    check_url(url, None)


async def test_no_address_and_no_answer() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "no")

    async def empty(host: str, port: int) -> list[str]:
        return []

    for resolve in (nowhere, empty):
        with fails("unresolved"):
            await Http(Agent(), resolve).get("http://a.example/")


async def test_the_next_address_is_tried_up_to_a_bound() -> None:
    tried: list[str] = []

    async def refuse(address: str, port: int, timeout_s: float) -> httpcore.AsyncNetworkStream:
        tried.append(address)
        raise OSError("refused")

    addresses = [f"1.1.1.{number}" for number in range(1, 40)]
    with fails("unreachable"):
        await Guard(Wires({}, addresses).resolve, refuse).connect_tcp("a.example", 80)
    assert tried == addresses[:MAX_DNS_ADDRESSES]


async def test_a_connection_that_does_not_come_about_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stall(address: str, port: int, timeout_s: float) -> httpcore.AsyncNetworkStream:
        await asyncio.sleep(60)
        raise AssertionError

    with fails("unreachable"):
        await Guard(Wires({}).resolve, stall).connect_tcp("a.example", 80, timeout=0.01)


async def test_no_unix_socket() -> None:
    with fails("forbidden_address"):
        await Guard(Wires({}).resolve, dial).connect_unix_socket("/run/x")


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site({}) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        wires = Wires({"a.example/": Page(b"direct")})
        assert (await client(wires).get("http://a.example/")).body == b"direct"
        assert proxy.connections == 0


async def _numbers(host: str, port: int) -> list[str]:
    return ["127.0.0.1"] if host == "localhost" else [host]
