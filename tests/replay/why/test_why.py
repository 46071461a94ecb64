"""Why a price is what it is: all of it adds up, stands where it says, and lies are found."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.pricing import PricingEngine
from engines.pricing.state import State
from replay.graphs.graph import Graph, Node, describe
from replay.graphs.svg import draw
from replay.why import market, moved, why
from schemas.errors import LogDiverged, NotFound, UnknownRecord
from schemas.events.pricing import PriceChanged
from schemas.events.reality import ScoreChanged
from schemas.policy import SEED_PLAN, Policy
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.replay.venue import server_with
from tests.replay.verify.forger import flip, forge, records_of
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate
from tests.support.drawing import drawn
from tests.support.newsroom import TITLE, UNBOUNDED, news, server_of
from tests.support.stepped import SYMBOLS

Messages = tuple[Stored, ...]


def ask(server: SimulatedServer, symbol: str = "RAIN", at: int | None = None) -> Graph:
    return simulate(why(server.connect(), symbol, at=at))


def forward(server: SimulatedServer, sequence: int) -> Graph:
    return simulate(moved(server.connect(), sequence))


def kinds(graph: Graph, kind: str) -> list[Node]:
    return [node for node in graph.nodes.values() if node.kind == kind]


def prices(messages: Messages, symbol: str) -> list[tuple[int, PriceChanged]]:
    """Return the prices of a symbol, the last of each record, with the record's sequence."""
    found = {
        message.sequence: event
        for message in records_of(messages, "pricing")
        for event in EVENT_MESSAGES.decode(message.payload).events
        if isinstance(event, PriceChanged) and event.symbol == symbol
    }
    return [*found.items()]


def check_places(graph: Graph, server: SimulatedServer) -> None:
    """Every node that says where it stands does stand there."""
    for node in graph.nodes.values():
        if node.sequence:
            message = server.get(node.sequence)
            assert message is not None
            assert message.subject == node.subject


# -- back from a price ---------------------------------------------------------------


@given(
    seed=st.integers(0, 30),
    share=st.floats(0, 1),
    symbol=st.sampled_from(SYMBOLS),
    policy=st.sampled_from([SEED_PLAN, UNBOUNDED]),
)
@drawn(80)
def test_any_price_at_any_time_adds_up(
    seed: int, share: float, symbol: str, policy: Policy
) -> None:
    server = server_of(seed, resolved=seed % 2 == 1, policy=policy)
    known = prices(news(seed, resolved=seed % 2 == 1, policy=policy), symbol)
    first = known[0][0]
    at = first + int(share * (server.last_sequence - first))
    graph = ask(server, symbol, at)
    assert graph.flaws == []
    sequence, price = [one for one in known if one[0] <= at][-1]
    assert graph.root.sequence == sequence
    assert graph.root.facts["final_price_e2"] == price.final_price_e2
    assert len(graph.sums) >= 2
    check_places(graph, server)
    check_parts(graph)


def check_parts(graph: Graph) -> None:
    """Add up what is told, by arithmetic of the test's own."""
    told = kinds(graph, "score_change")
    score = graph.nodes.get("score")
    if score is not None:
        moves = sum(node.facts.get("delta_e2", 0) for node in told)
        assert score.facts["initial_score_e2"] + moves == score.facts["score_e2"]
    trades = [node for node in kinds(graph, "trade") if "ewma_after_e6" in node.facts]
    for later, earlier in pairwise(trades):
        assert later.facts["ewma_before_e6"] == earlier.facts["ewma_after_e6"]
    if trades:
        assert trades[0].facts["ewma_after_e6"] == graph.nodes["market"].facts["ewma_e6"]


def test_all_that_made_a_score_is_told() -> None:
    told: set[str] = set()
    for seed in range(6):
        graph = ask(server_of(seed, 100))
        told |= {node.kind for node in graph.nodes.values()}
        for node in kinds(graph, "score_change"):
            below = reach(graph, node.key)
            if node.facts.get("reason"):
                assert {"story", "review"} & {one.kind for one in below}
                continue
            assert {"story", "article", "assessment", "decision"} <= {one.kind for one in below}
            if node.facts["review"]:
                assert any(one.kind == "review" for one in below)
                assert any("approve_review signed by" in one.title for one in below)
    assert {"price", "market", "trade", "order", "score", "llm", "review"} <= told


