"""Look up the messages that records cite, and hold each against what cites it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from replay.graphs.graph import Graph, Node
from replay.why.rulings import Ruling
from replay.why.stories import Article, LlmConsultation, LocatedEvent
from schemas import subjects
from schemas.chain import digest
from schemas.codec import Codec
from schemas.decisions import DECISIONS, SIGNED_DECISIONS, CoSign, SignedDecision
from schemas.errors import BadSignature, InputError
from schemas.events.governance import (
    MarketEdited,
    MarketListed,
    MarketResolved,
    PartApproved,
    PolicySet,
    ReviewAnswered,
    SourceAdded,
    SourceChanged,
)
from schemas.events.reality import LlmAnswered, LlmTimedOut
from schemas.limits import MAX_BATCH_ORDERS
from schemas.observations import SIGNALS, ArticleObserved, LlmCalled
from schemas.signatures import verify
from schemas.stored import Stored
from schemas.units import to_decimal, to_fraction
from streams.log.ports import Log

T = TypeVar("T")

ARTICLES: Final[Codec[ArticleObserved]] = Codec(ArticleObserved)
CALLS: Final[Codec[LlmCalled]] = Codec(LlmCalled)
NOT_THERE: Final = "it is not on the log"


class Evidence:
    """Adds to a graph what is cited. Each message is asked for once."""

    def __init__(self, log: Log, graph: Graph) -> None:
        self._log = log
        self._graph = graph
        self._known: dict[int, Stored | None] = {}

    def subject(self, engine: str) -> str:
        """Return where the records of an engine stand."""
        return subjects.events(self._log.shard, engine)

    async def stored(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, None if there is none."""
        if sequence not in self._known:
            self._known[sequence] = await self._log.get(sequence)
        return self._known[sequence]

    async def cited(self, sequence: int, decode: Callable[[bytes], T], node: Node) -> T | None:
        """Place `node` at the message and return what it says; a flaw if that is nothing."""
        message = await self.stored(sequence)
        node.sequence = sequence
        if message is None:
            node.flaws.append(NOT_THERE)
            return None
        node.subject = message.subject
        try:
            return decode(message.payload)
        except InputError:
            node.flaws.append("it is not what cites it says")
            return None

    # -- orders ----------------------------------------------------------------------

    async def order(self, order_id: int, account: str, side: str, under: str) -> None:
        """Add the command that placed an order."""
        sequence = order_id // MAX_BATCH_ORDERS
        node = Node(key=f"order:{order_id}", kind="order", title=f"{side} order of {account}")
        node.sequence, node.subject = sequence, subjects.order_command(self._log.shard, account)
        message = await self.stored(sequence)
        if message is None:
            node.flaws.append(NOT_THERE)
        elif message.subject != node.subject:
            node.flaws.append(f"another message stands there: {message.subject}")
        node.facts = {"order_id": order_id, "account": account}
        self._graph.add(node, under)

    # -- decisions -------------------------------------------------------------------

    async def ruling(self, ruling: Ruling | None, under: str) -> None:
        """Add a decision's effect and below it what was signed."""
        if ruling is None:
            return
        event = ruling.event
        key = f"ruled:{ruling.sequence}:{event.cause}:{type(event).__name__}"
        if key in self._graph.nodes:
            self._graph.link(under, key)
            return
        node = Node(key=key, kind="decision", title=_effect(event), sequence=ruling.sequence)
        node.subject = self.subject(subjects.GOVERNANCE)
        self._graph.add(node, under)
        accepted = ruling.accepted
        if accepted is None:
            node.flaws.append("no decision_accepted stands beside it")
            return
        signers = ", ".join(one[:8] + "…" for one in accepted.signers)
        signed = Node(key=f"signed:{event.cause}", kind="decision", title="")
        signed.title = f"{accepted.kind} signed by {signers}"
        signed.facts = {
            "decision_hash": accepted.decision_hash,
            "signers": accepted.signers,
            "counter": accepted.counter,
        }
        await self._signature(event.cause, accepted.decision_hash, signed)
        self._graph.add(signed, key)
        if ruling.proposed and ruling.proposed != event.cause:
            proposal = Node(key=f"signed:{ruling.proposed}", kind="decision", title="")
            proposal.title = f"{accepted.kind} as it was proposed"
            await self._signature(ruling.proposed, accepted.decision_hash, proposal)
            self._graph.add(proposal, signed.key)

    async def _signature(self, sequence: int, hash_: str, node: Node) -> None:
        """Check that the message is signed, and that it is the decision or co-signs it."""
        signed = await self.cited(sequence, SIGNED_DECISIONS.decode, node)
        if signed is None:
            return
        try:
            verify(signed.key, signed.body.encode(), signed.signature)
        except BadSignature as error:
            node.flaws.append(f"its signature is not good: {error}")
        of, reason = _body(signed)
        if hash_ not in (of, digest(signed.body.encode())):
            node.flaws.append("it is another decision than the one that was accepted")
        node.facts |= {"key": signed.key, "reason": reason}
        if reason:
            node.title += f": “{reason}”"

    # -- articles and the LLM --------------------------------------------------------

    async def article(self, article: Article, under: str) -> None:
        """Add what one article says of the symbol, the article, its measurement, its source."""
        said = article.assessed
        node = Node(key=f"assessed:{said.article}:{said.cause}:{said.symbol}", kind="assessment",
                    title="", sequence=article.sequence)  # fmt: skip
        node.subject = self.subject(subjects.REALITY)
        node.title = (
            f"quick {to_fraction(said.quick_bp)} from sentiment {to_fraction(said.sentiment_bp)}, "
            f"keywords {to_fraction(said.keywords_bp)}, relevance {to_fraction(said.relevance_bp)}"
            f"; {said.source} is trusted {to_fraction(said.trust_bp)}"
        )
        node.facts = facts_of(said)
        self._graph.add(node, under)
        joined = article.joined
        observed = await self.observed(joined.article, node.key)
        if observed is not None and observed.snapshot_id != joined.snapshot_id:
            place = self._graph.nodes[f"article:{joined.article}"]
            place.flaws.append("its content is not what was measured")
        await self._measured(article, node.key)
        if article.source is not None:
            await self.ruling(article.source, node.key)
            event = article.source.event
            if not isinstance(event, SourceAdded | SourceChanged):
                node.flaws.append("its source was found in a decision about something else")
            elif event.source.trust_bp != said.trust_bp:
                node.flaws.append("its source is trusted otherwise than was decided")
        else:
            node.flaws.append(f"no decision about the source {said.source} was found")

    async def observed(self, sequence: int, under: str) -> ArticleObserved | None:
        """Add an article itself."""
        node = Node(key=f"article:{sequence}", kind="article", title="an article")
        if node.key in self._graph.nodes:
            self._graph.link(under, node.key)
            return None
        observed = await self.cited(sequence, ARTICLES.decode, node)
        if observed is not None:
            node.title = f"“{observed.title}” {observed.url} ({observed.source})"
            node.facts = {
                "title": observed.title,
                "url": observed.url,
                "source": observed.source,
                "snapshot_id": observed.snapshot_id,
                "published_ns": observed.published_ns,
                "observed_ns": observed.observed_ns,
                "via": observed.via,
            }
        self._graph.add(node, under)
        return observed

    async def _measured(self, article: Article, under: str) -> None:
        said = article.assessed
        node = Node(key=f"measured:{said.cause}", kind="signals", title="measured")
        signals = await self.cited(said.cause, SIGNALS.decode, node)
        if signals is not None:
            models = signals.models
            node.title = f"measured by {models.sentiment[:40]}, {models.embedding[:40]}"
            node.facts = {
                "models": facts_of(models),
                "keywords": signals.keywords,
                "entities": signals.entities,
            }
            if signals.article != said.article:
                node.flaws.append(f"it measures the article at {signals.article}")
            elif (signals.sentiment_bp, signals.keywords_bp) != (
                said.sentiment_bp, said.keywords_bp
            ):  # fmt: skip
                node.flaws.append("what was assessed is not what it measures")
        self._graph.add(node, under)

    async def asked(self, asked: LlmConsultation, use: str, under: str) -> None:
        """Add what the LLM had to do with a story."""
        reality = self.subject(subjects.REALITY)
        if use == "skipped" and asked.skipped is not None:
            sequence, skipped = asked.skipped
            title = f"LLM not asked: {skipped.why}"
            key = f"llm:{sequence}:{skipped.cause}"
            node = Node(key=key, kind="llm", title=title, sequence=sequence, subject=reality)
            self._graph.add(node, under)
        elif asked.outcome is not None:
            await self._outcome(asked.outcome, asked, under)

    async def _outcome(
        self,
        outcome: LocatedEvent[LlmAnswered] | LocatedEvent[LlmTimedOut],
        asked: LlmConsultation,
        under: str,
    ) -> None:
        sequence, event = outcome
        node = Node(key=f"llm:{event.request_id}", kind="llm", title="LLM: no answer in time")
        node.sequence, node.subject = sequence, self.subject(subjects.REALITY)
        if isinstance(event, LlmAnswered):
            call = await self.cited(event.cause, CALLS.decode, node)
            if call is not None:
                _answered(node, event, call)
        self._graph.add(node, under)
        if asked.request is None:
            node.flaws.append("the request that it answers was not found")
            return
        place, request = asked.request
        why = Node(key=f"asked:{event.request_id}", kind="llm", title="", sequence=place)
        why.subject, why.facts = self.subject(subjects.REALITY), facts_of(request)
        articles = ", ".join(str(one) for one in request.articles)
        why.title = f"LLM asked for its {request.why}, about articles {articles}"
        self._graph.add(why, node.key)


