"""Records: one log message that holds all the events of one commit group.

A record is sealed by its own hash. `seal` encodes it, hashes the bytes before
`,"hash":`, and writes hash and signature behind them, so that anyone can check a record
by cutting its tail off: nothing is ever encoded again.
"""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import astuple, replace

from schemas.chain import digest
from schemas.codec import Codec, Message, encode, upcast
from schemas.errors import InputError, LogDiverged, UnknownRecord
from schemas.events import UPCASTS, Event, OlderEvent
from schemas.stored import Stored
from schemas.subjects import last_token

_OPEN_TAIL: Final = b',"hash":"","signature":""}'


class Record(Message, tag="record/1", frozen=True):
    """The events of one commit group, and all that is needed to decide them again.

    `epoch` is the log sequence of the Epoch under which it was written; `number` is dense
    from 1 per engine. It covers the engine's inputs in `first_input..last_input`; a
    `tick` has no new input and repeats `last_input` as both. `time_ns` is the group's
    "now". `state_hash` is None but in every STATE_HASH_EVERY_RECORDS-th record, where it
    is that of the state after the record's events. `prev` is the hash of the record before.
    """

    engine: str
    decider: str
    epoch: int
    number: int
    first_input: int
    last_input: int
    time_ns: int
    tick: bool
    events: list[Event]
    state_hash: str | None
    prev: str
    hash: str = ""
    signature: str = ""


class Epoch(Message, tag="epoch/1", frozen=True):
    """A writer becomes leader. Its log sequence is the fencing token: it fences all before it."""

    engine: str
    writer: str
    decider: str
    time_ns: int


class _AsWritten(Record, tag="record/1", frozen=True):
    """A record whose events may be of any version, older ones too."""

    events: list[Event | OlderEvent]  # type: ignore[assignment]  # nobody changes it


def _up(written: _AsWritten) -> Record:
    """Return a record with its events in their newest versions."""
    record = Record(*astuple(written))
    if UPCASTS.keys().isdisjoint(map(type, record.events)):
        return record
    return replace(record, events=[upcast(event, UPCASTS) for event in record.events])


EVENT_MESSAGES: Codec[Record] = Codec(_AsWritten, {_AsWritten: _up}, ours=True)
EPOCHS: Codec[Epoch] = Codec(Epoch, ours=True)


def read(stored: Stored) -> Record:
    """Return the record in `stored`, a message on an engine's events subject.

    Raises UnknownRecord when this version cannot read it, or when it is another engine's. A
    reader must not skip a record, so this halts it.
    """
    sequence, subject, payload = stored
    try:
        record = EVENT_MESSAGES.decode(payload)
    except InputError as error:
        raise UnknownRecord(f"sequence {sequence} on {subject}: {error}") from error
    if record.engine != last_token(subject):
        raise UnknownRecord(f"sequence {sequence}: a record of {record.engine!r} on {subject}")
    return record


def seal(record: Record, sign: Callable[[bytes], str] | None = None) -> tuple[bytes, str]:
    """Return the stored bytes of `record` (its `hash` and `signature` empty) and its hash.

    `sign` signs the hash's text where the engine's records are signed.
    """
    data = encode(record)
    head = data[: -len(_OPEN_TAIL)]
    hash_ = digest(head)
    return head + _tail(hash_, sign(hash_.encode()) if sign else ""), hash_


def _tail(hash_: str, signature: str) -> bytes:
    return b',"hash":"%b","signature":"%b"}' % (hash_.encode(), signature.encode())


def body(data: bytes) -> bytes:
    """Return the part of a record's stored bytes that its hash is over."""
    return data[: data.rfind(b',"hash":"')]


class HashedRecord(Protocol):
    """The fields that a record's hash is checked by.

    Implemented by Record and by partial decodings of it.
    """

    @property
    def engine(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def hash(self) -> str: ...
    @property
    def signature(self) -> str: ...


def check_hash(record: HashedRecord, data: bytes) -> None:
    """Raise LogDiverged unless `data`, from which `record` was decoded, has the hash it says.

    The bytes behind the hashed ones must be exactly those that `seal` writes.
    `signatures.verify` checks the signature among them.
    """
    head = body(data)
    if digest(head) != record.hash or data[len(head) :] != _tail(record.hash, record.signature):
        raise LogDiverged(f"{record.engine} record {record.number}: bytes do not match the hash")
