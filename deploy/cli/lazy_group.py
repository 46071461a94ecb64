"""Command groups that know each command's name and help, and import it when it is called.

Importing every command took four fifths of the time of `everything --help`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Command(NamedTuple):
    """Where a command's function is, as `module:function` in `deploy.cli`, and its help."""

    function: str
    help: str


class CommandGroup(NamedTuple):
    """A command that has commands of its own."""

    help: str
    commands: Mapping[str, Command]


Table = Mapping[str, Command | CommandGroup]


def load(name: str, command: Command) -> TyperCommand:
    """Import what `command` names and return it as a command called `name`."""
    module, _, function = command.function.partition(":")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name)(getattr(import_module(f"deploy.cli.{module}"), function))
    loaded = typer.main.get_command(app)
    assert isinstance(loaded, TyperCommand)
    return loaded


class _Unloaded(TyperCommand):
    """Stands for a command in help and completion, which need no more than its name and help."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(name, callback=None, short_help=command.help, rich_markup_mode=None)
        self.command = command


class LazyGroup(TyperGroup):
    """A group whose commands are those of a table."""

    def __init__(self, *, table: Table, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: _entry(name, entry) for name, entry in table.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that `args` name, imported now, and the arguments after it."""
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, _Unloaded):
            command = load(str(command.name), command.command)
        return name, command, rest


def _entry(name: str, entry: Command | CommandGroup) -> TyperCommand | LazyGroup:
    if isinstance(entry, Command):
        return _Unloaded(name, entry)
    return LazyGroup(
        name=name,
        table=entry.commands,
        help=entry.help,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
