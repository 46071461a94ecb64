"""Who signs for the venue, as far as a gateway knows: what anyone's signature must meet first."""

from schemas.errors import Refusal, Refused
from streams.accounts.directory import Directory
from streams.log.venue_view import KeyHolder


def signer(key: str, venue_id: str, directory: Directory) -> KeyHolder:
    """Return who holds `key`, which signed something for the venue called `venue_id`.

    Raises Refused where there is no venue or another one, or the key may sign nothing here.
    """
    if directory.venue is None:
        raise Refused(Refusal.NO_GENESIS, "this venue has not been founded yet")
    if venue_id != directory.venue.venue_id:
        raise Refused(Refusal.WRONG_VENUE, "this was signed for another venue")
    holder = directory.keys.get(key)
    if holder is None:
        raise Refused(Refusal.UNKNOWN_KEY, "this key is not enrolled here")
    if holder.revoked:
        raise Refused(Refusal.KEY_REVOKED, "this key has been revoked")
    return holder
