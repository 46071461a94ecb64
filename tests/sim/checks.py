"""What must hold of a world once it was healed and has come to rest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engines.kernel import Engine, fold
from projections.feeds.channels import PROGRESS, WRITER
from projections.feeds.fold import FeedFold
from projections.feeds.outbox import Outbox
from projections.store.checkpoint import Follower
from projections.store.model import Model
from projections.store.projector import projected_subjects
from projections.tables import PROJECTIONS
from replay.verify.verify import verify
from schemas import subjects
from schemas.errors import BrokenInvariant
from schemas.feed import decode_envelope
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from tests.sim.decisions import DecisionsCheck
from tests.sim.orders import OrdersCheck
from tests.sim.plan import Storing
from tests.sim.result import Account
from tests.sim.reviews import ReviewsCheck, measurements
from tests.sim.roster import engines
from tests.sim.store import Connection, Store
from tests.sim.world import Sent, World


def account_for(sents: Sequence[Sent], messages: Sequence[Stored]) -> tuple[Account, list[str]]:
    """Compare what was sent, what was acked and what is on the log."""
    account = Account()
    problems: list[str] = []
    at = {message.sequence: message for message in messages}
    found: dict[tuple[str, bytes], list[int]] = {}
    for message in messages:
        if ".evt." not in message.subject:
            found.setdefault(message[1:], []).append(message.sequence)
    for sent in sents:
        account.sent += 1
        account.attempts += sent.attempts
        account.acknowledged += len(sent.acked)
        copies = found.get((sent.subject, sent.payload), [])
        account.present += len(copies)
        problems += _missing(at, sent, account)
        problems += _out_of_order(sent, copies, account)
        if len(copies) > sent.attempts - sent.refused:
            account.doubled += 1
            problems.append(
                f"on {sent.subject}: sent {sent.attempts} times, {sent.refused} of them refused, "
                f"and {len(copies)} times on the log at {copies}"
            )
    return account, problems


def _missing(at: Mapping[int, Stored], sent: Sent, account: Account) -> Iterator[str]:
    for sequence in sent.acked:
        stored = at.get(sequence)
        if stored is None or (stored.subject, stored.payload) != (sent.subject, sent.payload):
            account.lost += 1
            yield f"sequence {sequence} was acked for {sent.subject} and is not what was sent"
    if len(set(sent.acked)) != len(sent.acked):
        account.lost += 1
        yield f"on {sent.subject}: one sequence was acked twice: {sent.acked}"


def _out_of_order(sent: Sent, copies: Sequence[int], account: Account) -> Iterator[str]:
    """No copy stands before what somebody had been acked when it was first sent."""
    early = [sequence for sequence in copies if sequence <= sent.follows]
    if early:
        account.reordered += 1
        yield (
            f"on {sent.subject}: sent after sequence {sent.follows} was acked, "
            f"and on the log at {early}"
        )


async def check_log(world: World) -> list[str]:
    """Verify the log as `everything verify` does, which decides everything again."""
    report = await verify(world.server.connect("verify"), engines())
    return [*map(str, report.findings), *report.unable]


def check_states(world: World) -> Iterator[str]:
    """Compare the state of every leader with what the log alone leads to."""
    messages, hosts = world.server.messages(), world.hosts()
    for engine in engines():
        host = hosts[engine.name]
        try:
            state, head = refold(engine, messages)
        except BrokenInvariant as error:
            yield f"{engine.name}: {error}"
            continue
        view = host.view()
        if view is None or view.committed.number != head.number:
            yield f"{engine.name}: its host is not at record {head.number}"
        elif engine.dump(view.state) != engine.dump(state):
            yield f"{engine.name}: the leader's state is not what the log leads to"
        elif head.last_input < _last_input(world, engine):
            yield f"{engine.name}: inputs behind {head.last_input} have no record"


def refold(engine: Engine[Any], messages: list[Stored]) -> tuple[Any, Head]:
    """Fold an engine's records from the genesis on; validate all books after each record."""
    state, head = engine.initial(), Head()
    subject = subjects.events("main", engine.name)
    for message in messages:
        if message.subject == subject:
            record = EVENT_MESSAGES.decode(message.payload)
            head = fold(engine, state, head, record, message.payload)
            if engine.name == subjects.EXCHANGE:
                for book in state.books.values():
                    book.validate()
    return state, head


