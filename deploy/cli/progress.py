"""What a command shows on stderr while it works: a step, or a bar. Imports rich when it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show that `what` is being done for as long as the block runs."""
    from rich.console import Console

    with Console(stderr=True, highlight=False).status(f"{what} …"):
        yield


@contextmanager
def bar(what: str, quiet: bool) -> Iterator[Any]:
    """Show a progress bar; yields `update(done, total)`. With `quiet` nothing is shown."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield update
