"""Which hosts are ours, and whom a proxy speaks for."""

import pytest

from streams.gateway.addresses import KnownHosts, TrustedProxies


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LocalHost:8000",
        b"127.0.0.1:1",
        b"[::1]:8000",
        b"admin.localhost:8000",
        b"market.example",
        b"MARKET.example.:443",
        b"a.b.wide.example",
    ],
)
def test_hosts_of_this_venue(host: bytes) -> None:
    known = KnownHosts(["market.example", "*.wide.example"])
    assert known.knows(host)
    assert known.knows(host)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"attacker.example",
        b"127.0.0.1.attacker.example",
        b"localhost.attacker.example",
        b"evil-market.example",
        b"wide.example",
        b"notlocalhost",
        b"0.0.0.0:8000",
        b"[::2]",
        b"[::1",
        b"[::1]x",
        b"127.0.0.1@attacker.example",
        b"\xff\xfe",
    ],
)
def test_hosts_of_others(host: bytes) -> None:
    assert not KnownHosts(["market.example", "*.wide.example"]).knows(host)


def test_many_names_are_not_remembered() -> None:
    known = KnownHosts()
    for number in range(1_000):
        assert known.knows(b"%d.localhost" % number)
    assert len(known._seen) <= 64


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], None),
        ([b"203.0.113.7"], "203.0.113.7"),
        ([b"6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ([b"6.6.6.6", b"203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([b"203.0.113.7, junk"], None),
        ([b"10.0.0.1"], None),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_clients(
    forwarded: list[bytes], client: str | None
) -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "127.0.0.1"])
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value) for value in forwarded)]
    assert proxies.client(headers) == client


def test_proxies_are_known_by_network() -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "::1"])
    assert [proxies.trusts(one) for one in ("10.9.9.9", "::1", "11.0.0.1", "x")] == [
        True,
        True,
        False,
        False,
    ]
    assert not TrustedProxies().trusts("127.0.0.1")
