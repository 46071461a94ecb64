"""GET /state: the hashes of the engines' states, now or as of any sequence of the log."""

from typing import Final

from fastapi import APIRouter
from pydantic import Field

from projections.api.at import EngineState
from projections.api.context import AsOf, Caller, Reads
from projections.api.store import At
from schemas.http import QUERY_ERRORS, Out, errors
from schemas.texts import time_of


class EngineStateOut(Out):
    record: int = Field(description="Its last record's number, 0 for none.")
    sequence: int = Field(description="Where that record stands.")
    time: str
    record_hash: str
    state_hash: str = Field(description="SHA-256 of the state's canonical bytes.")


class StateOut(Out):
    sequence: int
    time: str = Field(description="The newest record's, up to there.")
    state_hash: str = Field(description="SHA-256 over a line `name:state_hash` for each engine.")
    chain: str = Field(description="Chain hash over all that was projected up to there.")
    engines: dict[str, EngineStateOut]


router: Final = APIRouter(tags=["governance"])


@router.get("/state", summary="The engines' states", responses=errors(*QUERY_ERRORS))
async def state(reads: Reads, caller: Caller, at: AsOf) -> StateOut:
    """Return the hash of each engine's state, and one over all of them."""
    states = reads.resolver.states
    if at.sequence is None:
        last = await states.last_sequence()
        await reads.resolver.reach_history(last)
        at = At(last)
    async with reads.view(at) as view:
        sequence = view.sequence
        row = await view.one("SELECT chain FROM checkpoint") or {"chain": ""}
    found = await states.state_at(sequence, caller)
    return StateOut(
        sequence=sequence,
        time=time_of(found.time_ns),
        state_hash=found.state_hash,
        chain=row["chain"],
        engines={engine.name: _engine(engine) for engine in found.engines},
    )


def _engine(engine: EngineState) -> EngineStateOut:
    return EngineStateOut(
        record=engine.record,
        sequence=engine.sequence,
        time=time_of(engine.time_ns),
        record_hash=engine.record_hash,
        state_hash=engine.state_hash,
    )
