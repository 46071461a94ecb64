"""GET /state: what the engines' states hash to, now or at any moment of the log."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from projections.api.at import EngineState, Moments
from projections.api.formatting import errors
from projections.api.store import AT, ReadStore
from schemas.texts import time_of


class EngineStateOut(BaseModel):
    record: int = Field(description="Its last record's number, 0 for none.")
    sequence: int = Field(description="Where that record stands.")
    time: str
    record_hash: str
    state_hash: str = Field(description="SHA-256 of the state's canonical bytes.")


class StateOut(BaseModel):
    sequence: int
    time: str = Field(description="The newest record's, up to there.")
    state_hash: str = Field(description="SHA-256 over a line `name:state_hash` for each engine.")
    chain: str = Field(description="Chain hash over all that was projected up to there.")
    engines: dict[str, EngineStateOut]


def create_state_router(store: ReadStore, moments: Moments) -> APIRouter:
    """Return the route by which anyone can compare states with his own fold of the log."""
    router = APIRouter(tags=["governance"])

    @router.get("/state", summary="The engines' states", responses=errors(404))
    async def state() -> StateOut:
        """Return the hash of each engine's state, and one over all of them."""
        machine = moments.machine
        if AT.get() is None:
            last = await machine.last_sequence()
            await moments.reach(last)
            AT.set(last)
        async with store.reading() as reading:
            sequence = reading.sequence
            row = await reading.one("SELECT chain FROM checkpoint") or {"chain": ""}
        found = await machine.state_at(sequence)
        return StateOut(
            sequence=sequence,
            time=time_of(found.time_ns),
            state_hash=found.state_hash,
            chain=row["chain"],
            engines={engine.name: _engine(engine) for engine in found.engines},
        )

    return router


def _engine(engine: EngineState) -> EngineStateOut:
    return EngineStateOut(
        record=engine.record,
        sequence=engine.sequence,
        time=time_of(engine.time_ns),
        record_hash=engine.record_hash,
        state_hash=engine.state_hash,
    )
