"""The scrub: read the whole log again and again, slowly, and compare it with its seals.

A disk can lose or change a message that nobody reads again. Nats-server then leaves the
message out silently, and engines never notice, because they only read what is new. So the
notary's process reads the log from its first message, again and again. A missing message
raises LogGap, a changed one LogDiverged.
"""

from schemas.chain import Chain
from schemas.errors import LogDiverged
from schemas.events.notary import Sealed
from schemas.records import read
from schemas.stored import Stored
from schemas.subjects import NOTARY, events
from streams.host.limits import SCRUB_MESSAGES_PER_S
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log


async def scrub(log: Log, clock: Clock) -> int:
    """Read from the first message to the last one there is now; return its sequence.

    Reads at most SCRUB_MESSAGES_PER_S. Raises LogGap or LogDiverged naming the sequences,
    LogUnavailable when the log does not answer.
    """
    end = await log.last_sequence()
    seals = events(log.shard, NOTARY)
    chain = Chain()
    async with Cursor(log, [f"{log.shard}.>"]) as cursor:
        async for messages in cursor.read_to(end):
            for message in messages:
                chain.add(message)
                if message.subject == seals:
                    _compare(chain, message)
            await clock.sleep(len(messages) / SCRUB_MESSAGES_PER_S)
    return end


def _compare(chain: Chain, message: Stored) -> None:
    """Raise LogDiverged unless a seal's chain hash is that of the messages that were read."""
    record = read(message)
    for seal in record.events:
        if not isinstance(seal, Sealed):
            continue
        if chain.at(seal.through) != seal.chain:
            changed = chain.changed(seal.locator, seal.through)
            one = "" if changed is None else f": sequence {changed} has changed"
            raise LogDiverged(
                f"sequences {record.first_input} to {record.last_input} are not what the seal "
                f"at sequence {message.sequence} says{one}"
            )
        chain.forget(seal.through)
