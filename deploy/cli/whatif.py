"""`everything whatif`: run reality and pricing again over the log, with something changed."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from deploy.cli.admin import read_policy
from deploy.cli.output import document, say
from deploy.cli.parameters import Json
from deploy.cli.progress import bar
from deploy.cli.why import Svg
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import InputError
from schemas.policy import PRESETS, Policy

if TYPE_CHECKING:
    from replay.whatif import Changes, Comparison


MIN_PREFIX: Final = 8
ANSWERS: Final = {"approve": True, "reject": False}


def whatif(
    policy: Annotated[
        str | None, typer.Option(help=f"{', '.join(PRESETS)}, or a file with a policy as JSON.")
    ] = None,
    without_source: Annotated[
        list[str] | None, typer.Option(help="Leave out what this source said. Repeatable.")
    ] = None,
    without_article: Annotated[
        list[int] | None, typer.Option(min=1, help="Leave out this article. Repeatable.")
    ] = None,
    decide: Annotated[
        list[str] | None,
        typer.Option(help="PROPOSAL-HASH=approve or =reject. Repeatable.", metavar="HASH=ANSWER"),
    ] = None,
    carry_answers: Annotated[
        bool,
        typer.Option(help="Let people's answers hold for what is proposed of the same story."),
    ] = False,
    after: Annotated[
        int,
        typer.Option(
            "--from", min=0, help="Policy and what is left out: only behind this sequence."
        ),
    ] = 0,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Say what scores, prices and reviews would be under another policy, or without a source.

    The log's own articles, answers and orders are decided again at their own times. Nothing
    is written to the log; people's orders stay as they were.
    """
    from replay.whatif import Changes

    changes = Changes(
        policy=None if policy is None else _policy(policy),
        without_sources=tuple(_source(name) for name in without_source or ()),
        without_articles=tuple(without_article or ()),
        answers=dict(_answer(one) for one in decide or ()),
        carry_answers=carry_answers,
        after=after,
    )
    comparison = asyncio.run(_run(changes, quiet=as_json))
    _tell(comparison, svg, as_json)
    raise typer.Exit(1 if comparison.flaws else 0)


def _policy(given: str) -> Policy:
    if given in PRESETS:
        return read_policy(given, None)
    path = Path(given)
    if not path.is_file():
        raise InputError(f"{given!r} is neither a preset ({', '.join(PRESETS)}) nor a file")
    return read_policy(None, path)


def _source(name: str) -> str:
    if not subjects.is_source(name):
        raise InputError(f"{name[:40]!r} is no source")
    return name


def _answer(given: str) -> tuple[str, bool]:
    hash_, _, answer = given.partition("=")
    if answer not in ANSWERS or len(hash_) < MIN_PREFIX:
        raise InputError(
            f"--decide takes a proposal's hash, or its first {MIN_PREFIX} characters or more, "
            "then =approve or =reject"
        )
    return hash_, ANSWERS[answer]


async def _run(changes: "Changes", quiet: bool) -> "Comparison":
    from deploy.venue.paths import VenuePaths
    from replay.whatif import whatif as replay

    log = await VenuePaths(Settings()).log("replay")
    try:
        with bar("deciding again", quiet) as update:
            return await replay(log, changes, progress=update)
    finally:
        await log.close()


def _tell(comparison: "Comparison", svg: Path | None, as_json: bool) -> None:
    from replay.whatif.text_report import describe, draw

    if svg is not None:
        svg.write_text(draw(comparison))
    if as_json:
        document(comparison.document())
        return
    for line in describe(comparison):
        say(line)
    if svg is not None:
        say(f"drawn in {svg}")
