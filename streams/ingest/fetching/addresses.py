"""Which addresses may be talked to: those of the public internet, and nothing else.

Pure. For IPv6 this is an allow-list: the global unicast block, minus the parts of it that
are not the public internet. For IPv4 it is the IANA special-purpose registry, spelled out.
`ipaddress.is_global` must agree as well, so that neither list has to be up to date alone.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also a cloud's metadata (100.100.100.200)
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on an address that is public elsewhere
        "169.254.0.0/16",  # link-local; also most clouds' metadata (169.254.169.254)
        "172.16.0.0/12",
        "192.0.0.0/24",  # also a cloud's metadata (192.0.0.192)
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo with its IPv4 inside, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside, and the relays are gone
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def parse(text: str) -> Address | None:
    """Return `text` as an address, or None. An address with a zone (`%eth0`) is refused."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Tell whether `address` is one of the public internet's.

    An IPv4 address inside an IPv6 one (mapped, or behind the well-known NAT64 prefix) is
    judged as an IPv4 address. All other ways of carrying one are refused.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in one for one in _NOT_PUBLIC_4)
    if address in _MAPPED or address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return (
        address in _PUBLIC_6
        and address.is_global
        and not any(address in one for one in _NOT_PUBLIC_6)
    )


def is_loopback(address: Address) -> bool:
    """Tell whether `address` is exactly this machine's own: 127.0.0.0/8 or ::1."""
    return address.is_loopback and not (
        isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    )
