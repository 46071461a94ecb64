"""`everything admin …`: decisions, signed here with a key of the venue's key folder."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from deploy.cli.client import Client
from deploy.cli.output import document, rows, say
from deploy.cli.parameters import At, Json, Key, Preset, Reason, Symbol
from deploy.venue import keys
from schemas import decisions, policy, signatures
from schemas.aliases import check_alias
from schemas.errors import InputError
from schemas.units import from_decimal


def hundredths(text: str, what: str) -> int:
    """Read a decimal that a person typed as `what`. Raises InputError."""
    try:
        return from_decimal(text)
    except ValueError as error:
        raise InputError(f"{what}: {error}") from error


_ALIAS: Final = (
    "In double quotes ('\"Fed\"') texts must have it exactly so; otherwise its capitals, or more "
    "of them. The symbol is no name unless listed. Repeatable."
)


def _aliases(given: list[str]) -> list[str]:
    """Return the aliases that a person typed. Raises InputError for one that means nothing."""
    from streams.ingest.measuring.typography import normalized

    for alias in given:
        check_alias(normalized(alias))
    return given


def decide(signer: str, kind: Any, as_json: bool, **fields: Any) -> None:
    """Sign a decision of `kind`, hand it in, and show what it brought about."""
    client = Client()
    answer = client.decide(signer, kind(**client.decision_fields(), **fields))
    if as_json:
        document(answer)
    else:
        for line in describe(answer):
            say(line)


def describe(answer: dict[str, Any]) -> list[str]:
    """Say what a decision brought about, one line for each event."""
    lines = [f"signed and on the log as message {answer['sequence']}"]
    for event in answer["events"]:
        kind = str(event["type"]).partition("/")[0].replace("_", " ")
        shown = {
            name: _named(value)
            for name, value in event.items()
            if name not in ("type", "cause", "policy", "body", "key", "keys", "decision_hash")
            and value not in ("", None, [])
        }
        detail = ", ".join(f"{name} {value}" for name, value in shown.items())
        lines.append(f"  {kind}: {detail}" if detail else f"  {kind}")
        if kind == "decision pending":
            lines.append(f"  to co-sign: everything admin co-sign {event['decision_hash']} -k NAME")
    return lines


def _named(value: Any) -> Any:
    """Return the name alone of what is stated whole, such as a source."""
    return value.get("name", "…") if isinstance(value, dict) else value


def list_market(
    symbol: Symbol,
    name: Annotated[str, typer.Option(help="What the number means, in one line.")],
    market_type: Annotated[policy.MarketType, typer.Option("--type")],
    description: str = "",
    subtype: str = "",
    region: str = "global",
    risk: decisions.RiskLevel = "medium",
    alias: Annotated[list[str] | None, typer.Option(help=f"Another name. {_ALIAS}")] = None,
    market_weight: Annotated[str, typer.Option(help="MarketPrice's share of FinalPrice.")] = "0.50",
    initial_score: Annotated[str, typer.Option(help="The price before any trade, 0-100.")] = "50",
    tick: Annotated[str, typer.Option(help="The price grid.")] = "0.01",
    min_price: str = "0",
    max_price: str = "100",
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Open a market. Nothing can be traded until a person signs this."""
    weight_bp = hundredths(market_weight, "--market-weight") * 100
    decide(
        key,
        decisions.ListMarket,
        as_json,
        symbol=symbol,
        name=name,
        description=description,
        market_type=market_type,
        subtype=subtype,
        region=region,
        risk_level=risk,
        aliases=_aliases(alias or []),
        market_weight_bp=weight_bp,
        reality_weight_bp=10_000 - weight_bp,
        initial_score_e2=hundredths(initial_score, "--initial-score"),
        tick_ticks=hundredths(tick, "--tick"),
        min_price=min_price,
        max_price=max_price,
    )


