"""What a command prints: tables and sentences for people, one JSON document for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import typer

from schemas.texts import minute_of

Side = Literal["left", "right"]


def document(value: Any) -> None:
    """Print `value` as JSON on one line, so that streams of them can be read line by line."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def say(text: str) -> None:
    print(text)


def say_aside(text: str) -> None:
    """Print on stderr what is no part of the answer."""
    typer.echo(text, err=True)


def fail(code: str, message: str, *, as_json: bool, exit_code: int = 1) -> int:
    """Print an error and return the exit code."""
    if as_json:
        document({"error": {"code": code, "message": message}})
    else:
        error = typer.style("error", fg="red")
        say_aside(f"{error} {typer.style(code, bold=True)}: {message}")
    return exit_code


def rows(
    items: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str, as_json: bool
) -> None:
    """Print `items` as a table of `columns` (key → heading), or all of them as JSON."""
    if as_json:
        document(list(items))
    elif items:
        _print_table(items, columns)
    else:
        say(empty)


def _print_table(items: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    numeric = {key for key in columns if _looks_numeric(items, key)}
    for key, heading in columns.items():
        # a long cell is folded: an id that is cut off is of no use
        side: Side = "right" if key in numeric else "left"
        table.add_column(heading, justify=side, overflow="fold")
    for item in items:
        # as Text: a stranger's "[/red]" in a title is not markup
        table.add_row(*(Text(_cell(item.get(key))) for key in columns))
    Console(highlight=False, soft_wrap=True).print(table)


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
