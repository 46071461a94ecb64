"""Reads about who decided what, and about the projection itself, for everyone."""

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query

from projections.api.formatting import (
    PAGE,
    After,
    Before,
    Limit,
    PlaceCursor,
    SymbolFilter,
    checked_symbol,
    errors,
    page,
    place_of,
    time_or_none,
)
from projections.api.models import (
    AuditOut,
    AuditsOut,
    DecisionOut,
    DecisionsOut,
    EngineOut,
    KeyOut,
    KeysOut,
    ProjectionOut,
)
from projections.api.store import ReadStore, decode_ends
from projections.store.checkpoint import End
from schemas.texts import time_of

_AUDIT: Final = """
    SELECT * FROM audit_events
    WHERE (sequence, ordinal) < ($1, $2) {filters}
    ORDER BY sequence DESC, ordinal DESC LIMIT $3
"""
_DECISIONS: Final = """
    SELECT * FROM decisions
    WHERE sequence < coalesce($1, 9223372036854775807) {filters}
    ORDER BY sequence DESC, decision_hash LIMIT $2
"""
_KEYS: Final = 'SELECT * FROM keys WHERE key COLLATE "C" > $1 ORDER BY key COLLATE "C" LIMIT $2'

_decode_event = msgspec.json.Decoder(dict[str, Any]).decode


def create_governance_router(store: ReadStore) -> APIRouter:
    """Return the routes by which anyone can see who decided what."""
    router = APIRouter(tags=["governance"])

    @router.get("/audit", summary="Decisions and refusals", responses=errors(400))
    async def audit(
        symbol: SymbolFilter = None,
        limit: Limit = PAGE,
        before: PlaceCursor = None,
    ) -> AuditsOut:
        """List what the governance engine decided, and what reality did that people answer for.

        The newest comes first; the cursor is an event id.
        """
        cursor = place_of(before)
        if symbol is not None:
            checked_symbol(symbol)
        async with store.reading() as reading:
            filters = "AND symbol = $4" if symbol is not None else ""
            params = (*cursor, limit + 1, *([symbol] if symbol is not None else []))
            found = await reading.all(_AUDIT.format(filters=filters), params)
            rows, more = page(found, limit)
            events = [_audit(row) for row in rows]
            return AuditsOut(
                sequence=reading.sequence,
                events=events,
                next=events[-1].event_id if more else None,
            )

    @router.get("/keys", summary="Who may sign", responses=errors())
    async def keys(limit: Limit = PAGE, after: After = None) -> KeysOut:
        """List every key that was ever enrolled."""
        async with store.reading() as reading:
            rows, more = page(await reading.all(_KEYS, (after or "", limit + 1)), limit)
            return KeysOut(
                sequence=reading.sequence,
                keys=[_key(row) for row in rows],
                next=rows[-1]["key"] if more else None,
            )

    @router.get("/decisions", summary="Decisions and who signed them", responses=errors())
    async def decisions(
        status: Annotated[Literal["pending", "accepted", "lapsed"] | None, Query()] = None,
        limit: Limit = PAGE,
        before: Before = None,
    ) -> DecisionsOut:
        """List good decisions, the latest change first; the cursor is a sequence.

        A page may be longer than `limit`, so as not to end in the middle of a record.
        """
        async with store.reading() as reading:
            filters = f"AND status = '{status}'" if status is not None else ""
            query = _DECISIONS.format(filters=filters)
            found = await reading.all(query, (before, limit + 1))
            rows, more = page(found, limit)
            if more:
                last = rows[-1]["sequence"]
                query = f"SELECT * FROM decisions WHERE sequence = $1 {filters} ORDER BY 1"
                rows = [row for row in rows if row["sequence"] != last]
                rows += await reading.all(query, (last,))
            return DecisionsOut(
                sequence=reading.sequence,
                decisions=[_decision(row) for row in rows],
                next=str(rows[-1]["sequence"]) if more else None,
            )

    @router.get("/projection", summary="How far the tables are", responses=errors())
    async def projection() -> ProjectionOut:
        """Return the checkpoint, and the last record of every engine that was projected."""
        async with store.reading() as reading:
            row = await reading.one("SELECT * FROM checkpoint") or {}
            return ProjectionOut(
                sequence=reading.sequence,
                schema_name=reading.live.schema,
                version=reading.live.digest,
                switch=reading.live.switch,
                message_hash=row["message_hash"],
                chain=row["chain"],
                engines={name: _engine(end) for name, end in decode_ends(row["ends"]).items()},
            )

    return router


def _audit(row: dict[str, Any]) -> AuditOut:
    event = _decode_event(row["body"])
    kind = row["event"].partition("/")[0]
    words = (row["kind"], row["symbol"], row["source"], row["account"], row["code"])
    said = [event.get(name) for name in ("outcome", "mode", "detail", "reason", "memo")]
    return AuditOut(
        event_id=f"{row['sequence']}-{row['ordinal']}",
        sequence=row["sequence"],
        cause=row["cause"],
        kind=kind,
        decision=row["kind"],
        key=row["key"],
        symbol=row["symbol"],
        account=row["account"],
        source=row["source"],
        proposal_hash=row["proposal_hash"],
        code=row["code"],
        detail=": ".join(str(word) for word in (*words, *said) if word),
        time=time_of(row["time_ns"]),
        event=event,
    )


def _key(row: dict[str, Any]) -> KeyOut:
    return KeyOut(
        key=row["key"],
        holder=row["holder"],
        role=row["role"],
        status=row["status"],
        lapses_at=time_or_none(row["lapses_ns"]),
        successor=row["successor"],
        enrolled_at=time_of(row["enrolled_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def _decision(row: dict[str, Any]) -> DecisionOut:
    return DecisionOut(
        decision_hash=row["decision_hash"],
        kind=row["kind"],
        status=row["status"],
        key=row["key"],
        signers=row["signers"],
        signers_needed=row["signers_needed"],
        expires_at=time_or_none(row["expires_ns"]),
        body=row["body"],
        changed_at=time_of(row["changed_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def _engine(end: End) -> EngineOut:
    head = end.head
    return EngineOut(
        record=head.number,
        sequence=end.sequence,
        last_input=head.last_input,
        epoch=head.epoch,
        hash=head.hash,
        time=time_of(head.time_ns),
    )
