"""Who may found the venue: the one who has the one-time code of its home.

`everything up` prints the code and keeps it in the home, beside the notary's public key, until
the genesis stands on the log. A gateway whose home has no code founds nothing.
"""

import hmac
from collections.abc import Callable

import msgspec

from schemas.decisions import Genesis
from streams.accounts.rate_limiter import RateLimiter
from streams.gateway.errors import (
    ForeignNotary,
    FoundingClosed,
    FoundingCodeMissing,
    WrongFoundingCode,
)
from streams.gateway.limits import WRONG_FOUNDING_CODES_PER_MINUTE


class FoundingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a genesis must come with, and the notary whose key it must name."""

    code: str
    notary_key: str

    def __repr__(self) -> str:
        return "FoundingTerms(…)"


AskTerms = Callable[[], FoundingTerms | None]
"""Returns this home's terms; None where nothing is to be founded."""


def nothing_to_found() -> None:
    """Have no terms: for a gateway that belongs to no home."""


def check_founding(
    terms: FoundingTerms | None, code: str | None, genesis: Genesis, wrong_codes: RateLimiter
) -> None:
    """Raise a FoundingRefused unless `code` and the genesis are as `terms` have them.

    Wrong codes are counted, and answered with Busy once there are too many. A right one never
    waits: else a stranger who guesses all the time would keep the operator out.
    """
    if terms is None:
        raise FoundingClosed("nothing can be founded here: `everything up` has made no code yet")
    if code is None:
        raise FoundingCodeMissing("to found this venue takes the code that `everything up` printed")
    if not hmac.compare_digest(code.encode(), terms.code.encode()):
        wrong_codes.admit(WRONG_FOUNDING_CODES_PER_MINUTE)
        raise WrongFoundingCode("this is not the code that `everything up` printed")
    if genesis.notary_key != terms.notary_key:
        raise ForeignNotary(f"this venue's notary has the key {terms.notary_key}")