def _last_input(world: World, engine: Engine[Any]) -> int:
    """Return the last command that the engine reads: each of them gets an outcome."""
    wanted = [pattern for pattern in engine.reads if ".cmd." in pattern]
    for message in reversed(world.server.messages()):
        if any(subjects.matches(pattern, message.subject) for pattern in wanted):
            return message.sequence
    return 0


def check_records(world: World) -> Iterator[str]:
    """Follow the records with what each workload demands of them."""
    orders, decisions, reviews = OrdersCheck(), DecisionsCheck(), ReviewsCheck()
    try:
        for message in world.server.messages():
            if not subjects.matches(world.all_records(), message.subject):
                continue
            record = EVENT_MESSAGES.decode(message.payload)
            decisions.take(record)
            if record.engine == subjects.EXCHANGE:
                orders.take(record)
            elif record.engine == subjects.REALITY:
                reviews.take(record)
    except (KeyError, AttributeError) as error:
        yield f"the records make no sense: {error!r}"
    yield from orders.problems
    yield from decisions.finish()
    yield from reviews.finish(measurements(world))
    for path, count in (
        ("exchange: duplicate refused", orders.duplicates),
        ("exchange: stale command refused", orders.stale),
        ("exchange: old ids forgotten", orders.forgotten),
        ("governance: waiting decision lapsed", decisions.lapses),
        ("governance: decision co-signed", decisions.co_signed),
        *reviews.paths.items(),
    ):
        if count:
            world.trace.mark(path)


def check_feed(world: World) -> Iterator[str]:
    """Compare the FEED with what the records say when they are folded in one go."""
    bare = (subjects.feed("main", PROGRESS), subjects.feed("main", WRITER))
    found = [m for m in world.feed_server.messages() if m.subject not in bare]
    numbers: dict[str, int] = {}
    for message in found:
        envelope = decode_envelope(message.payload)
        wanted = numbers.get(envelope.channel, 0) + 1
        if envelope.sequence_number != wanted:
            yield (
                f"feed: {envelope.sequence_number} follows {wanted - 1} on {envelope.channel} "
                f"at {message.sequence}"
            )
            return
        numbers[envelope.channel] = wanted
    expected = _folded_feed(world)
    if [(m.subject, m.payload) for m in found] != expected:
        place = next(
            (i for i, (m, e) in enumerate(zip(found, expected, strict=False)) if m[1:] != e),
            min(len(found), len(expected)),
        )
        yield f"feed: {len(found)} messages, {len(expected)} expected; they differ at {place}"


def _folded_feed(world: World) -> list[tuple[str, bytes]]:
    feed, outbox = FeedFold(), Outbox("main")
    batches = []
    for message in world.server.messages():
        if subjects.matches(world.all_records(), message.subject):
            record = EVENT_MESSAGES.decode(message.payload)
            batches += outbox.add(message.sequence, record, feed.fold(record))
    batches += outbox.flush()
    bare = subjects.feed("main", PROGRESS)
    return [one for batch in batches for one in batch.messages if one[0] != bare]


def is_projected(subject: str) -> bool:
    """Tell whether the projector reads what stands on `subject`."""
    return any(subjects.matches(pattern, subject) for pattern in projected_subjects("main"))


async def check_projection(world: World) -> list[str]:
    """Compare the live read model with one that is made anew."""
    fresh = Store(PROJECTIONS)
    connection: Any = Connection(fresh, Storing(), world.dice)
    model = Model(connection, 1, PROJECTIONS)
    await model.open("rebuild")
    follower = Follower(model.checkpoint)
    messages = [message for message in world.server.messages() if is_projected(message.subject)]
    for batch in follower.batches(messages):
        await model.commit(batch, must_be_live=False)
    live, rebuilt = world.store.rows(), fresh.rows()
    fresh.close()
    return [
        f"projection: {len(live[name])} rows of {name} are not the {len(rows)} of a rebuild"
        for name, rows in rebuilt.items()
        if live[name] != rows
    ]