def reach(graph: Graph, key: str) -> list[Node]:
    """Return all nodes below a node."""
    found = {key: None}
    level = [key]
    while level:
        level = [one for name in level for one in graph.nodes[name].leads if one not in found]
        found |= dict.fromkeys(level)
    return [graph.nodes[name] for name in found]


def test_each_basis_is_told() -> None:
    messages = news(1, resolved=True)
    found = {}
    for symbol in SYMBOLS:
        for sequence, price in prices(messages, symbol):
            found[price.basis] = ask(server_with(messages), symbol, sequence)
    assert set(found) >= {"listing", "trades", "resolution"}
    assert all(graph.flaws == [] for graph in found.values())
    resolved = found["resolution"]
    assert "score" not in resolved.nodes
    assert any("resolved at 70.00" in node.title for node in resolved.nodes.values())


def test_the_middle_of_a_book_is_a_price() -> None:
    found = [
        (seed, *one)
        for seed in range(10)
        for one in prices(news(seed, policy=UNBOUNDED), "RAIN")
        if one[1].basis == "mid"
    ]
    assert found
    for seed, sequence, price in found[:5]:
        graph = ask(server_of(seed, policy=UNBOUNDED), price.symbol, sequence)
        assert graph.nodes["top"].title.startswith("best bid ")
        assert graph.flaws == []


def test_what_weighs_little_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_of(3, 100)
    whole = ask(server)
    assert len([key for key in whole.nodes if key.startswith("trade:")]) > 3
    monkeypatch.setattr(market, "MAX_WHY_TRADES", 3)
    monkeypatch.setattr(market, "MAX_WHY_CHANGES", 1)
    graph = ask(server)
    assert graph.flaws == []
    assert len([key for key in graph.nodes if key.startswith("trade:")]) == 3
    assert "earlier trades: average " in graph.nodes["earlier trades"].title
    earlier = graph.nodes["earlier changes"].title
    [last] = [node for node in kinds(graph, "score_change") if node.facts]
    moves = whole.nodes["score"].facts["score_e2"] - whole.nodes["score"].facts["initial_score_e2"]
    assert f"{(moves - last.facts['delta_e2']) / 100:.2f} in all" in earlier


def test_weights_say_what_a_price_of_other_trades_would_be() -> None:
    """The average is the weighed sum of the prices, but for the rounding at each step."""
    for policy in (SEED_PLAN, UNBOUNDED):
        graph = ask(server_of(3, 100, policy=policy))
        told = [node for key, node in graph.nodes.items() if key.startswith("trade:")]
        prices_e6 = [node.facts["price_e6"] for node in told]
        if (earlier := graph.nodes.get("earlier trades")) is not None:
            told.append(earlier)
            start = earlier.title.rpartition(", ")[0].rpartition(" ")[2]
            prices_e6.append(round(float(start) * 10**8))
        weights = [float(node.title.partition("weight ")[2].partition("%")[0]) for node in told]
        assert abs(sum(weights) - 100) < 1.0
        average = sum(weight * price for weight, price in zip(weights, prices_e6, strict=True))
        market_e6 = graph.nodes["market"].facts["ewma_e6"]
        assert abs(average / sum(weights) - market_e6) < 10**6


def test_no_price_is_no_answer() -> None:
    with pytest.raises(NotFound):
        ask(server_of(0), "NOWHERE")
    with pytest.raises(NotFound):
        ask(server_of(0), at=1)
    with pytest.raises(NotFound):
        simulate(why(SimulatedServer().connect(), "RAIN"))


# -- what is not as it says ----------------------------------------------------------


