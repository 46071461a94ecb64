"""Where articles come from: signing for sources, looking at them, and speaking for one."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
import typer

from deploy.cli.admin import decide
from deploy.cli.client import Client
from deploy.cli.output import document, minute, rows, say
from deploy.cli.parameters import At, Json, Key, Limit, Reason
from deploy.limits import DEFAULT_CRAWL_DELAY_S
from deploy.venue import keys
from schemas import decisions, pushes, signatures
from schemas.articles import snapshot_id
from schemas.errors import InputError
from schemas.limits import MAX_PAGE_ROWS
from schemas.pushes import PushedArticle
from schemas.sources import Source, SourceKind, problem
from schemas.units import HOUR_NS, SECOND_NS, WEIGHT_ONE_BP

SourceId = Annotated[str, typer.Argument(help="The source's id: a-z, 0-9, _ and -.")]
PushKey = Annotated[
    str | None,
    typer.Option(help="What signs a push source's articles: a public nkey, or a key's name."),
]
_EVENT_ID_CHARS = 24


def _basis_points(text: str, what: str) -> int:
    try:
        scaled = Decimal(text) * WEIGHT_ONE_BP
        if not scaled.is_finite() or scaled != scaled.to_integral_value():
            raise InputError(f"{what}: not a number, or finer than 0.0001")
    except InvalidOperation as error:
        raise InputError(f"{what}: not a number: {text[:40]!r}") from error
    return int(scaled)


def _public_key(given: str) -> str:
    """Return `given` if it is a public key, else that of the seed so called."""
    if signatures.is_public_key(given):
        return given
    return signatures.public_key(keys.load(Client().home.keys, given))


def _checked(source: Source) -> Source:
    wrong = problem(source)
    if wrong is not None:
        raise InputError(f"{source.source}: {wrong}")
    return source


# -- decisions -----------------------------------------------------------------------


def add_source(
    source: SourceId,
    name: Annotated[str, typer.Option(help="What people call it.")],
    kind: Annotated[SourceKind, typer.Option(help="rss also reads Atom, JSON Feed.")],
    url: Annotated[str, typer.Option(help="The feed, sitemap or page that is looked at.")] = "",
    trust: Annotated[str, typer.Option(help="What its word weighs, 0 to 1.")] = "0.50",
    crawl_delay: Annotated[
        int, typer.Option(help="Seconds between two requests.")
    ] = DEFAULT_CRAWL_DELAY_S,
    poll_interval: Annotated[
        int | None, typer.Option(help="Seconds between two looks; POLL_INTERVAL if not given.")
    ] = None,
    follow_links: Annotated[bool, typer.Option(help="Fetch what a feed links to.")] = False,
    link_selector: Annotated[str, typer.Option(help="CSS, of links on a page.")] = "",
    excerpt_chars: Annotated[int, typer.Option(help="Of a text, kept on the log.")] = 1_000,
    keep_raw_days: Annotated[int, typer.Option(help="Keep raw bytes so long; 0 never.")] = 0,
    paywalled: Annotated[bool, typer.Option(help="Never fetch its pages.")] = False,
    restricted: Annotated[bool, typer.Option(help="Never fetch anything of it.")] = False,
    allow_loopback: Annotated[bool, typer.Option(help="A test venue's own server.")] = False,
    push_key: PushKey = None,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Let articles come from a source. Nothing is fetched until a person signs this."""
    interval_s = Client().settings.poll_interval if poll_interval is None else poll_interval
    added = Source(
        source=source,
        name=name,
        kind=kind,
        url=url,
        trust_bp=_basis_points(trust, "--trust"),
        crawl_delay_s=crawl_delay,
        poll_interval_s=interval_s,
        follow_links=follow_links,
        link_selector=link_selector,
        excerpt_chars=excerpt_chars,
        keep_raw_days=keep_raw_days,
        paywalled=paywalled,
        restricted=restricted,
        allow_loopback=allow_loopback,
        push_key="" if push_key is None else _public_key(push_key),
    )
    decide(key, decisions.AddSource, as_json, source=_checked(added))


