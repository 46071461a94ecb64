"""Names that no stranger may take: they would be taken for the venue's own.

The exchange opens whatever name is free, as it always has; the gateway refuses these.
"""

from typing import Final

RESERVED: Final = frozenset(
    {
        # who runs the venue
        *("admin", "administrator", "founder", "moderator", "official", "operator", "owner"),
        *("root", "staff", "superuser", "super-admin", "support", "sysadmin", "system", "venue"),
        *("everything", "everything-market", "em", "market", "markets", "exchange"),
        # where a venue's money would be thought to be
        *("bank", "cash", "clearing", "escrow", "fee", "fees", "fund", "house", "insurance"),
        *("mint", "payout", "payouts", "reserve", "settlement", "treasury"),
        # its engines and processes
        *("answers", "archiver", "auditor", "browser", "broker", "door", "engine", "feed", "front"),
        *("feeds", "fetcher", "gateway", "governance", "historian", "llm", "measurer"),
        *("monitor", "notary", "oracle", "people", "pricing", "projector"),
        *("reality", "relay", "replay", "restorer", "scheduler", "search", "judge"),
        # what programs write for nobody, for all or for the asker
        *("all", "anonymous", "any", "anyone", "default", "everyone", "guest", "me", "nobody"),
        *("none", "null", "public", "self", "undefined", "unknown", "user"),
    }
)
_PREFIXES: Final = ("admin-", "engine-", "everything-", "official-", "system-", "venue-")


def is_reserved(account: str) -> bool:
    """Tell whether an account of this name would be taken for the venue's own.

    Dashes and underscores look alike, so `fee_` and `engine_x` are no way around.
    """
    name = account.replace("_", "-").strip("-")
    return name in RESERVED or name.startswith(_PREFIXES)