def cited(kind: str) -> tuple[Messages, Node]:
    """Return a log and one message of a kind on which its price rests."""
    for seed in range(10):
        graph = ask(server_of(seed, 100))
        for node in kinds(graph, kind):
            used = kind != "llm" or "impact" in node.title
            if used and node.subject.startswith(("main.obs.", "main.cmd.admin.")):
                return news(seed, 100), node
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "text", "flaw"),
    [
        ("article", b'"snapshot_id":"', "its content is not what was measured"),
        ("signals", b'"sentiment_bp":', "what was assessed is not what it measures"),
        ("llm", b'"impact_e2":', "what was used is not what it said"),
        ("decision", b'"signature":"', "its signature is not good"),
        ("order", b"", "another message stands there"),
    ],
)
def test_evidence_that_was_changed_is_found(kind: str, text: bytes, flaw: str) -> None:
    if kind == "order":
        messages, sequence = news(0, 100), kinds(ask(server_of(0, 100)), "order")[0].sequence
        changed = list(messages)
        changed[sequence - 1] = changed[sequence - 1]._replace(subject="main.cmd.order.eve")
    else:
        messages, node = cited(kind)
        payload = messages[node.sequence - 1].payload
        place = payload.index(text) + len(text) + 1
        digit = payload[place : place + 1]
        other = b"1" if digit != b"1" else b"2"
        changed = list(messages)
        payload = payload[:place] + other + payload[place + 1 :]
        changed[node.sequence - 1] = changed[node.sequence - 1]._replace(payload=payload)
    graph = ask(server_with(changed))
    assert any(flaw in one for one in graph.flaws), graph.flaws
    assert any(line.startswith("MISSING ") and flaw in line for line in describe(graph))


def test_evidence_that_is_gone_is_told_as_missing() -> None:
    messages, node = cited("article")
    server = server_with(messages)
    server.lose(node.sequence)
    assert any("is not on the log" in flaw for flaw in ask(server).flaws)
    changed = list(messages)
    changed[node.sequence - 1] = changed[node.sequence - 1]._replace(payload=b"{}")
    assert any("not what cites it says" in flaw for flaw in ask(server_with(changed)).flaws)


def test_a_price_that_was_made_up_does_not_add_up() -> None:
    messages = news(2)
    sequence = prices(messages, "RAIN")[-1][0]

    def push(record: Record) -> Record:
        events = [
            replace(event, final_price_e2=event.final_price_e2 + 1)
            if isinstance(event, PriceChanged) and event.symbol == "RAIN"
            else event
            for event in record.events
        ]
        return replace(record, events=events)

    graph = ask(server_with(forge(messages, sequence, push)))
    assert any("final price" in flaw for flaw in graph.flaws)
    assert any(not one.holds for one in graph.sums)
    assert any(line.startswith("  WRONG ") for line in describe(graph))


def test_a_score_that_was_made_up_does_not_add_up() -> None:
    messages = news(2)
    moves = [
        message.sequence
        for message in records_of(messages, "reality")
        for event in EVENT_MESSAGES.decode(message.payload).events
        if isinstance(event, ScoreChanged) and event.symbol == "RAIN" and not event.review
    ]

    def push(record: Record) -> Record:
        events = [
            replace(event, delta_e2=event.delta_e2 + 1)
            if isinstance(event, ScoreChanged)
            else event
            for event in record.events
        ]
        return replace(record, events=events)

    graph = ask(server_with(forge(messages, moves[-1], push)))
    assert any("not what was assessed" in flaw for flaw in graph.flaws)


def test_records_that_are_no_chain_are_not_explained() -> None:
    messages = news(2)
    record = records_of(messages, "reality")[-1]
    place = record.payload.index(b'"time_ns":') + 12
    with pytest.raises((LogDiverged, UnknownRecord)):
        ask(server_with(flip(messages, record.sequence, place)))


# -- forward from a message ----------------------------------------------------------


def test_what_made_a_score_moved_it() -> None:
    """Back and forward agree: an article that a change rests on is one that moved the score."""
    agreed = 0
    for seed in range(6):
        server = server_of(seed, 100)
        graph = ask(server)
        for change in kinds(graph, "score_change"):
            for article in reach(graph, change.key):
                if article.kind == "article" and article.sequence:
                    ahead = forward(server, article.sequence)
                    found = {node.sequence for node in kinds(ahead, "score_change")}
                    assert change.sequence in found
                    agreed += 1
    assert agreed > 10


@given(seed=st.integers(0, 10), share=st.floats(0, 1))
@drawn(80)
def test_effects_come_after_their_causes(seed: int, share: float) -> None:
    server = server_of(seed)
    graph = forward(server, 1 + int(share * (server.last_sequence - 1)))
    check_places(graph, server)
    assert graph.flaws == []
    for above, below in graph.edges():
        first, second = graph.nodes[above], graph.nodes[below]
        assert second.sequence == 0 or first.sequence <= second.sequence
    reached = {node.key for node in reach(graph, graph.root.key)}
    assert reached == set(graph.nodes)


