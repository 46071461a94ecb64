"""What in a home another release made, in words for a person.

Tables and history are made from the log by the code that reads them, so another release's are
replaced by new ones that are built beside them. The log, the keys and the archive stay as they
are. Snapshots of other code are ignored by themselves: engines then fold the log once.
"""

from typing import Final, NamedTuple

from projections.history.schemas import find_history_versions
from projections.store.postgres import connect, disconnect
from projections.store.versions import ModelStatus, Versions, find_table_versions
from projections.tables import PROJECTIONS

COMMAND: Final = "everything upgrade"
_DIGEST_CHARS: Final = 12


class Upgrade(NamedTuple):
    """The tables and the histories of a home, as this code finds them."""

    tables: Versions
    history: Versions

    @property
    def is_needed(self) -> bool:
        """Whether another release made the tables that are read."""
        return self.tables.needs_upgrade

    @property
    def is_history_behind(self) -> bool:
        """Whether `?at=` is still answered from another release's history."""
        return self.history.needs_upgrade

    @property
    def is_ready(self) -> bool:
        """Whether this release's tables can be made live."""
        return self.is_needed and self.tables.is_built


async def look(dsn: str) -> Upgrade:
    """Look at what there is. Raises StoreUnavailable."""
    connection = await connect(dsn, "upgrade")
    try:
        return Upgrade(
            await find_table_versions(connection, PROJECTIONS),
            await find_history_versions(connection, PROJECTIONS),
        )
    finally:
        await disconnect(connection)


def notice(upgrade: Upgrade) -> list[str]:
    """Return what `everything up` says about a home that another release made."""
    lines = []
    live = upgrade.tables.live
    if live is not None and upgrade.is_needed:
        state = "stand ready beside them" if upgrade.is_ready else "are built beside them now"
        lines += [
            f"the tables ({live.schema}) were made by another release: this one's {state}",
            f"  trading goes on; reads show message {live.sequence:,}, where the other release "
            "ended, until you switch",
            f"  `{COMMAND}` shows how far it is, `{COMMAND} --switch` makes them live, "
            "`--rollback` goes back",
        ]
    old = upgrade.history.live
    if old is not None and upgrade.is_history_behind:
        lines.append(
            f"the history ({old.schema}) is made anew, too, and switches by itself; until then "
            f"`?at=` is answered up to message {old.sequence:,}"
        )
    return lines


def describe(upgrade: Upgrade) -> list[str]:
    """Return what `everything upgrade` says about tables and history."""
    tables, history = upgrade
    if tables.live is None:
        return ["there are no tables yet: `everything up` makes them"]
    if not upgrade.is_needed and not upgrade.is_history_behind:
        return [f"nothing to do: {_of(tables.live)} and the history are this release's"]
    lines = []
    if upgrade.is_needed:
        lines.append(f"tables   {_of(tables.live)}, by another release; {_own(tables)}")
    else:
        lines.append(f"tables   {_of(tables.live)}, by this release")
    if history.live is not None:
        if upgrade.is_history_behind:
            said = f"by another release; {_own(history)}; it switches by itself"
        else:
            said = "by this release"
        lines.append(f"history  {_of(history.live)}, {said}")
    return lines


def _of(status: ModelStatus) -> str:
    version = status.digest[:_DIGEST_CHARS]
    return f"{status.schema} (version {version}) at message {status.sequence:,}"


def _own(versions: Versions) -> str:
    if versions.own is None:
        return "this release's are not begun yet"
    state = "is built beside it" if versions.is_built else "is being built beside it"
    return f"{_of(versions.own)} {state}"
