"""Moves that wait for a person: the evidence, and a signed answer to exactly what was shown."""

import time
from typing import Annotated, Any, Final, Literal

import typer

from deploy.cli.admin import describe, hundredths
from deploy.cli.client import Client
from deploy.cli.output import document, minute, say
from deploy.cli.parameters import At, Json, Key, Reason
from deploy.cli.sources import state_of
from schemas import decisions
from schemas.chain import digest
from schemas.errors import InputError
from schemas.limits import MAX_OPEN_REVIEWS, MAX_PAGE_ROWS
from schemas.units import to_decimal

State = Literal["open", "approved", "rejected", "expired", "withdrawn"]
Answer = type[decisions.ApproveReview] | type[decisions.RejectReview]
Only = Annotated[
    str | None,
    typer.Option(
        help="How much of the move, in points with its sign, such as 3.50 or -3.50.",
        metavar="POINTS",
    ),
]
Proposal = Annotated[str, typer.Argument(help="The proposal's hash, or how it begins.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Sign without asking again.")]

_QUESTIONS: Final[dict[Answer, str]] = {
    decisions.ApproveReview: "Approve exactly this move?",
    decisions.ApprovePart: "Approve {} points of this move, and no more?",
    decisions.RejectReview: "Reject exactly this move, and its source's say in this story?",
}

SHOWN_HASH: Final = 16
MIN_PREFIX: Final = 4
HASH_CHARS: Final = 64
ANSWERED_WITHIN_S: Final = 15
_LOOK_EVERY_S: Final = 0.2


