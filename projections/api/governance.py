"""Queries about who decided what, and about the projection itself, for everyone."""

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query

from projections.api.context import AsOf, Reads
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
from projections.api.page import Conditions, NamePage, NumberPage, PositionPage
from projections.api.store import Row, decode_ends
from projections.api.symbols import SymbolFilter, checked_symbol
from projections.store.checkpoint import End
from schemas.http import QUERY_ERRORS, errors
from schemas.texts import time_of

_decode_event = msgspec.json.Decoder(dict[str, Any]).decode

DecisionStatus = Annotated[Literal["pending", "accepted", "lapsed"] | None, Query()]

router: Final = APIRouter(tags=["governance"])


@router.get("/audit", summary="Decisions and refusals", responses=errors(*QUERY_ERRORS, 400))
async def audit(reads: Reads, page: PositionPage, symbol: SymbolFilter = None) -> AuditsOut:
    """List what the governance engine decided, and what reality did that people answer for.

    The newest comes first; the cursor is an event id.
    """
    where = Conditions().add("(sequence, ordinal) < ({}, {})", *page.cursor)
    if symbol is not None:
        where.equal("symbol", checked_symbol(symbol))
    async with reads.view(page.at) as view:
        query = "SELECT * FROM audit_events"
        found = await page.read(view, query, where, "sequence DESC, ordinal DESC")
        return AuditsOut(
            sequence=view.sequence,
            events=[_audit(row) for row in found.rows],
            next=found.next(_event_id),
        )


@router.get("/keys", summary="Who may sign", responses=errors(*QUERY_ERRORS))
async def keys(reads: Reads, page: NamePage) -> KeysOut:
    """List every key that was ever enrolled."""
    where = Conditions().add('key COLLATE "C" > {}', page.cursor)
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM keys", where, 'key COLLATE "C"')
        return KeysOut(
            sequence=view.sequence,
            keys=[KeyOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["key"])),
        )


@router.get("/decisions", summary="Decisions and who signed them", responses=errors(*QUERY_ERRORS))
async def decisions(reads: Reads, page: NumberPage, status: DecisionStatus = None) -> DecisionsOut:
    """List good decisions, the latest change first; the cursor is a sequence.

    A page may be longer than `limit`, so as not to end in the middle of a record.
    """
    query = "SELECT * FROM decisions"
    where = Conditions().add("sequence < {}", page.cursor).status(status)
    async with reads.view(page.at) as view:
        found = await page.read(view, query, where, "sequence DESC, decision_hash")
        rows = list(found.rows)
        if found.more:
            last = rows[-1]["sequence"]
            whole = Conditions().add("sequence = {}", last).status(status)
            rows = [row for row in rows if row["sequence"] != last]
            rows += await view.all(f"{query} WHERE {whole.text} ORDER BY 1", whole.params)
        return DecisionsOut(
            sequence=view.sequence,
            decisions=[DecisionOut.from_row(row) for row in rows],
            next=found.next(lambda row: str(row["sequence"])),
        )


@router.get("/projection", summary="How far the tables are", responses=errors(*QUERY_ERRORS))
async def projection(reads: Reads, at: AsOf) -> ProjectionOut:
    """Return the checkpoint, and the last record of every engine that was projected."""
    async with reads.view(at) as view:
        row = await view.one("SELECT * FROM checkpoint") or {}
        return ProjectionOut(
            sequence=view.sequence,
            schema_name=view.live.schema,
            version=view.live.digest,
            switch=view.live.switch,
            message_hash=row["message_hash"],
            chain=row["chain"],
            engines={name: _engine(end) for name, end in decode_ends(row["ends"]).items()},
        )


def _event_id(row: Row) -> str:
    return f"{row['sequence']}-{row['ordinal']}"


def _audit(row: Row) -> AuditOut:
    event = _decode_event(row["body"])
    words = (row["kind"], row["symbol"], row["source"], row["account"], row["code"])
    said = [event.get(name) for name in ("outcome", "mode", "detail", "reason", "memo")]
    return AuditOut.from_row(
        row,
        event_id=_event_id(row),
        kind=row["event"].partition("/")[0],
        detail=": ".join(str(word) for word in (*words, *said) if word),
        event=event,
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
