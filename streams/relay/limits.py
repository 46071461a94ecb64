"""The bounds of the relay, by name."""

from typing import Final

COMMAND_COST: Final = 256
"""What a command costs beside its bytes. Small ones are dear: each is a message of its own."""
TURN_BYTES: Final = 64 * 1024
"""What one account may have in one batch: some 150 orders. Who sends more waits for the next
batch, and the others wait for no more of it than this."""
LINE_BYTES: Final = 1024 * 1024
"""What may wait of one account."""
QUEUE_BYTES: Final = 64 * 1024 * 1024
"""What may wait of all accounts."""
LINE_SHARE: Final = 8
"""One account may fill an eighth of what is free. However many do, the next one finds room."""
HELD_S: Final = 4
"""A command that has waited for so long is refused: its sender hears nothing after REPLY_LIFE_S,
and an order must not be placed when nobody expects it any more."""
TOLD_REFUSALS_PER_S: Final = 100
TOLD_REFUSALS_BURST: Final = 1_000
"""Refusals that one account is told; it is only counted for the others."""
DIAL_PAUSE_MS: Final = 100
"""Between the loss of the connection and the next one."""