def list_reviews(
    state: Annotated[State, typer.Option()] = "open",
    symbol: Annotated[str | None, typer.Option(help="Only this market's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show moves that wait for a person, each with its evidence, the last opened first."""
    client = Client()
    query: dict[str, Any] = {"state": state, "symbol": symbol, "limit": limit, "at": at}
    found = client.get("/reviews", **query)["reviews"]
    shown = [_with_evidence(client, review, at) for review in found]
    if as_json:
        document(shown)
    elif not shown:
        say("nothing waits for a person" if state == "open" else f"no review was {state}")
    else:
        say("\n\n".join("\n".join(lines_of(one)) for one in shown))


def approve(
    proposal: Proposal,
    reason: Reason,
    only: Only = None,
    yes: Yes = False,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Let exactly this move be applied, or a part. Who has an interest in the symbol is barred."""
    if only is None:
        _answer(decisions.ApproveReview, proposal, reason, yes, key, as_json)
    else:
        part_e2 = hundredths(only, "--only")
        _answer(decisions.ApprovePart, proposal, reason, yes, key, as_json, delta_e2=part_e2)


def reject(
    proposal: Proposal, reason: Reason, yes: Yes = False, key: Key = "root", as_json: Json = False
) -> None:
    """Let this move not be applied, and its source have no more say in this story."""
    _answer(decisions.RejectReview, proposal, reason, yes, key, as_json)


def _answer(
    kind: Answer, prefix: str, reason: str, yes: bool, key: str, as_json: bool, **part: Any
) -> None:
    client = Client()
    review = find(client, prefix)
    if not yes:
        if as_json:
            raise InputError("with --json, say --yes: nobody can be asked")
        say("\n".join(lines_of(_with_evidence(client, review))))
        typer.confirm(_QUESTIONS[kind].format(*map(to_decimal, part.values())), abort=True)
    proposal_hash = review["proposal_hash"]
    fields = {"proposal_hash": proposal_hash, "symbol": review["symbol"], "reason": reason}
    answer = client.decide(key, kind(**client.decision_fields(), **fields, **part))
    accepted = answer["status"] == "accepted"
    became = _became(client, proposal_hash, answer["sequence"]) if accepted else review
    if as_json:
        document({**answer, "review": became})
    else:
        for line in describe(answer):
            say(line)
        if accepted:
            say(_outcome(became))
    if accepted and _refused_since(became, answer["sequence"]):
        raise typer.Exit(1)


def find(client: Client, prefix: str) -> dict[str, Any]:
    """Return the one open review whose hash begins with `prefix`. Raises InputError."""
    if len(prefix) < MIN_PREFIX:
        raise InputError(f"give at least {MIN_PREFIX} characters of the hash")
    if len(prefix) == HASH_CHARS:
        review: dict[str, Any] = client.get(f"/reviews/{prefix}")["review"]
        found = [review]
    else:
        found = [one for one in _open(client) if one["proposal_hash"].startswith(prefix)]
    if len(found) != 1:
        raise InputError(f"{len(found)} open reviews begin with {prefix!r}")
    review = found[0]
    if review["status"] != "open":
        raise InputError(f"this review is over: it was {review['status']}")
    # What is shown must be what is signed, even if the API lies.
    if digest(review["proposal"].encode()) != review["proposal_hash"]:
        raise InputError("the proposal is not the one that its hash says")
    return review


def _open(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: str | None = None
    for _ in range(MAX_OPEN_REVIEWS // MAX_PAGE_ROWS + 1):
        page = client.get("/reviews", state="open", limit=MAX_PAGE_ROWS, before=before)
        found += page["reviews"]
        before = page["next"]
        if before is None:
            break
    return found


def _with_evidence(client: Client, review: dict[str, Any], at: str | None = None) -> dict[str, Any]:
    """Return a review with its articles, its sources as they stand, and the market's prices."""
    event = client.get(f"/events/{review['event_id']}", at=at)
    sources = [client.get(f"/sources/{name}", at=at)["source"] for name in review["sources"]]
    market = client.get(f"/market/{review['symbol']}", at=at)["market"]
    prices = {name: market[name] for name in ("reality_score", "final_price")}
    return {
        **review,
        "summary": event["event"]["summary"],
        "articles": event["articles"],
        "source_states": {one["source"]: state_of(one) for one in sources},
        "stands_now": prices,
    }


def lines_of(review: dict[str, Any]) -> list[str]:
    """Say what a review is about, and on what it rests."""
    now = review["stands_now"]
    lines = [
        f"{review['proposal_hash'][:SHOWN_HASH]}  {review['symbol']}  {_signed(review['delta'])}  "
        f"{', '.join(review['reasons'])}",
        f"  {review['summary']}",
        f"  score    {review['score_now']} when it opened, {review['score_if_approved']} if "
        f"approved; {now['reality_score']} now",
        f"  price    {review['final_price_now']} when it opened, "
        f"{review['final_price_if_approved']} if approved; {now['final_price']} now",
        f"  why      {review['detail']}" if review["detail"] else "",
        f"  points   {review['points']}, confidence {review['confidence']}, "
        f"caused by {review['charged']}",
        f"  {_life(review)}",
        *(
            f"  source   {name}: {state}"
            for name, state in review["source_states"].items()
            if state != "active"
        ),
        *(_article(one) for one in review["articles"]),
    ]
    return [line for line in lines if line]


def _signed(delta: str) -> str:
    return delta if delta.startswith("-") else f"+{delta}"


def _life(review: dict[str, Any]) -> str:
    if review["status"] == "open":
        return f"opened   {minute(review['opened_at'])}, expires {minute(review['expires_at'])} UTC"
    why = f": {review['answer_reason']}" if review["answer_reason"] else ""
    part = review["approved"] not in (None, "0.00", review["delta"])
    how = f" for {_signed(review['approved'])}" if part else ""
    return f"{review['status']}{how} {minute(review['closed_at'])} UTC{why}"


def _article(one: dict[str, Any]) -> str:
    when = minute(one["published_at"] or one["observed_at"])
    said = f"{one['source']} (trust {one['trust']})  quick {one['quick_score']}"
    gone = f"  ({one['withdrawn']})" if one["withdrawn"] else ""
    return f"  article  {when}  {said}  {one['title']}  {one['url']}{gone}"


def _became(client: Client, proposal_hash: str, since: int) -> dict[str, Any]:
    """Wait until something has come of the answer at `since`, and return the review."""
    end = time.monotonic() + ANSWERED_WITHIN_S
    while True:
        review: dict[str, Any] = client.get(f"/reviews/{proposal_hash}")["review"]
        over = review["status"] != "open" or _refused_since(review, since)
        if over or time.monotonic() > end:
            return review
        time.sleep(_LOOK_EVERY_S)


def _refused_since(review: dict[str, Any], since: int) -> bool:
    refused = bool(review["refused"]) and review["sequence"] > since
    return review["status"] == "open" and refused


def _outcome(review: dict[str, Any]) -> str:
    if review["status"] != "open":
        refused = review["refused_source"]
        told = f"; {refused} has no more say in this story" if refused else ""
        return f"the review is {review['status']}{told}"
    if review["refused"]:
        return f"the answer had no effect: {review['refused']}: {review['refused_detail']}"
    return "nothing has come of it yet: everything admin reviews"
