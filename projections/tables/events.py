"""events (EM-42) and event_articles: what a cluster of articles means for one symbol.

The id of an event is `<cluster>-<symbol>`. Runs after `articles` and `llm_calls`, from
which it takes an event's summary: the LLM's where that was used, else its first title.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.collectors import AppendedInOrder, LatestByKey
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    BOOLEAN,
    CAUSE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    patch,
    upsert,
)
from schemas.codec import Message
from schemas.events.reality import (
    ArticleAssessed,
    ImpactAssessed,
    LlmAnswered,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    TellingWithdrawn,
)

CANDIDATE: Final = "candidate"
FINAL: Final = "final"
PENDING: Final = "pending_review"

EVENTS = Table(
    name="events",
    columns={
        "event_id": TEXT,
        "symbol": TEXT,
        "cluster": BIGINT,
        "article": BIGINT,
        "state": TEXT,
        "summary": TEXT,
        "quick_bp": BIGINT,
        "trust_bp": BIGINT,
        "independent_sources": BIGINT,
        "related": BIGINT,
        "age_ns": BIGINT,
        "weight_e4": BIGINT,
        "computed_e2": BIGINT,
        "points_e2": BIGINT,
        "counted_e2": BIGINT,
        "delta_e2": BIGINT,
        "confidence_bp": BIGINT,
        "llm": TEXT,
        "policy_version": BIGINT,
        "proposal_hash": TEXT_OR_NULL,
        "opened_ns": BIGINT,
        "changed_ns": BIGINT,
        **CAUSE,
    },
    key=("event_id",),
    indexes=("(symbol, cluster)", "(symbol, changed_ns)"),
)
"""`state` is candidate (waits for the LLM, or is not applied), pending_review, final (all of
it is in the score), rejected, expired or withdrawn, the last three as its review ended, until
there is more to apply.

