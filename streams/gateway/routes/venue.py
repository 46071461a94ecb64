"""GET /health, /ready and /venue: does the gateway serve, and for which venue.

`GET /venue` is answered from the directory and not from the tables. A signer takes the venue's
id and the key's counter from it: both must be exact right after the genesis or the last
decision, also while no projector runs.
"""

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Response

from schemas.errors import OperatingError
from schemas.http import COMMAND_ERRORS, errors
from schemas.subjects import ENGINES, epoch
from streams.gateway.context import Context, GatewayContext
from streams.gateway.limits import READY_TIMEOUT_S
from streams.gateway.models import HealthOut, ReadyOut, SigningKeyOut, VenueOut
from streams.gateway.routes.common import reply
from streams.log.venue_view import KeyHolder

router: Final = APIRouter(tags=["venue"])


@router.get("/health", summary="Is the process alive", response_model=HealthOut)
async def health() -> HealthOut:
    return HealthOut()


@router.get(
    "/ready",
    summary="Can orders be taken",
    response_model=ReadyOut,
    responses={503: {"model": ReadyOut, "description": "Not yet, or not now."}},
)
async def ready(context: Context) -> Response:
    """Say whether the log answers, the gateway has caught up, and all engines have a leader."""
    log = await _look_at_log(context)
    founded = context.directory.venue is not None
    caught_up = context.tail.caught_up
    is_ready = log and caught_up and founded and len(context.led_engines) == len(ENGINES)
    answer = ReadyOut(
        ready=is_ready,
        log=log,
        caught_up=caught_up,
        founded=founded,
        engines={engine: engine in context.led_engines for engine in ENGINES},
    )
    return reply(200 if is_ready else 503, answer)


async def _look_at_log(context: GatewayContext) -> bool:
    """Tell whether the log answers, and note which engines have an epoch on it."""
    log, led = context.log, context.led_engines
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await log.last_sequence()
            for engine in ENGINES:
                if engine not in led and await log.last(epoch(log.shard, engine)):
                    led.add(engine)
    except (OperatingError, TimeoutError):
        return False
    return True


@router.get(
    "/venue", summary="The venue", response_model=VenueOut, responses=errors(*COMMAND_ERRORS)
)
async def venue(context: Context) -> VenueOut:
    """Return who the venue is, its policy, and the keys that may sign for it."""
    context.check_ready()
    directory, shard = context.directory, context.log.shard
    if directory.venue is None:
        terms = context.founding_terms()
        notary_key = None if terms is None else terms.notary_key
        return VenueOut(founded=False, shard=shard, notary_key=notary_key)
    policy: dict[str, Any] = msgspec.to_builtins(directory.policy)
    return VenueOut(
        founded=True,
        shard=shard,
        venue_id=directory.venue.venue_id,
        name=directory.venue.name,
        root_key=directory.venue.root_key,
        notary_key=directory.venue.notary_key,
        policy_version=directory.policy_version,
        policy=policy,
        keys=[_signing_key(key, holder) for key, holder in directory.keys.items()],
    )


def _signing_key(key: str, holder: KeyHolder) -> SigningKeyOut:
    return SigningKeyOut(
        key=key,
        holder=holder.holder,
        role=holder.role,
        counter=holder.counter,
        revoked=holder.revoked,
    )
