"""Say why a symbol's price is what it is: back to trades, articles, answers and signatures."""

from typing import Final

from engines.pricing.arithmetic import MILLION
from replay.graphs.graph import Graph, Node
from replay.graphs.walk import walk
from replay.progress import OnProgress
from replay.why.evidence import Evidence, facts_of
from replay.why.history import History
from replay.why.market import EwmaStep, Market
from replay.why.scores import ScoreExplainer
from replay.why.stories import LocatedEvent
from schemas import subjects
from schemas.errors import NotFound
from schemas.events.pricing import PriceChanged
from schemas.units import WEIGHT_ONE_BP, to_decimal, to_fraction
from streams.log.ports import Log

PRICE: Final = "price"
MARKET: Final = "market"
SCORE: Final = "score"


async def why(
    log: Log, symbol: str, *, at: int | None = None, progress: OnProgress | None = None
) -> Graph:
    """Return what led to the price of `symbol` as of sequence `at`, or as of now.

    The records of all engines are read once, as whole chains, and the price is computed again
    from what other engines than pricing recorded. Raises NotFound if there is no price by
    then, UnknownRecord or LogDiverged where the log is not what it must be.
    """
    history = History(symbol)
    records = [subjects.events(log.shard, engine) for engine in subjects.ENGINES]
    end = await walk(log, records, history.take, until=at, progress=progress)
    if history.price is None:
        raise NotFound(f"{symbol} has no price up to sequence {end}")
    final = to_decimal(history.price.event.final_price_e2)
    graph = Graph(
        shard=log.shard,
        question=f"why {symbol} is {final} at sequence {end:,}",
        through=end,
        towards_root=True,
    )
    evidence = Evidence(log, graph)
    _price(graph, history, history.price)
    await _market(graph, history.market, history.price, evidence)
    if history.market.basis != "resolution":
        await _score(graph, history, evidence)
    return graph


def _price(graph: Graph, history: History, price: LocatedEvent[PriceChanged]) -> None:
    """Add the root, and check that FinalPrice follows from its parts."""
    market, event = history.market, price.event
    final = to_decimal(event.final_price_e2)
    root = Node(key=PRICE, kind="price", title=f"{history.symbol} {final}")
    root.sequence, root.subject = price.sequence, subjects.events(graph.shard, subjects.PRICING)
    root.facts = facts_of(event)
    graph.add(root)
    if market.basis == "resolution":
        text = f"final price {to_decimal(market.final_e2)} is what the market was resolved at"
    else:
        market_bp, reality_bp = market.weights_bp
        text = (
            f"final price {to_decimal(market.final_e2)} = {to_fraction(market_bp)} × market price "
            f"{to_decimal(market.market_e2)} + {to_fraction(reality_bp)} × score "
            f"{to_decimal(market.score_e2)}"
        )
        graph.check(f"weights {market_bp} + {reality_bp} = {WEIGHT_ONE_BP}",
                    market_bp + reality_bp == WEIGHT_ONE_BP)  # fmt: skip
    recorded = f"{text}; recorded: {final}"
    if not graph.check(recorded, market.final_e2 == event.final_price_e2):
        root.flaws.append("the final price does not follow from its parts")
    if history.blend is not None and market.basis != "resolution":
        scored = history.blend.event.reality_score_e2
        graph.check(f"pricing went by score {to_decimal(scored)}", scored == market.score_e2)


# -- the market's part ---------------------------------------------------------------


async def _market(
    graph: Graph, market: Market, price: LocatedEvent[PriceChanged], evidence: Evidence
) -> None:
    node = Node(key=MARKET, kind="market", title="")
    node.title = f"market price {to_decimal(market.market_e2)}: {_basis(market)}"
    node.facts = {"basis": market.basis, "ewma_e6": market.ewma_e6, "trades": market.trades}
    graph.add(node, PRICE)
    text = f"market price {_exact(market.ewma_e6)} ({market.basis}) as recorded"
    same = (market.basis, market.ewma_e6) == (price.event.basis, price.event.ewma_e6)
    if not graph.check(f"{text}: {_exact(price.event.ewma_e6)}", same):
        node.flaws.append("the market price does not follow from what led to it")
    match market.basis:
        case "trades":
            await _trades(graph, market, evidence)
            await evidence.ruling(market.smoothed, MARKET)
        case "mid":
            _top(graph, market, evidence)
        case "listing":
            await evidence.ruling(market.listed, MARKET)
        case "resolution":
            await evidence.ruling(market.resolved, MARKET)


def _basis(market: Market) -> str:
    match market.basis:
        case "trades":
            alpha = to_fraction(market.alpha_bp)
            if market.bounds is not None:
                full = market.bounds.full_weight_lots
                return f"moving average in {market.trades:,} steps, {full} lots weigh {alpha}"
            return f"moving average over {market.trades:,} trades, each weighs {alpha}"
        case "mid":
            return "the middle of the best prices, there was no trade"
        case "listing":
            return "as listed, there was no trade and no two-sided book"
        case "resolution":
            return "resolved"


