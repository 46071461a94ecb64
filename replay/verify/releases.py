"""Which release decides what: a record names its decider, and git keeps the code that has it."""

from collections.abc import Mapping
from typing import Final

RELEASES: Final[Mapping[str, str]] = {
    "governance/1": "v0.1.0",
    "governance/2": "v0.2.0",
    "exchange/1": "v0.1.0",
    "exchange/2": "v0.2.0",
    "reality/1": "v0.1.0",
    "reality/3": "v0.2.0",
    "pricing/1": "v0.1.0",
    "pricing/2": "v0.2.0",
    "notary/2": "v0.1.0",
}
"""Of each decider, the tag of a release that decides its records again.

A change that raises a decider adds a line for the new one, with the release that it will be
in. Lines of a release are never removed: the records stay on their logs. `notary/1` and
`reality/2` were in none.
"""