def test_an_order_moved_its_trades_and_prices() -> None:
    server = server_of(0, 100)
    for order in kinds(ask(server), "order"):
        graph = forward(server, order.sequence)
        trades = kinds(graph, "trade")
        assert trades
        ids = {order.facts["order_id"]}
        for trade in trades:
            assert ids & {trade.facts["taker_order_id"], trade.facts["maker_order_id"]}
            assert any(node.kind == "price" for node in reach(graph, trade.key))


def test_a_listing_moved_books_scores_and_prices() -> None:
    server = server_of(0)
    graph = forward(server, 2)  # behind the genesis
    titles = [node.title for node in graph.nodes.values()]
    assert titles[0].startswith("list_market signed by ")
    for begins in ("market listed", "book opened", "score opened", "RAIN costs 50.00"):
        assert any(title.startswith(begins) for title in titles), titles
    assert not any("SNOW" in title for title in titles)


def test_a_policy_and_a_source_are_counted() -> None:
    server = server_of(0)
    genesis = [node.title for node in forward(server, 1).nodes.values()]
    assert any("assessments by it" in title for title in genesis)
    source = forward(server, 5)
    assert source.root.title.startswith("add_source signed by ")
    assert any("articles taken from it" in node.title for node in source.nodes.values())


def test_what_moved_nothing_says_so() -> None:
    server = server_of(0)
    server.store([("main.cmd.order.late", b"{}")])
    graph = forward(server, server.last_sequence)
    assert [*graph.nodes] == ["root"]
    assert "Nothing on the log follows from it." in graph.notes
    with pytest.raises(NotFound):
        forward(server, server.last_sequence + 1)


def test_too_much_is_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_of(0)
    whole = forward(server, 1)
    monkeypatch.setattr("replay.why.forward.MAX_MOVED_NODES", 5)
    graph = forward(server, 1)
    assert len(graph.nodes) <= 7 < len(whole.nodes)
    assert any(note.startswith("Told are the first 5 effects; ") for note in graph.notes)


# -- how it is told ------------------------------------------------------------------


def test_a_picture_is_well_formed_and_says_what_the_text_says() -> None:
    messages, node = cited("article")
    graph = ask(server_with(messages))
    picture = ElementTree.fromstring(draw(graph))
    texts = "\n".join(element.text or "" for element in picture.iter() if element.text)
    assert TITLE in texts
    boxes = [element for element in picture.iter() if element.tag.endswith("rect")]
    assert len(boxes) == len(graph.nodes) + 1  # and the paper
    assert graph.root.title in texts
    ahead = draw(forward(server_with(messages), node.sequence))
    assert "marker-end" in ahead
    assert "marker-start" not in ahead


def test_a_picture_of_much_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.graphs.svg.MAX_SVG_NODES", 10)
    graph = ask(server_of(0, 100))
    assert f"and {len(graph.nodes) - 10:,} more nodes" in draw(graph)


def test_every_link_is_told_once_in_the_tree() -> None:
    graph = ask(server_of(0, 100))
    lines = describe(graph)
    tree = lines[2 : lines.index("", 2)]
    assert len(tree) == len([*graph.edges()]) + 1
    for node in graph.nodes.values():
        line = f"{node.title}  [{node.place}]" if node.place else node.title
        assert line in {one.lstrip("│├└─ ").removesuffix(" (told above)") for one in tree}
    document = graph.document()
    assert document["adds_up"] is True
    assert len(document["nodes"]) == len(graph.nodes)


def test_pricing_and_why_agree_on_what_is_the_state() -> None:
    """The market's fold is a second opinion: the engine's own state must be the same."""
    messages = news(4, 100)
    state: State = PricingEngine().initial()
    for message in records_of(messages, "pricing"):
        for event in EVENT_MESSAGES.decode(message.payload).events:
            PricingEngine().evolve(state, event)
    for symbol in SYMBOLS:
        graph = ask(server_with(messages), symbol)
        kept = state.symbols[symbol]
        assert kept.price is not None
        assert graph.nodes["market"].facts["ewma_e6"] == kept.price.ewma_e6
        assert graph.nodes["score"].facts["score_e2"] == kept.reality_score_e2
