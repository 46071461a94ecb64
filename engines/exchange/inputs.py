"""Read what others wrote: commands that may be anything, records that may not."""

from typing import Final

from schemas import subjects
from schemas.commands import ACCOUNT_COMMANDS, ORDER_COMMANDS, AccountCommand, OrderCommand
from schemas.errors import InputError, Refusal, TooLarge, UnknownRecord
from schemas.limits import MAX_COMMAND_BYTES
from schemas.records import EVENT_MESSAGES, Record

UNREADABLE: Final = {
    Refusal.MALFORMED: "not a readable command",
    Refusal.UNKNOWN_MESSAGE: "no such command, or not in this version",
    Refusal.TOO_LARGE: f"a command has at most {MAX_COMMAND_BYTES} bytes",
}
"""Our own words: a decoder's may change with its version, and an event may not."""


def order_command(payload: bytes) -> OrderCommand:
    """Return the command in `payload`. Raises InputError if it cannot be read."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise TooLarge(f"{len(payload)} bytes")
    return ORDER_COMMANDS.decode(payload)


def account_command(payload: bytes) -> AccountCommand:
    """Return the command in `payload`. Raises InputError if it cannot be read."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise TooLarge(f"{len(payload)} bytes")
    return ACCOUNT_COMMANDS.decode(payload)


def governance_record(sequence: int, payload: bytes) -> Record:
    """Return the record in `payload`.

    Raises UnknownRecord when it cannot be read: then this version must not go on.
    """
    try:
        record = EVENT_MESSAGES.decode(payload)
    except InputError as error:
        raise UnknownRecord(f"governance record at sequence {sequence}: {error}") from error
    if record.engine != subjects.GOVERNANCE:
        raise UnknownRecord(f"a record of {record.engine!r} stands at sequence {sequence}")
    return record
