"""`everything why`: from a price back to all that made it, from a message to all it moved."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.output import document, say
from deploy.cli.parameters import Json
from deploy.cli.progress import bar
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import InputError

if TYPE_CHECKING:
    from replay.graphs.graph import Graph


Svg = Annotated[Path | None, typer.Option("--svg", help="Write a picture to this file, too.")]


def why(
    symbol: Annotated[str | None, typer.Argument(help="The market, such as RAIN-2027.")] = None,
    at: Annotated[int | None, typer.Option(min=1, help="As of this sequence, else now.")] = None,
    moved: Annotated[
        int | None,
        typer.Option("--from", min=1, help="Instead: all that the message there moved."),
    ] = None,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Say why a price is what it is, from the log alone, and add it up again.

    Back to trades and orders, score changes, articles, the LLM's answers, and what people
    signed, each with its place on the log. With --from it goes forward: what an article, a
    decision, an order or any message led to. Exit code 1: a link is missing or does not fit.
    """
    if (symbol is None) == (moved is None):
        raise InputError("give either a symbol or --from SEQUENCE")
    if moved is not None and at is not None:
        raise InputError("--at goes with a symbol only")
    if symbol is not None and not subjects.is_symbol(symbol):
        raise InputError(f"{symbol[:40]!r} is no symbol")
    graph = asyncio.run(_read(symbol, at, moved or 0, quiet=as_json))
    _tell(graph, svg, as_json)
    raise typer.Exit(1 if graph.flaws else 0)


async def _read(symbol: str | None, at: int | None, moved: int, quiet: bool) -> "Graph":
    from deploy.venue.paths import VenuePaths
    from replay import why as replay

    log = await VenuePaths(Settings()).log("replay")
    try:
        with bar("reading", quiet) as update:
            if symbol is None:
                return await replay.moved(log, moved, progress=update)
            return await replay.why(log, symbol, at=at, progress=update)
    finally:
        await log.close()


def _tell(graph: "Graph", svg: Path | None, as_json: bool) -> None:
    from replay.graphs.graph import describe
    from replay.graphs.svg import draw

    if svg is not None:
        svg.write_text(draw(graph))
    if as_json:
        document(graph.document())
        return
    for line in describe(graph):
        say(line)
    if svg is not None:
        say(f"drawn in {svg}")