def _answered(node: Node, event: LlmAnswered, call: LlmCalled) -> None:
    """Add the answer of the LLM, and a flaw where reality took another one."""
    answer = call.answer
    node.facts = {
        "model": call.model,
        "prompt": call.prompt,
        "input_hash": call.input_hash,
        "error": call.error,
        "answer": None if answer is None else facts_of(answer),
    }
    if call.request_id != event.request_id:
        node.flaws.append(f"it answers {call.request_id}")
    if event.status != "used":
        node.title = f"LLM {call.model}: {event.status}: {call.error or 'not a good answer'}"
        return
    node.title = (
        f"LLM {call.model}: impact {to_decimal(event.impact_e2)}, "
        f"confidence {to_fraction(event.confidence_bp)}"
    )
    if answer is None or (answer.impact_e2, answer.confidence_bp) != (
        event.impact_e2, event.confidence_bp
    ):  # fmt: skip
        node.flaws.append("what was used is not what it said")
    else:
        node.title += f": “{answer.summary}”"


def _body(signed: SignedDecision) -> tuple[str, str]:
    """Return the hash that a co-signature is for, and the reason that was given, if any."""
    try:
        decision = DECISIONS.decode(signed.body.encode())
    except InputError:
        return "", ""
    of = decision.decision_hash if isinstance(decision, CoSign) else ""
    return of, str(getattr(decision, "reason", ""))


