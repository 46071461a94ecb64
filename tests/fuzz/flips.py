"""One byte of a log flipped at a time, and what `verify` says of each."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from replay.verify.report import Report
from schemas.stored import Stored
from tests.replay.verify.checking import check


class Flip(NamedTuple):
    """One bit of the message at `sequence` is not what it was, and what `verify` said."""

    sequence: int
    subject: str
    byte: int
    report: Report

    @property
    def found(self) -> bool:
        return self.report.exit_code != 0 and bool(self.report.findings)

    @property
    def named(self) -> bool:
        """Whether the message itself is named."""
        return any(finding.sequence == self.sequence for finding in self.report.findings)


def flips(messages: Sequence[Stored], count: int, seed: int) -> Iterator[Flip]:
    """Flip one bit at each of `count` random bytes of the log, verifying the whole each time.

    Bytes are drawn from all of them alike, so a long message is hit as often as it is long.
    """
    dice = random.Random(seed)
    sizes = [len(message.payload) for message in messages]
    for place in dice.choices(range(len(messages)), sizes, k=count):
        good = messages[place]
        byte = dice.randrange(len(good.payload))
        payload = bytearray(good.payload)
        payload[byte] ^= 1 << dice.randrange(8)
        changed = [*messages]
        changed[place] = good._replace(payload=bytes(payload))
        yield Flip(good.sequence, good.subject, byte, check(changed))
