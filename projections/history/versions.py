"""The shape of a history: each table of a read model, all that its rows ever were, and views.

A history is a schema `history_<k>`. It holds every table as it is now, and beside it a table
`<name>__past` with all the versions of its rows: one counts from `from_sequence` on and until
before `to_sequence`, null for what is still so. Triggers write the versions in the transaction
that changes the rows, so no projection knows of them; `everything.sequence` says to them which
message it is.

The schema `history_<k>_at` has a view for each table, under its name: the table as of the
sequence in `everything.at`. Reading at a sequence is reading there, with the same queries.
"""

from collections.abc import Sequence
from typing import Final

from projections.store.lease import POSITION, LeaseTable
from projections.store.projection import Projection, Table
from projections.store.schemas import model_digest
from schemas import subjects
from schemas.chain import GENESIS_HASH, digest

VERSION: Final = "history/1"
"""Grows when the same log would lead to another history of the same tables."""

_AT: Final = "current_setting('everything.at')::bigint"
_SEQUENCE: Final = "current_setting('everything.sequence')::bigint"

PROGRESS: Final = LeaseTable("progress", {"through": ("bigint", "0"), **POSITION})
"""`through` is the last message that was seen, the checkpoint of the last one projected."""

_MOMENTS_DDL: Final = (
    """
    CREATE TABLE moments (
        sequence bigint PRIMARY KEY,
        time_ns bigint NOT NULL,
        message_hash text NOT NULL,
        chain text NOT NULL,
        engine text,
        stands text
    )
    """,
    "CREATE INDEX ON moments (time_ns, sequence)",
    "CREATE INDEX ON moments (engine, sequence) WHERE engine IS NOT NULL",
)
"""There is a moment for each projected message. Its `time_ns` is that of the newest record up
to there, so it never goes back; `stands` holds the end of its engine's chain
of records there.
"""


def history_schema(number: int) -> str:
    return f"history_{number}"


def views_schema(number: int) -> str:
    return f"history_{number}_at"


def past_name(table: Table) -> str:
    return f"{table.name}__past"


def history_digest(projections: Sequence[Projection]) -> str:
    """Return what names a version of the history: its own and that of the read models."""
    return digest(f"{VERSION}\n{model_digest(projections)}".encode())


def history_ddl(number: int, projections: Sequence[Projection]) -> list[str]:
    """Return the statements that make an empty history, both its schemas included."""
    tables = [table for one in projections for table in one.tables]
    inside, views = history_schema(number), views_schema(number)
    return [
        f"CREATE SCHEMA {inside}",
        f"CREATE SCHEMA {views}",
        f"SET LOCAL search_path TO {inside}",
        *PROGRESS.ddl(),
        *_MOMENTS_DDL,
        *(statement for table in tables for statement in (*table.ddl(), *_past_ddl(table))),
        *(_view_ddl(table, inside, views) for table in tables),
        _checkpoint_view(inside, views),
    ]


def _past_ddl(table: Table) -> list[str]:
    past, key = past_name(table), ", ".join(table.key)
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    names = ", ".join(table.columns)
    same = " AND ".join(f"q.{name} = s.{name}" for name in table.key)
    still = f"SELECT q.ctid FROM {past} q WHERE {same} AND q.to_sequence IS NULL"
    # Looked up one by one: Postgres does not know how few rows are stale, and a join of them
    # with all that were ever there would look at each pair.
    each = "ctid = ANY (ARRAY(SELECT ({}) FROM stale s))"
    now = each.format(f"{still} AND q.from_sequence = {_SEQUENCE}")
    fill = f"INSERT INTO {past} SELECT {names}, {_SEQUENCE}, NULL FROM fresh"
    # A row that one message changes twice has one version of it.
    undo = f"DELETE FROM {past} WHERE {now}"
    end = f"UPDATE {past} SET to_sequence = {_SEQUENCE} WHERE {each.format(still)}"
    return [
        f"CREATE TABLE {past} ({columns}, from_sequence bigint NOT NULL, to_sequence bigint, "
        f"PRIMARY KEY ({key}, from_sequence))",
        f"CREATE UNIQUE INDEX ON {past} ({key}) WHERE to_sequence IS NULL",
        *(f"CREATE INDEX ON {past} {index}" for index in table.indexes),
        *_trigger(table, "inserted", "INSERT", "REFERENCING NEW TABLE AS fresh", [fill]),
        *_trigger(
            table,
            "updated",
            "UPDATE",
            "REFERENCING OLD TABLE AS stale NEW TABLE AS fresh",
            [undo, end, fill],
        ),
        # The views find keys among the rows that there are now.
        *_trigger(table, "deleted", "DELETE OR TRUNCATE", "", ["RAISE 'rows are never deleted'"]),
    ]


def _trigger(table: Table, name: str, when: str, using: str, does: list[str]) -> list[str]:
    full = f"{table.name}__{name}"
    body = " ".join(f"{statement};" for statement in does)
    return [
        f"CREATE FUNCTION {full}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $body$ BEGIN {body} RETURN NULL; END $body$",
        f"CREATE TRIGGER {full} AFTER {when} ON {table.name} {using} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {full}()",
    ]


def _view_ddl(table: Table, inside: str, views: str) -> str:
    """Return the view of a table as of `everything.at`.

    A table with no index but its key is read by key, and its few rows may have changed any
    number of times: for each key the one version is looked up. The rows of others change a
    few times, and are found by their other columns.
    """
    names, past = list(table.columns), f"{inside}.{past_name(table)}"
    alive = f"(v.to_sequence IS NULL OR v.to_sequence > {_AT})"
    if table.indexes:
        columns = ", ".join(f"v.{name}" for name in names)
        source, where = f"{past} v", f"v.from_sequence <= {_AT} AND {alive}"
    else:
        columns = ", ".join(f"k.{name}" if name in table.key else f"v.{name}" for name in names)
        same = " AND ".join(f"p.{name} = k.{name}" for name in table.key)
        source = (
            f"{inside}.{table.name} k CROSS JOIN LATERAL (SELECT * FROM {past} p "
            f"WHERE {same} AND p.from_sequence <= {_AT} ORDER BY p.from_sequence DESC LIMIT 1) v"
        )
        where = alive
    return f"CREATE VIEW {views}.{table.name} AS SELECT {columns} FROM {source} WHERE {where}"


def _checkpoint_view(inside: str, views: str) -> str:
    engines = ", ".join(f"('{engine}')" for engine in subjects.ENGINES)
    return f"""
        CREATE VIEW {views}.checkpoint AS
        SELECT {_AT} AS sequence,
            coalesce(m.message_hash, '{GENESIS_HASH}') AS message_hash,
            coalesce(m.chain, '{GENESIS_HASH}') AS chain,
            coalesce(m.time_ns, 0) AS time_ns,
            coalesce(e.ends, '{{}}') AS ends
        FROM (SELECT 1) AS one
        LEFT JOIN LATERAL (
            SELECT * FROM {inside}.moments WHERE sequence <= {_AT}
            ORDER BY sequence DESC LIMIT 1
        ) m ON true
        CROSS JOIN LATERAL (
            SELECT json_object_agg(n.engine, l.stands::json)::text AS ends
            FROM (VALUES {engines}) AS n (engine) CROSS JOIN LATERAL (
                SELECT stands FROM {inside}.moments
                WHERE engine = n.engine AND sequence <= {_AT}
                ORDER BY sequence DESC LIMIT 1
            ) l
        ) e
    """
