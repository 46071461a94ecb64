"""Chains of records, and how every reader follows them.

An engine's records form a chain: dense numbers, each record with the hash of the one
before, and time, inputs and epochs that never go back. Engines, projections and the gateway
check the same things here, and stop at the same sequence.
"""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar

from schemas.chain import GENESIS_HASH
from schemas.errors import InputError, LogDiverged, UnknownRecord
from schemas.records import HashedRecord, check_hash
from schemas.stored import Stored
from schemas.subjects import last_token


class ChainedRecord(HashedRecord, Protocol):
    """The fields that give a record its place in its engine's chain.

    Implemented by Record and by partial decodings of it.
    """

    @property
    def epoch(self) -> int: ...
    @property
    def last_input(self) -> int: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def prev(self) -> str: ...


R = TypeVar("R", bound=ChainedRecord)


class Head(NamedTuple):
    """Where an engine's chain of records ends."""

    number: int = 0
    hash: str = GENESIS_HASH
    last_input: int = 0
    time_ns: int = 0
    epoch: int = 0


def follow(head: Head, record: ChainedRecord, data: bytes) -> Head:
    """Return the head after `record`, or raise LogDiverged if it does not continue `head`."""
    check_hash(record, data)
    if (record.number, record.prev) != (head.number + 1, head.hash):
        raise LogDiverged(
            f"{record.engine}: record {record.number} (prev {record.prev[:12]}) does not follow "
            f"record {head.number} ({head.hash[:12]})"
        )
    if record.last_input < head.last_input or record.time_ns < head.time_ns:
        raise LogDiverged(f"{record.engine}: record {record.number} goes back in time")
    if record.epoch < head.epoch:
        raise LogDiverged(f"{record.engine}: record {record.number} is of an epoch gone by")
    return Head(record.number, record.hash, record.last_input, record.time_ns, record.epoch)


class Chains(Generic[R]):
    """Reads the records of all engines in the order of the log, and halts where one is wrong.

    `decode` makes a record, or as much of it as the reader needs, from its bytes.
    """

    def __init__(
        self, decode: Callable[[bytes], R], heads: Mapping[str, Head] | None = None
    ) -> None:
        self._decode = decode
        self.heads = dict(heads or {})
        """Where each engine's chain has been read to."""

    def read(self, message: Stored) -> R:
        """Return the record in `message`, which has to continue its engine's chain.

        Raises UnknownRecord when it cannot be read or stands on another engine's subject,
        LogDiverged when it does not follow; both name the sequence.
        """
        sequence, subject, data = message
        try:
            record = self._decode(data)
        except InputError as error:
            raise UnknownRecord(f"sequence {sequence} on {subject}: {error}") from error
        engine = record.engine
        if engine != last_token(subject):
            raise UnknownRecord(f"sequence {sequence}: a record of {engine!r} on {subject}")
        try:
            self.heads[engine] = follow(self.heads.get(engine, Head()), record, data)
        except LogDiverged as error:
            raise LogDiverged(f"sequence {sequence}: {error}") from error
        return record
