"""`everything runner`: a browser for a venue whose keys are elsewhere."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.venue import news
from deploy.venue.settings import Settings
from schemas.errors import InputError
from schemas.limits import MIN_SECRET_BYTES
from schemas.services import is_key_id

_SECRET: Final = "EVERYTHING_RUNNER_SECRET"  # the variable's name


def runner(
    url: Annotated[str, typer.Option(help="The venue's gateway, such as https://venue.example.")],
    name: Annotated[str, typer.Option(help="As in `everything runner-key new NAME`.")],
    secret_file: Annotated[
        Path | None, typer.Option(help="Holds the secret, if EVERYTHING_RUNNER_SECRET does not.")
    ] = None,
) -> None:
    """Render pages for a venue, whose keys are elsewhere, until Ctrl-C."""
    news.require()
    if not is_key_id(name):
        raise InputError(f"{name!r} cannot name a runner: a-z, 0-9, _ and -")
    settings, secret = Settings(), _secret(secret_file)
    chromium = settings.browser
    if chromium is None:
        raise InputError("no Chromium is found: set EVERYTHING_CHROMIUM")
    from deploy.processes import runner as running
    from deploy.processes.service import run_service
    from streams.ingest.fetching.http import Agent

    agent = Agent(user_agent=settings.user_agent, sender=settings.from_address)
    sys.exit(
        run_service(
            lambda stop: running.run(
                url,
                name,
                secret,
                agent,
                str(chromium),
                stop,
                sandboxed=not settings.browser_unsandboxed,
            ),
            "runner",
        )
    )


def _secret(file: Path | None) -> str:
    """Return the secret, which is never shown. Raises InputError."""
    given = os.environ.pop(_SECRET, "") if file is None else ""
    try:
        secret = (given if file is None else file.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--secret-file: {type(error).__name__}") from error
    if len(secret) < MIN_SECRET_BYTES:
        raise InputError(f"no secret: set {_SECRET} or give --secret-file")
    return secret
