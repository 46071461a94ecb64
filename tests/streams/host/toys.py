"""Two toy engines: one that keeps accounts of what it was told, one that watches the log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engines.kernel import Grouping
from schemas.chain import GENESIS_HASH, link
from schemas.errors import BrokenInvariant, LogGap
from schemas.events import Event
from schemas.events.exchange import CashCredited, CommandRefused, IdsForgotten
from schemas.events.notary import Sealed
from schemas.stored import Stored
from schemas.subjects import last_token
from schemas.units import SECOND_NS

COMMAND = "main.cmd.order.alice"


@dataclass
class Ledger:
    """Totals by account, the inputs that were carried out, and when the next tick is due."""

    totals: dict[str, int] = field(default_factory=dict)
    causes: dict[int, int] = field(default_factory=dict)
    due_ns: int | None = None
    forgotten: int = 0


class Toy:
    """Credit `add <id> <cents>`, refuse what else comes, ignore `nop`, tick every `remember_ns`.

    `wide <id> <n>` leads to n events. `boom` is a bug in `decide`.
    """

    name = "toy"
    decider = "toy/1"
    reads: tuple[str, ...] = ("main.cmd.order.*", "main.cmd.account.*")

    def __init__(self, *, grouping: Grouping | None = None, remember_ns: int | None = None) -> None:
        self.grouping = grouping or Grouping()
        self._remember_ns = remember_ns
        self.decided: list[int] = []
        """How many inputs each group that was decided here held."""
        self.ticks = 0

    def initial(self) -> Ledger:
        return Ledger()

    def decide(self, state: Ledger, message: Stored, now_ns: int) -> Sequence[Event]:
        account = last_token(message.subject)
        match message.payload.split(b" "):
            case [b"nop"]:
                return ()
            case [b"boom"]:
                raise KeyError("a bug")
            case [b"add", _, cents]:
                return (CashCredited(message.sequence, account, int(cents), "mint"),)
            case [b"wide", name, count]:
                text = "x" * 1_000
                return [
                    CommandRefused(message.sequence, account, name.decode(), "malformed", text)
                ] * int(count)
            case _:
                return (CommandRefused(message.sequence, account, "", "malformed", ""),)

    def on_group_end(self, state: Ledger, inputs: Sequence[Stored], now_ns: int) -> Sequence[Event]:
        self.decided.append(len(inputs))
        if not inputs:
            self.ticks += 1
        if self._remember_ns is None or not state.totals:
            return ()
        if state.due_ns is None or now_ns >= state.due_ns:
            return (IdsForgotten(0, now_ns + self._remember_ns),)
        return ()

    def weight(self, event: Event) -> int:
        return 1

    def evolve(self, state: Ledger, event: Event) -> None:
        match event:
            case CashCredited(cause, account, cents):
                state.totals[account] = state.totals.get(account, 0) + cents
                if cause in state.causes:
                    raise BrokenInvariant(f"input {cause} was carried out twice")
                state.causes[cause] = cents
            case IdsForgotten(_, until_ns):
                state.due_ns = until_ns
                state.forgotten += 1
            case _:
                pass

    def next_due_ns(self, state: Ledger) -> int | None:
        return state.due_ns

    def dump(self, state: Ledger) -> bytes:
        return msgspec.json.encode((state.totals, state.causes, state.due_ns, state.forgotten))

    def load(self, data: bytes) -> Ledger:
        return Ledger(
            *msgspec.json.decode(data, type=tuple[dict[str, int], dict[int, int], Any, int])
        )


@dataclass
class Chain:
    """How far the watched log is chained."""

    through: int = 0
    chain: str = GENESIS_HASH


class Witness:
    """A notary in small: seals all that stands on the log, its own records included."""

    name = "witness"
    decider = "witness/1"
    reads: tuple[str, ...] = ("main.>",)

    def __init__(self, max_inputs: int = 50, linger_ns: int = 5 * SECOND_NS) -> None:
        self.grouping = Grouping(max_inputs, linger_ns)

    def initial(self) -> Chain:
        return Chain()

    def decide(self, state: Chain, message: Stored, now_ns: int) -> Sequence[Event]:
        return ()

    def on_group_end(self, state: Chain, inputs: Sequence[Stored], now_ns: int) -> Sequence[Event]:
        if not inputs:
            return ()
        chain, through = bytes.fromhex(state.chain), state.through
        for message in inputs:
            if message.sequence != through + 1:
                raise LogGap(f"{message.sequence} follows {through}")
            chain, through = link(chain, *message), message.sequence
        return (Sealed(through, through, chain.hex(), ""),)

    def weight(self, event: Event) -> int:
        return 1

    def evolve(self, state: Chain, event: Event) -> None:
        assert isinstance(event, Sealed)
        state.through, state.chain = event.through, event.chain

    def next_due_ns(self, state: Chain) -> int | None:
        return None

    def dump(self, state: Chain) -> bytes:
        return msgspec.json.encode((state.through, state.chain))

    def load(self, data: bytes) -> Chain:
        return Chain(*msgspec.json.decode(data, type=tuple[int, str]))
