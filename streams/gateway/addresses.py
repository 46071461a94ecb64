"""Where a request comes from and for which host it was made."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

_LOOPBACK_NAMES: Final = ("localhost", "*.localhost", "127.0.0.1", "[::1]")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{0,5})?")
_MAX_SEEN: Final = 64
_MAX_KNOWN: Final = 1_024
_MAX_ADDRESS_CHARS: Final = 64
"""More is no address, and is not remembered."""

Headers = Sequence[tuple[bytes, bytes]]


class KnownHosts:
    """The hosts that a request may be made for, at any port: `names`, and those of loopback.

    `*.example.org` stands for every name below example.org. A page of another site that has its
    own name lead to this machine (DNS rebinding) still says that name, and is refused by it.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        given = {name.lower() for name in (*_LOOPBACK_NAMES, *names)}
        self._exact = frozenset(name for name in given if not name.startswith("*"))
        self._below = tuple(name[1:] for name in given if name.startswith("*"))
        self._seen: set[bytes] = set()

    def knows(self, header: bytes) -> bool:
        """Tell whether a Host header names one of them."""
        if header in self._seen:
            return True
        name = _name_of(header.decode("latin-1").lower())
        if name not in self._exact and not name.endswith(self._below):
            return False
        if len(self._seen) < _MAX_SEEN:
            self._seen.add(header)
        return True


def _name_of(host: str) -> str:
    parts = _HOST.fullmatch(host)
    return "" if parts is None else parts[1].removesuffix(".")


class TrustedProxies:
    """The proxies, by address or network, whose X-Forwarded-For is believed.

    A proxy appends whom it was reached from. So the last address that is no proxy's is the
    client's; what stands before it, the client may have made up.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        # parsing an address costs a request 2 percent
        self._is_proxy = lru_cache(_MAX_KNOWN)(self._parsed_is_proxy)

    def trusts(self, address: str) -> bool:
        """Tell whether `address` is a proxy's."""
        return bool(self._networks) and self._is_proxy(address)

    def _parsed_is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def client(self, headers: Headers) -> str | None:
        """Return whom a proxy's request is from, None when it is the proxy's own."""
        forwarded = b",".join([value for name, value in headers if name == b"x-forwarded-for"])
        if not forwarded:
            return None
        for part in reversed(forwarded.decode("latin-1").split(",")):
            address = part.strip()
            if len(address) > _MAX_ADDRESS_CHARS:
                return None
            if not self.trusts(address):
                return _address(address)
        return None


@lru_cache(_MAX_KNOWN)
def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
