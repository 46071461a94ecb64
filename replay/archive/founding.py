"""Who a log belongs to, and whose word its seals are: the genesis, and signatures against it."""

from typing import NamedTuple

from engines.notary import verify_seal
from schemas import signatures
from schemas.chain import digest
from schemas.decisions import DECISIONS, SIGNED_DECISIONS, Genesis
from schemas.errors import InputError, MalformedMessage
from schemas.events.notary import Sealed
from schemas.records import EVENT_MESSAGES, check_hash
from schemas.stored import Stored
from schemas.subjects import NOTARY, admin_command, events


class Founding(NamedTuple):
    """The venue as its genesis names it."""

    venue_id: str
    root_key: str
    notary_key: str


def founding_of(message: Stored, shard: str) -> Founding:
    """Return what the genesis in `message`, a log's first, says.

    Raises InputError unless it is one, signed by the root key that it names. That this key
    is the right one, only who knows it can say: `pin`.
    """
    sequence, subject, payload = message
    signed = SIGNED_DECISIONS.decode(payload)
    if sequence != 1 or subject != admin_command(shard, signed.key):
        raise MalformedMessage(f"sequence {sequence} on {subject} is no genesis of {shard}")
    body = signed.body.encode()
    signatures.verify(signed.key, body, signed.signature)
    decision = DECISIONS.decode(body)
    if not isinstance(decision, Genesis) or decision.root_key != signed.key:
        raise MalformedMessage("the first message is not a genesis signed by its root key")
    return Founding(digest(body), decision.root_key, decision.notary_key)


def pin(founding: Founding, key: str) -> None:
    """Raise InputError unless `key`, known from elsewhere, is the venue's root or notary key."""
    if not signatures.is_public_key(key):
        raise InputError(f"{key[:60]!r} is no public key (U…, 56 characters)")
    if key not in (founding.root_key, founding.notary_key):
        raise InputError(f"{key} is neither the root key nor the notary key of this venue")


def seal_of(message: Stored, shard: str, notary_key: str) -> Sealed:
    """Return the seal in a record of the notary's after checking its hash and signature.

    Raises InputError or LogDiverged when it is not what the notary wrote.
    """
    if message.subject != events(shard, NOTARY):
        raise MalformedMessage(f"sequence {message.sequence} on {message.subject} is no seal")
    record = EVENT_MESSAGES.decode(message.payload)
    check_hash(record, message.payload)
    seal = verify_seal(record, notary_key)
    if seal.through >= message.sequence or seal.through != record.last_input:
        raise MalformedMessage(f"the seal at sequence {message.sequence} covers {seal.through}")
    return seal
