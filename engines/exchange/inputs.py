"""Read commands, which may be anything."""

from typing import Final

from schemas.commands import ACCOUNT_COMMANDS, ORDER_COMMANDS, AccountCommand, OrderCommand
from schemas.errors import Refusal, TooLarge
from schemas.limits import MAX_COMMAND_BYTES

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