`article` is the last one that was assessed, `proposal_hash` the event's last review.
"""

ARTICLES = Table(
    name="event_articles",
    columns={
        "event_id": TEXT,
        "article": BIGINT,
        "symbol": TEXT,
        "source": TEXT,
        "sentiment_bp": BIGINT,
        "keywords_bp": BIGINT,
        "relevance_bp": BIGINT,
        "trust_bp": BIGINT,
        "quick_bp": BIGINT,
        "withdrawn": TEXT,
        "withdrawn_by": BIGINT_OR_NULL,
        "assessed_ns": BIGINT,
        **CAUSE,
    },
    key=("event_id", "article"),
    indexes=("(symbol, article)",),
)
"""`withdrawn` is why what the article told has no say any more (retracted, corrected, replaced
or refused), empty while it has. `withdrawn_by` is the article that brought it about, null for
a person.
"""

_GIVEN: Final = {name: kind for name, kind in EVENTS.columns.items() if name != "summary"}
_STAGED: Final = {**_GIVEN, "more_to_apply": BOOLEAN}
_KEPT: Final = ("event_id", "proposal_hash", "opened_ns")
_OTHERS: Final = [name for name in _GIVEN if name != "state"]
_OVER: Final = ("rejected", "expired", "withdrawn")
_SETS: Final = ", ".join(f"{name} = excluded.{name}" for name in _GIVEN if name not in _KEPT)
_ASSESS = Statement(
    "events_assess",
    EVENTS,
    _STAGED,
    f"""
    INSERT INTO events ({", ".join(_OTHERS)}, state, summary)
    SELECT {", ".join(f"s.{name}" for name in _OTHERS)},
        CASE WHEN e.state = '{PENDING}' OR (e.state IN {_OVER} AND NOT s.more_to_apply)
            THEN e.state ELSE s.state END,
        coalesce((SELECT a.title FROM articles a WHERE a.article = s.cluster), '')
    FROM stage_events_assess s LEFT JOIN events e ON e.event_id = s.event_id
    ON CONFLICT (event_id) DO UPDATE SET {_SETS}
    """,
    rare=True,
)
_SETTLE = patch(
    "settle",
    EVENTS,
    ("state", "proposal_hash", "changed_ns", "cause", "sequence"),
    sparse=True,
    rare=True,
)
_SUMMARISE = Statement(
    "events_summarise",
    EVENTS,
    {"event_id": TEXT, "call": BIGINT, "sequence": BIGINT},
    """
    UPDATE events e SET summary = c.summary, sequence = greatest(e.sequence, s.sequence)
    FROM stage_events_summarise s JOIN llm_calls c ON c.call = s.call
    WHERE e.event_id = s.event_id AND c.summary IS NOT NULL
    """,
    exact=False,
    rare=True,
)
_ARTICLE = upsert(ARTICLES, rare=True)
_WITHDRAW = patch(
    "withdraw", ARTICLES, ("withdrawn", "withdrawn_by", "cause", "sequence"), rare=True
)
_REFUSE = Statement(
    "event_articles_refuse",
    ARTICLES,
    {"event_id": TEXT, "source": TEXT, **CAUSE},
    """
    UPDATE event_articles e SET withdrawn = 'refused', cause = s.cause, sequence = s.sequence
    FROM stage_event_articles_refuse s
    WHERE e.event_id = s.event_id AND e.source = s.source AND e.withdrawn = ''
        AND e.sequence <= s.sequence AND NOT EXISTS (
            SELECT 1 FROM stage_event_articles_refuse f
            WHERE f.event_id = s.event_id AND f.source = s.source
                AND e.sequence <= f.sequence AND f.sequence < s.sequence
        )
    """,
    exact=False,
    rare=True,
)
# This runs last in a batch: a refusal is of what stood before it, and the first one counts.

_OPENED: Final = list(_STAGED).index("opened_ns")
_MORE: Final = list(_STAGED).index("more_to_apply")
_STATE: Final = 1
_TAIL: Final = slice(3, 6)


def event_id(cluster: int, symbol: str) -> str:
    return f"{cluster}-{symbol}"


def _article(event: ArticleAssessed, at: RowPosition) -> list[Row]:
    return [
        (
            event_id(event.cluster, event.symbol),
            event.article,
            event.symbol,
            event.source,
            event.sentiment_bp,
            event.keywords_bp,
            event.relevance_bp,
            event.trust_bp,
            event.quick_bp,
            "",
            None,
            at.time_ns,
            event.cause,
            at.sequence,
        )
    ]


def _withdrawn(event: TellingWithdrawn, at: RowPosition) -> list[Row]:
    key, why = event_id(event.cluster, event.symbol), (event.reason, event.by)
    return [(key, article, *why, event.cause, at.sequence) for article in event.articles]


def _refused(event: ReviewClosed, at: RowPosition) -> Row:
    """Return a row that finds nothing where nobody is refused."""
    return (event_id(event.cluster, event.symbol), event.refused, event.cause, at.sequence)


def _summarised(event: LlmAnswered, at: RowPosition) -> list[Row]:
    """The cause of LlmAnswered is the sequence of the call, its request id that of an event."""
    used = event.status == "used"
    return [(event.request_id, event.cause, at.sequence)] if used else []


class _EventStates:
    """What an assessment makes of the state depends on what it was: an open review stays open,
    and one that is over has the last word until there is more to apply.

    Once a batch has settled an event's state that is known here; before, the step knows, and
    need only be told whether there was more to apply (`more_to_apply`).
    """

    def __init__(self) -> None:
        self._assessed: dict[str, tuple[Any, ...]] = {}
        self._settled: dict[str, list[Any]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            ImpactAssessed: self._on_impact,
            ScoreChanged: self._on_changed,
            ReviewOpened: self._on_opened,
            ReviewClosed: self._on_closed,
        }

    def changes(self) -> list[Change]:
        return [
            Change(_ASSESS, list(self._assessed.values())),
            Change(_SETTLE, list(self._settled.values())),
        ]

    def _on_impact(self, event: ImpactAssessed, at: RowPosition) -> None:
        key = event_id(event.cluster, event.symbol)
        done = event.delta_e2 == 0 and event.llm != "waiting"
        state = FINAL if done else CANDIDATE
        before = self._assessed.get(key)
        opened_ns = at.time_ns if before is None else before[_OPENED]
        more_to_apply = not done or (before is not None and before[_MORE])
        self._assessed[key] = (
            key,
            event.symbol,
            event.cluster,
            event.article,
            state,
            event.quick_bp,
            event.trust_bp,
            event.independent_sources,
            event.related,
            event.age_ns,
            event.weight_e4,
            event.computed_e2,
            event.points_e2,
            event.counted_e2,
            event.delta_e2,
            event.confidence_bp,
            event.llm,
            event.policy_version,
            None,
            opened_ns,
            at.time_ns,
            event.cause,
            at.sequence,
            more_to_apply,
        )
        settled = self._settled.get(key)
        if settled is not None:
            if settled[_STATE] != PENDING and not (done and settled[_STATE] in _OVER):
                settled[_STATE] = state
            settled[_TAIL] = at.time_ns, event.cause, at.sequence

    def _on_changed(self, event: ScoreChanged, at: RowPosition) -> None:
        key = event_id(event.cluster, event.symbol)
        self._settle(key, FINAL, event.review or None, event.cause, at)

    def _on_opened(self, event: ReviewOpened, at: RowPosition) -> None:
        key = event_id(event.proposal.cluster, event.proposal.symbol)
        self._settle(key, PENDING, event.proposal_hash, event.cause, at)

    def _on_closed(self, event: ReviewClosed, at: RowPosition) -> None:
        key = event_id(event.cluster, event.symbol)
        state = FINAL if event.outcome == "approved" else event.outcome
        self._settle(key, state, event.proposal_hash, event.cause, at)

    def _settle(
        self, key: str, state: str, review: str | None, cause: int, at: RowPosition
    ) -> None:
        before = self._settled.get(key)
        if review is None and before is not None:
            review = before[2]
        self._settled[key] = [key, state, review, at.time_ns, cause, at.sequence]


PROJECTION = Projection(
    "events",
    (EVENTS, ARTICLES),
    (_ASSESS, _SETTLE, _SUMMARISE, _ARTICLE, _WITHDRAW, _REFUSE),
    lambda: (
        _EventStates(),
        LatestByKey(_SUMMARISE, {LlmAnswered: _summarised}),
        LatestByKey(_ARTICLE, {ArticleAssessed: _article}),
        LatestByKey(_WITHDRAW, {TellingWithdrawn: _withdrawn}),
        AppendedInOrder({ReviewClosed: [(_REFUSE, _refused)]}),
    ),
)