def _top(graph: Graph, market: Market, evidence: Evidence) -> None:
    if market.top is None:
        return
    sequence, top = market.top
    bid, ask = to_decimal(top.bid_ticks or 0), to_decimal(top.ask_ticks or 0)
    node = Node(key="top", kind="trade", title=f"best bid {bid}, best ask {ask}")
    node.sequence, node.subject = sequence, evidence.subject(subjects.EXCHANGE)
    node.facts = facts_of(top)
    graph.add(node, MARKET)


async def _trades(graph: Graph, market: Market, evidence: Evidence) -> None:
    """Add the trades that still weigh something, and one sum of all before them."""
    weighed = market.weighed_trades()
    moved_e6 = 0
    for step, weight in weighed:
        trade = step.trade
        node = Node(key=f"trade:{trade.trade_id}", kind="trade", title="")
        moved_e6 += step.after_e6 - _before(step)
        more = f" and {step.trades - 1:,} more of the same two" if step.trades > 1 else ""
        node.title = (
            f"trade {trade.trade_id}{more}: {step.lots:,} at {_at(step)}, "
            f"weight {float(weight):.2%}, average {_exact(step.after_e6)}"
        )
        node.sequence, node.subject = step.sequence, evidence.subject(subjects.EXCHANGE)
        node.facts = facts_of(trade) | {
            "price_e6": step.price_e6,
            "ewma_before_e6": step.before_e6,
            "ewma_after_e6": step.after_e6,
        }
        graph.add(node, MARKET)
        other = "sell" if trade.taker_side == "buy" else "buy"
        await evidence.order(trade.taker_order_id, trade.taker_account, trade.taker_side, node.key)
        await evidence.order(trade.maker_order_id, trade.maker_account, other, node.key)
    start_e6 = _before(weighed[-1].step) if weighed else market.ewma_e6
    rest = market.trades - len(weighed)
    first = not rest and weighed and weighed[-1].step.before_e6 is None
    if not first:
        left = float(1 - sum(weight for _, weight in weighed))
        what = f"{rest:,} earlier trades: average" if rest else "before any trade:"
        title = f"{what} {_exact(start_e6)}, weight {left:.2%}"
        graph.add(Node(key="earlier trades", kind="trade", title=title), MARKET)
    start = "the first one's price, " if first else f"average {_exact(start_e6)} before them, "
    text = (
        f"{len(weighed)} trades told: {start}moved by {_exact(moved_e6)} in all, rounded at each "
        f"as pricing does, is {_exact(market.ewma_e6)}"
    )
    graph.check(text, start_e6 + moved_e6 == market.ewma_e6)


def _before(step: EwmaStep) -> int:
    """Return the average before a trade; the first one's price is where it starts."""
    return step.after_e6 if step.before_e6 is None else step.before_e6


def _at(step: EwmaStep) -> str:
    """Return the price that a step went towards: that of its trades, within the best prices."""
    ticks, rest = divmod(step.price_e6, MILLION)
    return _exact(step.price_e6) if rest else to_decimal(ticks)


def _exact(ewma_e6: int) -> str:
    """Return a market price in full precision, such as `50.12345678`.

    >>> _exact(5_012_345_678)
    '50.12345678'
    """
    sign = "-" if ewma_e6 < 0 else ""
    whole, rest = divmod(abs(ewma_e6), 100 * MILLION)
    return f"{sign}{whole}.{rest:08d}"


# -- reality's part ------------------------------------------------------------------


async def _score(graph: Graph, history: History, evidence: Evidence) -> None:
    """Add the score, every change of it, and the sum of both."""
    market = history.market
    node = Node(key=SCORE, kind="score", title="")
    node.title = f"score {to_decimal(market.score_e2)} after {market.changed:,} changes"
    node.facts = {"score_e2": market.score_e2, "initial_score_e2": market.initial_e2}
    graph.add(node, PRICE)
    await evidence.ruling(market.weighed, PRICE)
    await evidence.ruling(market.listed, SCORE)
    text = (
        f"score {to_decimal(market.score_e2)} = {to_decimal(market.initial_e2)} at listing + "
        f"{to_decimal(market.moved_e2)} in {market.changed:,} changes"
    )
    if not graph.check(text, market.initial_e2 + market.moved_e2 == market.score_e2):
        node.flaws.append("the score is not the sum of its changes")
    earlier = market.changed - len(market.changes)
    if earlier:
        title = f"{earlier:,} earlier changes: {to_decimal(market.earlier_e2)} in all"
        graph.add(Node(key="earlier changes", kind="score_change", title=title), SCORE)
    scores = ScoreExplainer(graph, evidence)
    for change in reversed(market.changes):
        await scores.change(change, SCORE)
