"""Follow the engines' chains of records, and stop where one breaks."""

from everything.schemas.chain import GENESIS_HASH
from everything.schemas.errors import InputError, LogDiverged, UnknownRecord
from everything.schemas.records import EVENT_MESSAGES, Record, check_hash
from everything.schemas.stored import Stored
from everything.schemas.subjects import last_token


class Chains:
    """Where each engine's chain of records ends: number and hash."""

    def __init__(self) -> None:
        self._heads: dict[str, tuple[int, str]] = {}

    def read(self, message: Stored) -> Record:
        """Return the record in `message`, which has to continue its engine's chain.

        Raises UnknownRecord when it cannot be read, LogDiverged when it does not follow.
        """
        sequence, subject, data = message
        try:
            record = EVENT_MESSAGES.decode(data)
        except InputError as error:
            raise UnknownRecord(f"sequence {sequence}: {error}") from error
        if record.engine != last_token(subject):
            raise UnknownRecord(f"sequence {sequence}: a record of {record.engine!r} on {subject}")
        check_hash(record, data)
        number, hash_ = self._heads.get(record.engine, (0, GENESIS_HASH))
        if (record.number, record.prev) != (number + 1, hash_):
            raise LogDiverged(
                f"sequence {sequence}: {record.engine} record {record.number} "
                f"does not follow record {number}"
            )
        self._heads[record.engine] = record.number, record.hash
        return record
