"""Arguments and options that several commands share."""

from typing import Annotated, Literal

import typer

Account = Annotated[str, typer.Argument(help="An account whose key is in the key folder.")]
Symbol = Annotated[str, typer.Argument(help="The market, such as RAIN-2027.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Rows at most.")]
Key = Annotated[str, typer.Option("--key", "-k", help="Whose key signs: a name in the key folder.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands on the log for good.")]
Preset = Literal["seed-plan", "calibrated"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
At = Annotated[
    str | None,
    typer.Option("--at", help="As of this log sequence, or of this time (ISO 8601)."),
]
