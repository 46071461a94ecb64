"""GET /status: how every process is, as its last heartbeat says."""

from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Request

from projections.http import bound


class StatusPort(Protocol):
    """What knows the heartbeats; they are on no stream, so `deploy` listens to them."""

    async def status(self) -> dict[str, Any]:
        """Return each process's last heartbeat, the log's size and its last seal."""


router: Final = APIRouter(tags=["venue"])


async def _heartbeats_of(request: Request) -> StatusPort:
    heartbeats: StatusPort = request.state.heartbeats
    return heartbeats


@router.get("/status", summary="How every process is")
async def status(heartbeats: Annotated[StatusPort, Depends(_heartbeats_of)]) -> dict[str, Any]:
    """Return each process's last heartbeat, the log's size and its last seal."""
    return await heartbeats.status()


def create_status_router(heartbeats: StatusPort) -> APIRouter:
    """Return the route, to be mounted under the API's prefix."""
    return bound(router, heartbeats=heartbeats)
