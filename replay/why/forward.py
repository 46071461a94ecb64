"""Say what a message moved: all that cites it, and all that cites that, onward."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from replay.graphs.graph import Graph, Node
from replay.graphs.walk import walk
from replay.limits import MAX_MOVED_NODES
from replay.progress import OnProgress
from replay.why.evidence import ARTICLES, CALLS, facts_of
from replay.why.labels import kind_of, words
from replay.why.links import LEFT_OUT, Matter, moved_by, moves
from schemas import subjects
from schemas.codec import Codec
from schemas.decisions import SIGNED_DECISIONS
from schemas.errors import InputError, NotFound
from schemas.events import Event
from schemas.events import reality as said
from schemas.events.exchange import OrderPlaced, OrdersCancelled, Traded
from schemas.observations import SIGNALS, LlmCalled, SignalsMeasured
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from streams.log.ports import Log

ROOT: Final = "root"
_NOTE: Final = (
    "Balances, best prices, volume and pressure are stated for a record as a whole, so they are "
    "left out. A price that a record's events moved together is told below each of them."
)


class _Tag(msgspec.Struct):
    type: str


_tag = msgspec.json.Decoder(_Tag).decode


async def moved(log: Log, sequence: int, *, progress: OnProgress | None = None) -> Graph:
    """Return everything that the message at `sequence` led to, as far as the log says.

    The first MAX_MOVED_NODES effects are told, in the order of the log. Raises NotFound if
    there is no such message, UnknownRecord or LogDiverged where the log is not what it must be.
    """
    start = await log.get(sequence)
    if start is None:
        raise NotFound(f"no message stands at sequence {sequence}")
    forward = _Forward(log.shard, start)
    records = [subjects.events(log.shard, engine) for engine in subjects.ENGINES]
    observed = [subjects.signals(log.shard), subjects.llm(log.shard)]
    graph = forward.graph
    graph.through = await walk(log, [*records, *observed], forward.take, progress=progress)
    forward.finish()
    return graph


class _Tally(msgspec.Struct):
    """How many inputs led to something by what was decided, the first and the last of them."""

    above: str
    what: str
    count: int = 0
    first: int = 0
    last: int = 0

    def add(self, cause: int) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or cause
        self.last = cause


class _Forward:
    """What has been reached so far, by all the names under which it may be cited."""

    def __init__(self, shard: str, start: Stored) -> None:
        title = _said(start, shard)
        question = f"what message {start.sequence:,} moved"
        self.graph = Graph(shard=shard, question=question, through=0, towards_root=False)
        self._start = start
        self._signals, self._llm = subjects.signals(shard), subjects.llm(shard)
        self._chains = Chains(EVENT_MESSAGES.decode)
        self._messages: dict[int, str] = {start.sequence: ROOT}
        self._records: dict[int, dict[Matter, list[str]]] = {}
        self._orders: dict[int, str] = {}
        self._reviews: dict[str, str] = {}
        self._requests: dict[str, str] = {}
        self._joined: dict[tuple[int, str], str] = {}
        """Stories that a reached article is in."""
        self._impacts: dict[tuple[int, str], str] = {}
        self._tallies: dict[Matter, _Tally] = {}
        self._ended: list[_Tally] = []
        """Tallies of what was decided otherwise since."""
        self._article = start.sequence if start.subject == subjects.articles(shard) else 0
        self._more = 0
        root = Node(key=ROOT, kind=_kind(start, shard), title=title, sequence=start.sequence)
        root.subject = start.subject
        self.graph.add(root)

    def take(self, message: Stored) -> None:
        """Look whether a message is an effect of what was reached, and of what."""
        if message.subject == self._signals:
            self._measured(message)
        elif message.subject == self._llm:
            self._called(message)
        else:
            record = self._chains.read(message)
            if message.sequence >= self._start.sequence:
                self._record(message, record)

    def finish(self) -> None:
        """Add the counts, and say what is not told."""
        for tally in [*self._ended, *self._tallies.values()]:
            if tally.count:
                title = f"{tally.count:,} {tally.what}, from {tally.first:,} to {tally.last:,}"
                node = Node(key=f"tally:{tally.above}", kind="story", title=title)
                self.graph.add(node, tally.above)
        self.graph.notes.append(_NOTE)
        if self._more:
            self.graph.notes.append(
                f"Told are the first {MAX_MOVED_NODES:,} effects; {self._more:,} more were found "
                "that follow from them, and what follows from those was not looked for."
            )
        if len(self.graph.nodes) == 1:
            self.graph.notes.append("Nothing on the log follows from it.")

    # -- observations ----------------------------------------------------------------

    def _measured(self, message: Stored) -> None:
        signals = _read(SIGNALS, message) if self._article else None
        if isinstance(signals, SignalsMeasured) and signals.article == self._article:
            title = f"measured{f', unfit: {signals.unfit}' if signals.unfit else ''}"
            self._reach(message, "signals", title, [ROOT])

    def _called(self, message: Stored) -> None:
        call = _read(CALLS, message) if self._requests else None
        if isinstance(call, LlmCalled) and call.request_id in self._requests:
            said = call.error or (call.answer.summary if call.answer else "")
            title = f"LLM {call.model} answers: {said}"
            self._reach(message, "llm", title, [self._requests[call.request_id]])

    def _reach(self, message: Stored, kind: str, title: str, above: Sequence[str]) -> None:
        key = f"message:{message.sequence}"
        node = Node(key=key, kind=kind, title=title, sequence=message.sequence)
        node.subject = message.subject
        if self._add(node, above):
            self._messages[message.sequence] = key

    def _add(self, node: Node, above: Sequence[str]) -> bool:
        if len(self.graph.nodes) > MAX_MOVED_NODES:
            self._more += 1
            return False
        for key in above:
            self.graph.add(node, key)
        return True

    # -- records ---------------------------------------------------------------------

    def _record(self, message: Stored, record: Record) -> None:
        is_start = message.sequence == self._start.sequence
        emitted: dict[Matter, list[str]] = {}
        for number, event in enumerate(record.events):
            if isinstance(event, LEFT_OUT):
                continue
            self._count(event)
            above = [ROOT] if is_start else self._above(event)
            if not above:
                continue
            key = f"event:{message.sequence}:{number}"
            node = Node(key=key, kind=kind_of(event), title=words(event))
            node.sequence, node.subject = message.sequence, message.subject
            node.facts = facts_of(event)
            if self._add(node, above):
                self._known_as(event, key)
                for matter in moves(event):
                    emitted.setdefault(matter, []).append(key)
        if emitted:
            self._records[message.sequence] = emitted

    def _above(self, event: Event) -> list[str]:
        """Return the nodes that an event follows from: by what it cites most exactly."""
        by_record = self._records.get(event.cause)
        if by_record is not None:
            found = [key for matter in moved_by(event) for key in by_record.get(matter, ())]
            if found:
                return [*dict.fromkeys(found)]
        named = [key for key in self._named(event) if key]
        if named:
            return [*dict.fromkeys(named)]
        cause = self._messages.get(event.cause)
        return [cause] if cause and event.cause not in self._records else []

    def _named(self, event: Event) -> Iterator[str | None]:
        """Yield what an event names by an id of its own."""
        match event:
            case Traded():
                yield self._orders.get(event.taker_order_id)
                yield self._orders.get(event.maker_order_id)
            case OrdersCancelled():
                yield from (self._orders.get(order_id) for order_id in event.order_ids)
            case said.ImpactAssessed() | said.LlmRequested():
                yield self._joined.get((event.cluster, event.symbol))
            case said.ScoreChanged() if event.review:
                yield self._reviews.get(event.review)
            case said.MoveCut() | said.ScoreChanged():
                yield self._impacts.get((event.cluster, event.symbol))
            case said.ReviewOpened():
                yield self._impacts.get((event.proposal.cluster, event.proposal.symbol))
            case said.LlmTimedOut():
                yield self._requests.get(event.request_id)
            case said.ArticleDropped() | said.ArticleGrouped():
                neighbour = event.of if isinstance(event, said.ArticleDropped) else event.neighbour
                if neighbour and neighbour == self._article and event.article != neighbour:
                    yield ROOT
            case _:
                yield self._reviews.get(getattr(event, "proposal_hash", ""))

    def _known_as(self, event: Event, key: str) -> None:
        """Remember by which names what follows may cite a reached event."""
        match event:
            case OrderPlaced():
                self._orders[event.order_id] = key
            case said.ArticleAssessed():
                self._joined[event.cluster, event.symbol] = key
            case said.ImpactAssessed():
                self._impacts[event.cluster, event.symbol] = key
            case said.LlmRequested():
                self._requests[event.request_id] = key
            case said.ReviewOpened():
                self._reviews[event.proposal_hash] = key
            case said.RulesSet():
                self._tallies["policy", str(event.policy_version)] = _Tally(
                    key, "assessments by it"
                )
            case said.SourceKnown():
                self._tallies["source", event.source] = _Tally(key, "articles taken from it")
            case _:
                pass

    def _count(self, event: Event) -> None:
        """Count what is too much to tell one by one: all under a policy, all of a source."""
        match event:
            case said.ImpactAssessed():
                tally = self._tallies.get(("policy", str(event.policy_version)))
            case said.ClusterOpened() | said.ArticleGrouped():
                tally = self._tallies.get(("source", event.source))
            case said.SourceKnown():
                ended = self._tallies.pop(("source", event.source), None)
                self._ended += [ended] if ended else []
                return
            case _:
                return
        if tally is not None:
            tally.add(event.cause)


def _read(codec: Codec[LlmCalled] | Codec[SignalsMeasured], message: Stored) -> object:
    try:
        return codec.decode(message.payload)
    except InputError:
        return None


def _kind(message: Stored, shard: str) -> str:
    if message.subject == subjects.articles(shard):
        return "article"
    if message.subject.startswith(f"{shard}.cmd.admin."):
        return "decision"
    return "order" if message.subject.startswith(f"{shard}.cmd.order.") else "event"


def _name(data: bytes) -> str:
    return _tag(data).type.partition("/")[0]


def _said(message: Stored, shard: str) -> str:
    """Return what a message is, in a few words."""
    try:
        if message.subject == subjects.articles(shard):
            article = ARTICLES.decode(message.payload)
            return f"“{article.title}” {article.url} ({article.source})"
        if message.subject.startswith(f"{shard}.cmd.admin."):
            signed = SIGNED_DECISIONS.decode(message.payload)
            return f"{_name(signed.body.encode())} signed by {signed.key[:8]}…"
        return _name(message.payload)
    except (InputError, msgspec.DecodeError, UnicodeDecodeError):
        return "a message that cannot be read"
