"""The network of a client: what the HTTP rooms and the front count strangers by.

An address costs nothing where a provider hands out a /64 to each line, and next to nothing in
a /24. So budgets are per network, never per address. Connections that stand are counted by
address, as many people may sit behind neighbouring ones.
"""

import ipaddress
from functools import lru_cache
from typing import Final

_IPV4_BITS: Final = 24
_IPV6_BITS: Final = 64
_MAX_KNOWN: Final = 1_024
"""The networks used last are remembered: parsing costs more than the rest of an admission."""


@lru_cache(_MAX_KNOWN)
def client_network(address: str) -> str:
    """Return the network of an address: /24 of IPv4, /64 of IPv6; "" for what is no address.

    An IPv4 address in IPv6 form is the IPv4 address.
    """
    parsed = _parsed(address)
    if parsed is None:
        return ""
    bits = _IPV4_BITS if parsed.version == 4 else _IPV6_BITS
    return str(ipaddress.ip_network((parsed, bits), strict=False))


@lru_cache(_MAX_KNOWN)
def client_share(address: str) -> str:
    """Return by what the connections of an address are counted: itself, or its IPv6 /64.

    An IPv4 address in IPv6 form is the IPv4 address; what is no address is returned as it is.
    """
    parsed = _parsed(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else client_network(address)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address without its zone, None for what is none."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
