"""Check the signature of a seal. The engine does not use this; readers of its records do."""

from schemas import signatures, subjects
from schemas.errors import BadSignature
from schemas.events.notary import Sealed
from schemas.records import Record


def verify_seal(record: Record, notary_key: str) -> Sealed:
    """Return the seal in `record` after checking that `notary_key` signed the record's hash.

    `records.check_hash` checks that the hash is that of the record's bytes.
    Raises BadSignature when the signature does not hold, or the record does not hold exactly
    one seal.
    """
    if record.engine != subjects.NOTARY or len(record.events) != 1:
        raise BadSignature(f"{record.engine} record {record.number} is not a seal")
    (event,) = record.events
    if not isinstance(event, Sealed):
        raise BadSignature(f"{record.engine} record {record.number} is not a seal")
    signatures.verify(notary_key, record.hash.encode(), record.signature)
    return event
