"""What a command prints: tables and sentences for people, one JSON document for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.texts import minute_of

Side = Literal["left", "right"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
At = Annotated[
    str | None,
    typer.Option("--at", help="As of this log sequence, or of this time (ISO 8601)."),
]

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def document(value: Any) -> None:
    """Print `value` as JSON on one line, so that streams of them can be read line by line."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def say(text: str) -> None:
    console.print(text, markup=False)


def fail(code: str, message: str, *, as_json: bool, exit_code: int = 1) -> typer.Exit:
    """Print an error and return the exit to raise."""
    if as_json:
        document({"error": {"code": code, "message": message}})
    else:
        errors.print(f"[red]error[/red] [bold]{code}[/bold]: ", end="")
        errors.print(message, markup=False)
    return typer.Exit(exit_code)


def rows(
    items: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str, as_json: bool
) -> None:
    """Print `items` as a table of `columns` (key → heading), or all of them as JSON."""
    if as_json:
        document(list(items))
        return
    if not items:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    numeric = {key for key in columns if _looks_numeric(items, key)}
    for key, heading in columns.items():
        # what does not fit goes on below: an id that is cut off is of no use
        side: Side = "right" if key in numeric else "left"
        table.add_column(heading, justify=side, overflow="fold")
    for item in items:
        # as text: a stranger's "[/red]" in a title is no markup of ours
        table.add_row(*(Text(_cell(item.get(key))) for key in columns))
    console.print(table)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def minute(when: str | None) -> str:
    """Return a time of the API to the minute, such as `2026-11-20 18:02`; empty for none."""
    return "" if when is None else minute_of(when)


def _looks_numeric(items: Sequence[Mapping[str, Any]], key: str) -> bool:
    present = [item[key] for item in items if item.get(key) not in (None, "")]
    return bool(present) and all(_is_number(value) for value in present)


def _is_number(value: Any) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