def change_source(
    source: SourceId,
    name: Annotated[str | None, typer.Option()] = None,
    url: Annotated[str | None, typer.Option()] = None,
    trust: Annotated[str | None, typer.Option(help="What its word weighs, 0 to 1.")] = None,
    crawl_delay: Annotated[int | None, typer.Option()] = None,
    poll_interval: Annotated[int | None, typer.Option()] = None,
    follow_links: Annotated[bool | None, typer.Option()] = None,
    link_selector: Annotated[str | None, typer.Option()] = None,
    excerpt_chars: Annotated[int | None, typer.Option()] = None,
    keep_raw_days: Annotated[int | None, typer.Option()] = None,
    paywalled: Annotated[bool | None, typer.Option()] = None,
    restricted: Annotated[bool | None, typer.Option()] = None,
    push_key: PushKey = None,
    active: Annotated[bool | None, typer.Option(help="Whether it counts at all.")] = None,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Change what is given; the rest of the source is signed again as it stands."""
    given = {
        "name": name,
        "url": url,
        "trust_bp": None if trust is None else _basis_points(trust, "--trust"),
        "crawl_delay_s": crawl_delay,
        "poll_interval_s": poll_interval,
        "follow_links": follow_links,
        "link_selector": link_selector,
        "excerpt_chars": excerpt_chars,
        "keep_raw_days": keep_raw_days,
        "paywalled": paywalled,
        "restricted": restricted,
        "push_key": None if push_key is None else _public_key(push_key),
        "active": active,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise InputError("say what is to change: everything admin change-source --help")
    stands = stated(Client().get(f"/sources/{source}")["source"])
    changed = msgspec.structs.replace(stands, **changes)
    decide(key, decisions.ChangeSource, as_json, source=_checked(changed))


def stated(told: dict[str, Any]) -> Source:
    """Return the signed source that an answer of the API tells of."""
    fields = {field: told[field] for field in Source.__struct_fields__ if field in told}
    trust_bp = _basis_points(told["trust"], "trust")
    return msgspec.convert({**fields, "trust_bp": trust_bp}, Source)


def quarantine_source(
    source: SourceId,
    reason: Reason,
    hours: Annotated[int, typer.Option(min=1, max=24 * 365, help="For so long.")] = 24,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Let nothing that a source says count for a while. What counted already stays."""
    until_ns = int(datetime.now(UTC).timestamp()) * SECOND_NS + hours * HOUR_NS
    decide(
        key,
        decisions.QuarantineSource,
        as_json,
        source=source,
        until_ns=until_ns,
        reason=reason,
    )


def release_source(
    source: SourceId, reason: Reason, key: Key = "root", as_json: Json = False
) -> None:
    """Let a quarantined source count again."""
    decide(key, decisions.QuarantineSource, as_json, source=source, until_ns=0, reason=reason)


# -- looking -------------------------------------------------------------------------


def list_sources(at: At = None, as_json: Json = False) -> None:
    """List the sources that people have signed for, and how fetching them goes."""
    found = Client().get("/sources", limit=1_000, at=at)["sources"]
    if as_json:
        document(found)
        return
    names = ("source", "kind", "trust", "state", "fetched", "articles", "name")
    empty = "no sources yet: `everything admin add-source --help`"
    rows([_row(one) for one in found], {name: name for name in names}, empty=empty, as_json=False)


def source_ledger(
    source: SourceId,
    symbol: Annotated[str | None, typer.Option(help="Only this market's days.")] = None,
    limit: Limit = 20,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show what a source moved, day by day, and what scores would be without that."""
    client, path = Client(), f"/sources/{source}/ledger"
    days = client.get(path, symbol=symbol, limit=limit, at=at)["days"]
    symbols = client.get(f"{path}/symbols", limit=MAX_PAGE_ROWS, at=at)["symbols"]
    if as_json:
        document({"days": days, "symbols": symbols})
        return
    names = ("day", "symbol", "unsigned", "approved", "refused", "taken_back", "cuts")
    columns = {name: name.replace("_", " ") for name in names}
    rows(days, columns, empty="it has moved nothing yet", as_json=False)
    if symbols:
        say("\nby sums; exactly: everything whatif --without-source " + source)
        columns = {"symbol": "symbol", "moved": "moved", "score": "score"}
        columns |= {"score_without": "without it"}
        rows(symbols, columns, empty="", as_json=False)


def _row(source: dict[str, Any]) -> dict[str, Any]:
    return {**source, "state": state_of(source), "fetched": _fetched(source["last_fetch"])}


def state_of(source: dict[str, Any]) -> str:
    """Say whether what a source says counts."""
    until = source["quarantined_until"]
    if until is not None and datetime.fromisoformat(until) > datetime.now(UTC):
        return f"quarantined until {minute(until)}"
    return "active" if source["active"] else "inactive"


def _fetched(last: dict[str, Any] | None) -> str:
    if last is None:
        return "never"
    why = last["problem"] or last["outcome"]
    if last["status"] >= 400:
        why += f" {last['status']}"
    if last["detail"]:
        why += f": {last['detail']}"
    return f"{minute(last['at'])} {why}"


# -- speaking ------------------------------------------------------------------------


def push(
    source: SourceId,
    title: Annotated[str, typer.Option(help="One line.")],
    text: Annotated[str, typer.Option()] = "",
    url: Annotated[str, typer.Option(help="Where people can read it.")] = "",
    language: Annotated[str, typer.Option()] = "en",
    published: Annotated[
        str | None, typer.Option(help="ISO 8601, such as 2026-11-20T18:00:00Z.")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="Yours: repeat it and nothing happens twice.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", "-k", help="A key's name; the source's id if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign an article with a source's push key and send it."""
    client = Client()
    pushed = PushedArticle(
        source=source,
        event_id=event_id or f"cli-{snapshot_id(title, text)[:_EVENT_ID_CHARS]}",
        url=url,
        title=title,
        text=text,
        language=language,
        published_ns=None if published is None else _time_ns(published),
        venue_id=client.venue_id(),
    )
    if (wrong := pushes.problem(pushed)) is not None:
        raise InputError(": ".join(wrong))
    answer = client.post("/reality/ingest", client.signed(key or source, pushed))
    if as_json:
        document(answer)
    else:
        say(f"article {answer['sequence']}: {answer['snapshot_id']}")


def _time_ns(text: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--published: {error}") from error
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return int(when.timestamp()) * SECOND_NS
