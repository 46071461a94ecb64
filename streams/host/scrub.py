"""The scrub: read the whole log again and again, slowly, and compare it with its seals.

A disk can lose or change what nobody has a reason to read again, and nats-server then
leaves it out without a word. Engines go on from where they are and would never meet it.
So the notary's process walks along the log from its first message, for as long as it
runs: a message that is missing is a LogGap, one that is not what was sealed LogDiverged.
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
    """Walk once from the first message to where the log ends now; return that sequence.

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
