"""POST /admin/action: carry a signed decision to the log, to the letter."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Header, Response

from schemas import policy
from schemas.chain import digest
from schemas.codec import encode
from schemas.decisions import (
    DECISIONS,
    AnyDecision,
    Genesis,
    SignedDecision,
)
from schemas.errors import AppendFailed, Refusal, Refused, TooLarge
from schemas.events import Event
from schemas.events.exchange import CashCredited, CreditRefused
from schemas.events.governance import (
    CreditsMinted,
    DecisionAccepted,
    DecisionRefused,
    VenueFounded,
)
from schemas.http import COMMAND_ERRORS, errors
from schemas.limits import MAX_DECISION_BYTES, MAX_NAME_CHARS
from schemas.signatures import is_public_key, verify
from schemas.subjects import EXCHANGE, GOVERNANCE, admin_command
from schemas.texts import is_line
from streams.accounts.directory import Directory
from streams.gateway.context import Context, GatewayContext
from streams.gateway.errors import RefusedOnLog
from streams.gateway.founding import check_founding
from streams.gateway.limits import MAX_FOUNDING_CODE_CHARS
from streams.gateway.models import ActionIn, ActionOut
from streams.gateway.outcomes import Outcome
from streams.gateway.routes.common import reply
from streams.gateway.signers import signer

router: Final = APIRouter(prefix="/admin", tags=["decisions"])

FoundingCode = Annotated[
    str | None,
    Header(
        alias="X-Founding-Code",
        max_length=MAX_FOUNDING_CODE_CHARS,
        description="Only with the genesis: the one-time code that `everything up` printed.",
    ),
]


@router.post(
    "/action",
    summary="Submit a signed decision",
    response_model=ActionOut,
    responses={
        202: {"model": ActionOut, "description": "Durable; more signatures or time needed."},
        **errors(*COMMAND_ERRORS, 401, 403, 409),
    },
)
async def act(context: Context, body: ActionIn, founding_code: FoundingCode = None) -> Response:
    """Append a decision exactly as it was signed, and answer with what it brought about.

    What the gateway can see to be refused never reaches the log. The genesis goes the same
    way, with the founding code in a header, and is taken only while the log is empty.
    """
    context.check_ready()
    context.outcomes.admit()
    decision = _read(body)
    if isinstance(decision, Genesis):
        _check_unfounded(context.directory)
        check_founding(context.founding_terms(), founding_code, decision, context.wrong_codes)
        _check_genesis(decision, body.key)
        sequence = await _found(context, body)
    else:
        signer(body.key, decision.venue_id, context.directory)
        sequence = await context.appender.append(*_message(context, body))
    outcome = await context.outcomes.wait(GOVERNANCE, sequence)
    return await _answer(context, body, sequence, outcome)


def _read(body: ActionIn) -> AnyDecision | Genesis:
    text = body.body.encode()
    if len(text) > MAX_DECISION_BYTES:
        raise TooLarge(f"a decision has at most {MAX_DECISION_BYTES} bytes")
    decision = DECISIONS.decode(text)
    if encode(decision) != text:
        raise Refused(Refusal.NOT_CANONICAL, "this is not the decision's canonical JSON")
    verify(body.key, text, body.signature)
    return decision


def _check_unfounded(directory: Directory) -> None:
    if directory.venue is not None:
        raise Refused(Refusal.GENESIS_EXISTS, f"this venue is {directory.venue.name!r} already")


def _check_genesis(genesis: Genesis, key: str) -> None:
    """Be strict: the first message of a log cannot be taken back."""
    if genesis.root_key != key:
        raise Refused(Refusal.BAD_KEY, "a genesis is signed by its own root key")
    if not is_public_key(genesis.notary_key):
        raise Refused(Refusal.BAD_KEY, "the notary key is no public nkey")
    if not is_line(genesis.venue, MAX_NAME_CHARS):
        raise Refused(Refusal.BAD_TEXT, f"a name is 1 to {MAX_NAME_CHARS} printable characters")
    if (problem := policy.problem(genesis.policy)) is not None:
        raise Refused(Refusal.BAD_POLICY, problem)


def _message(context: GatewayContext, body: ActionIn) -> tuple[str, bytes]:
    signed = SignedDecision(body.key, body.body, body.signature)
    return admin_command(context.log.shard, body.key), encode(signed)


async def _found(context: GatewayContext, body: ActionIn) -> int:
    try:
        return await context.log.found(*_message(context, body))
    except AppendFailed as error:
        if await context.log.last_sequence() == 0:
            raise
        raise Refused(Refusal.GENESIS_EXISTS, "this log has begun already") from error


async def _answer(
    context: GatewayContext, body: ActionIn, sequence: int, outcome: Outcome | None
) -> Response:
    events = list(outcome.events) if outcome else []
    for event in events:
        if isinstance(event, DecisionRefused):
            raise RefusedOnLog(event.code, event.detail, sequence)
    accepted = any(isinstance(event, DecisionAccepted | VenueFounded) for event in events)
    mints = [event for event in events if isinstance(event, CreditsMinted)]
    if outcome and mints:
        credited = await _credits(context, outcome.sequence, mints)
        events += credited
        accepted = accepted and bool(credited)
    answer = ActionOut(
        sequence=sequence,
        status="accepted" if accepted else "pending",
        decision_hash=digest(body.body.encode()),
        events=[_plain(event) for event in events],
    )
    return reply(200 if accepted else 202, answer)


async def _credits(
    context: GatewayContext, record_sequence: int, mints: list[CreditsMinted]
) -> list[Event]:
    """Return what the exchange made of `mints`, which are in the governance record given.

    Raises RefusedOnLog if it could not credit them.
    """
    outcome = await context.outcomes.wait(EXCHANGE, record_sequence)
    wanted = {(mint.account, mint.amount_cents) for mint in mints}
    found: list[Event] = []
    for event in outcome.events if outcome else ():
        if not isinstance(event, CashCredited | CreditRefused):
            continue
        if (event.account, event.amount_cents) not in wanted:
            continue
        if isinstance(event, CreditRefused):
            problem = f"the mint was signed, but {event.account!r} could not be credited"
            raise RefusedOnLog(event.code, problem, record_sequence)
        found.append(event)
    return found


def _plain(event: Event) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(event)
    return plain
