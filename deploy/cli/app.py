"""The program `everything`: its commands, and how a typed error ends it."""

import sys
from typing import Any

import typer

from deploy.cli.commands import EVERYTHING
from deploy.cli.errors import GatewayError
from deploy.cli.lazy_group import LazyGroup
from deploy.cli.output import fail
from schemas.errors import EverythingError, Halt


class Root(LazyGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(table=EVERYTHING, **settings)


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # rich would cost twice what the rest of the help does
    rich_markup_mode=None,
    help="Everything Market: trade a number from 0 to 100 on anything, and prove any price.",
)


@app.callback()
def everything() -> None:
    """Take part in `app`, which Typer makes a group of only if it has a callback."""


def main() -> None:
    """Run the program, and turn typed errors into one line and an exit code."""
    as_json = "--json" in sys.argv
    try:
        app()
    except GatewayError as error:
        sys.exit(fail(error.answer_code, str(error), as_json=as_json))
    except Halt as error:
        sys.exit(fail(error.code, str(error), as_json=as_json, exit_code=error.exit_code))
    except EverythingError as error:
        sys.exit(fail(error.code, str(error), as_json=as_json))
