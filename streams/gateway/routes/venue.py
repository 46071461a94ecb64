"""GET /health, /ready and /venue: is the door open, and whose is it."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from schemas.errors import OperatingError
from schemas.subjects import ENGINES, epoch
from streams.gateway.context import GatewayContext
from streams.gateway.limits import READY_TIMEOUT_S
from streams.gateway.models import HealthOut, KeyOut, ReadyOut, VenueOut
from streams.gateway.routes.common import errors, reply


def create_venue_router(context: GatewayContext) -> APIRouter:
    """Return the routes about the door and its venue."""
    router = APIRouter(tags=["venue"])
    in_office: set[str] = set()

    async def look_at_log() -> bool:
        """Tell whether the log answers, and note which engines have an epoch on it."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await context.log.last_sequence()
                for engine in ENGINES:
                    if engine not in in_office and await context.log.last(
                        epoch(context.log.shard, engine)
                    ):
                        in_office.add(engine)
        except (OperatingError, TimeoutError):
            return False
        return True

    @router.get("/health", summary="Is the process alive", response_model=HealthOut)
    async def health() -> HealthOut:
        return HealthOut()

    @router.get(
        "/ready",
        summary="Can orders be taken",
        response_model=ReadyOut,
        responses={503: {"model": ReadyOut, "description": "Not yet, or not now."}},
    )
    async def ready() -> Response:
        """Say whether the log answers, the door has caught up, and all engines are in office."""
        log = await look_at_log()
        founded = context.directory.venue is not None
        caught_up = context.tail.caught_up
        is_ready = log and caught_up and founded and len(in_office) == len(ENGINES)
        answer = ReadyOut(
            ready=is_ready,
            log=log,
            caught_up=caught_up,
            founded=founded,
            engines={engine: engine in in_office for engine in ENGINES},
        )
        return reply(200 if is_ready else 503, answer)

    @router.get("/venue", summary="The venue", response_model=VenueOut, responses=errors())
    async def venue() -> VenueOut:
        """Return who the venue is, its policy, and the keys that may sign for it."""
        context.check_ready()
        directory = context.directory
        shard = context.log.shard
        if directory.venue is None:
            return VenueOut(founded=False, shard=shard)
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
            keys=[
                KeyOut(
                    key=key,
                    holder=known.holder,
                    role=known.role,
                    counter=known.counter,
                    revoked=known.revoked,
                )
                for key, known in directory.keys.items()
            ],
        )

    return router