def edit_market(
    symbol: Symbol,
    name: Annotated[str | None, typer.Option()] = None,
    description: Annotated[str | None, typer.Option()] = None,
    alias: Annotated[list[str] | None, typer.Option(help=f"All aliases. {_ALIAS}")] = None,
    risk: Annotated[decisions.RiskLevel | None, typer.Option()] = None,
    market_weight: Annotated[str | None, typer.Option()] = None,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Change a market's words or weights."""
    weight_bp = hundredths(market_weight, "--market-weight") * 100 if market_weight else None
    decide(
        key,
        decisions.EditMarket,
        as_json,
        symbol=symbol,
        name=name,
        description=description,
        aliases=None if alias is None else _aliases(alias),
        risk_level=risk,
        market_weight_bp=weight_bp,
        reality_weight_bp=None if weight_bp is None else 10_000 - weight_bp,
    )


def halt(symbol: Symbol, reason: Reason, key: Key = "root", as_json: Json = False) -> None:
    """Stop trading in a market; resting orders stay and can be cancelled."""
    decide(key, decisions.HaltMarket, as_json, symbol=symbol, reason=reason)


def resume(symbol: Symbol, key: Key = "root", as_json: Json = False) -> None:
    """Let trading in a halted market go on."""
    decide(key, decisions.ResumeMarket, as_json, symbol=symbol)


def close(symbol: Symbol, reason: Reason, key: Key = "root", as_json: Json = False) -> None:
    """End trading for good; positions wait for the resolution."""
    decide(key, decisions.CloseMarket, as_json, symbol=symbol, reason=reason)


def resolve(
    symbol: Symbol,
    value: Annotated[str, typer.Argument(help="What a long lot is paid, 0-100.")],
    reason: Reason,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Pay every position out and end the market."""
    ticks = hundredths(value, "VALUE")
    decide(key, decisions.ResolveMarket, as_json, symbol=symbol, value_ticks=ticks, reason=reason)


def mint(
    account: str,
    amount: Annotated[str, typer.Argument(help="Paper credits, such as 1000 or 12.50.")],
    memo: str = "",
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Create paper credits in an account."""
    cents = hundredths(amount, "AMOUNT")
    decide(key, decisions.Mint, as_json, account=account, amount_cents=cents, memo=memo)


def new_key(
    name: Annotated[str, typer.Argument(help="The name of the file in the key folder.")],
    as_json: Json = False,
) -> None:
    """Make a key on this machine. It may sign nothing until it is enrolled."""
    folder = Client().home.keys
    public_key = keys.create(folder, name)
    if as_json:
        document({"name": name, "public_key": public_key})
    else:
        say(f"{public_key}\nkept in {keys.key_path(folder, name)}")


def enrol_key(
    public_key: Annotated[str, typer.Argument(help="A public nkey, U…")],
    holder: Annotated[str, typer.Option(help="The person who holds it.")],
    role: decisions.Role = "admin",
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Make a person's key known and give it a role."""
    decide(key, decisions.EnrolKey, as_json, key=public_key, holder=holder, role=role)


def grant_role(
    public_key: str,
    role: decisions.Role,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Change what a key may sign."""
    decide(key, decisions.GrantRole, as_json, key=public_key, role=role)


def rotate_key(
    new: Annotated[str, typer.Argument(help="The new key's name in the key folder.")],
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Replace your own key; the old one is accepted for a day more."""
    folder = Client().home.keys
    seed, old = keys.load(folder, new), signatures.public_key(keys.load(folder, key))
    decide(
        key,
        decisions.RotateKey,
        as_json,
        new_key=signatures.public_key(seed),
        new_key_signature=signatures.sign(seed, old.encode()),
    )


def revoke_key(public_key: str, reason: Reason, key: Key = "root", as_json: Json = False) -> None:
    """Take a key out of use at once."""
    decide(key, decisions.RevokeKey, as_json, key=public_key, reason=reason)


def set_policy(
    reason: Reason,
    preset: Annotated[Preset | None, typer.Option()] = None,
    file: Annotated[Path | None, typer.Option(help="A policy as JSON.", exists=True)] = None,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Run the venue by another policy from here on; the past is not touched."""
    decide(key, decisions.SetPolicy, as_json, policy=read_policy(preset, file), reason=reason)


def co_sign(decision_hash: str, key: Key = "root", as_json: Json = False) -> None:
    """Add your signature to a decision that waits for more than one person."""
    decide(key, decisions.CoSign, as_json, decision_hash=decision_hash)


def ops_override(action: str, reason: Reason, key: Key = "root", as_json: Json = False) -> None:
    """Record that an operator acted outside the rules; a post-mortem is due."""
    decide(key, decisions.OpsOverride, as_json, action=action, reason=reason)


def list_keys(at: At = None, as_json: Json = False) -> None:
    """Show who may sign what."""
    columns = {"holder": "holder", "role": "role", "status": "status", "key": "key"}
    rows(Client().get("/keys", at=at)["keys"], columns, empty="no keys", as_json=as_json)


def audit(
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show the latest decisions and refusals."""
    columns = {"sequence": "seq", "kind": "event", "key": "key", "detail": "detail"}
    found = Client().get("/audit", limit=limit, at=at)["events"]
    rows(found, columns, empty="nothing yet", as_json=as_json)


def read_policy(preset: str | None, file: Path | None) -> policy.Policy:
    """Return the policy called `preset` or written in `file`; exactly one must be given."""
    if (preset is None) == (file is None):
        raise InputError("give either a preset or a file")
    if preset is not None:
        return policy.PRESETS[preset]
    assert file is not None
    try:
        chosen = msgspec.json.decode(file.read_bytes(), type=policy.Policy)
    except msgspec.DecodeError as error:
        raise InputError(f"{file}: {error}") from error
    wrong = policy.problem(chosen)
    if wrong:
        raise InputError(f"{file}: {wrong}")
    return chosen
