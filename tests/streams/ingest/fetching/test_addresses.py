"""Which addresses are public: the registries by example, and no way round them."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.fetching.addresses import is_loopback, is_public, parse

PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e", "::ffff:1.1.1.1"]
NOT_PUBLIC = [
    text
    for line in """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1
192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1
64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1
2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1:: 2002:5db8:d70e:: 3fff::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 4000::1
""".splitlines()
    for text in line.split()
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_is_no_more_public_for_being_wrapped(inner: IPv4Address) -> None:
    plain = is_public(inner)
    assert plain <= inner.is_global
    for prefix in ("::ffff:", "64:ff9b::"):
        wrapped = IPv6Address(int(IPv6Address(prefix + "0.0.0.0")) | int(inner))
        assert is_public(wrapped) == plain
    for prefix in ("::", "::ffff:0:"):
        assert not is_public(IPv6Address(int(IPv6Address(prefix + "0.0.0.0")) | int(inner)))
    assert not is_public(IPv6Address((0x2002 << 112) | (int(inner) << 80)))


@given(st.ip_addresses(v=6))
def test_nothing_that_is_not_global_is_public(address: IPv6Address) -> None:
    if is_public(address) and address in IPv6Network("2000::/3"):
        assert address.is_global and not address.is_multicast and not address.is_reserved


@pytest.mark.parametrize("text", ["fe80::1%eth0", "::1%lo", "localhost", "", "1.2.3", "0x7f.1"])
def test_what_is_no_address(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "ours"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", False),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("1.1.1.1", False)],
)  # fmt: skip
def test_loopback_is_exactly_that(text: str, ours: bool) -> None:
    assert is_loopback(ipaddress.ip_address(text)) is ours