def _effect(
    event: MarketListed
    | MarketEdited
    | MarketResolved
    | PolicySet
    | ReviewAnswered
    | SourceAdded
    | SourceChanged,
) -> str:
    match event:
        case MarketListed():
            return (
                f"{event.symbol} listed at {to_decimal(event.initial_score_e2)}, weights "
                f"{to_fraction(event.market_weight_bp)} market, "
                f"{to_fraction(event.reality_weight_bp)} reality"
            )
        case MarketEdited():
            return (
                f"{event.symbol} edited, weights {to_fraction(event.market_weight_bp)} market, "
                f"{to_fraction(event.reality_weight_bp)} reality"
            )
        case MarketResolved():
            return f"{event.symbol} resolved at {to_decimal(event.value_ticks)}"
        case PolicySet():
            return f"policy {event.version} “{event.policy.name}”"
        case PartApproved():
            return f"{len(event.signers)} of the people approve {to_decimal(event.delta_e2)} of it"
        case ReviewAnswered():
            answer = "approve" if event.approve else "reject"
            return f"{len(event.signers)} of the people {answer}"
        case SourceAdded() | SourceChanged():
            trust = to_fraction(event.source.trust_bp)
            return f"source {event.source.source} trusted {trust}"


def facts_of(event: Any) -> dict[str, Any]:
    """Return the fields of a message as they stand on the log."""
    return {name: getattr(event, name) for name in event.__struct_fields__}
