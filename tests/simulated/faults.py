"""Faults of the simulated log, asked for at named points.

`Faults` answers "nothing"; a test or a simulation overrides the faults that it wants.
Answers are plain data, so a run can be drawn from a seed, written down and repeated.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

from schemas.stored import Stored


class AppendFault(NamedTuple):
    """What happens to one message, or one batch, between its writer and the store.

    `delay_s` holds it, and all that its connection sends after it, back. `lost` breaks the
    connection before the message, so it and all that is on the wire behind it never
    arrive. `late_s` is the same, except that this one is stored so much later: its writer
    has given it up by then. `refused` has the server say no. `twice` stores it a second
    time, as a client would that sends again after a lost answer. `ack_lost` breaks the
    connection after the message was stored: its writer never hears of it.
    """

    delay_s: float = 0.0
    lost: bool = False
    late_s: float = 0.0
    refused: bool = False
    twice: bool = False
    ack_delay_s: float = 0.0
    ack_lost: bool = False


class DeliveryFault(NamedTuple):
    """What happens to one poll: it takes `delay_s` longer, gives at most `at_most`, or fails.

    A `silent` one waits for its whole time and gives nothing, although there is something.
    On its way to the reader a message may come `twice`, be `skipped`, or be `swapped` with
    the next one. The reader sees it by the deliveries' numbers; its caller never does.
    """

    delay_s: float = 0.0
    at_most: int | None = None
    fails: bool = False
    silent: bool = False
    twice: bool = False
    skipped: bool = False
    swapped: bool = False


NO_APPEND_FAULT: Final = AppendFault()
NO_DELIVERY_FAULT: Final = DeliveryFault()


class SimulatedCrash(BaseException):
    """The process that holds this connection dies here. Nothing may catch it but the test."""


class Faults:
    """Nothing goes wrong. Override to make it."""

    def on_append(self, client: str, subject: str) -> AppendFault:
        """Tell what happens to a message that `client` sends now."""
        return NO_APPEND_FAULT

    def on_poll(self, client: str) -> DeliveryFault:
        """Tell what happens to a poll that finds messages."""
        return NO_DELIVERY_FAULT

    def at(self, client: str, point: str) -> None:
        """Pass a named point of `client`'s program; calling `crash` here kills it."""

    def crash(self, point: str) -> NoReturn:
        """Die at `point`."""
        raise SimulatedCrash(point)


class Observer:
    """Hears what happens at a simulated server. Override to write it down."""

    def stored(self, message: Stored) -> None:
        """Hear of a message that was stored."""

    def delivered(self, client: str, messages: Sequence[Stored]) -> None:
        """Hear of what a poll of `client` returned."""

    def recovered(self, client: str, how: str) -> None:
        """Hear of a fault that `client` noticed and dealt with by itself."""


class Rates(NamedTuple):
    """How often each fault is drawn, in 1/10,000 of the occasions; delays in milliseconds."""

    delay_e4: int = 0
    lost_e4: int = 0
    late_e4: int = 0
    refused_e4: int = 0
    twice_e4: int = 0
    ack_delay_e4: int = 0
    ack_lost_e4: int = 0
    poll_delay_e4: int = 0
    poll_short_e4: int = 0
    poll_fails_e4: int = 0
    poll_silent_e4: int = 0
    delivery_twice_e4: int = 0
    delivery_skipped_e4: int = 0
    delivery_swapped_e4: int = 0
    crash_e4: int = 0
    max_delay_ms: int = 50
    max_late_ms: int = 3_000


class SeededFaults(Faults):
    """Draw faults from a seed: the same seed and the same run give the same faults.

    `twice` strikes only clients named in `may_repeat`: an engine never sends again.
    """

    def __init__(self, seed: int, rates: Rates, may_repeat: tuple[str, ...] = ()) -> None:
        self._random = random.Random(seed)
        self._rates = rates
        self._may_repeat = may_repeat
        self.drawn: dict[str, int] = {}
        """How often each fault struck."""
        self.healed = False
        """Set to end the faults."""

    def on_append(self, client: str, subject: str) -> AppendFault:
        rates = self._rates
        return AppendFault(
            delay_s=self._delay("delay", rates.delay_e4),
            lost=self._strikes("lost", rates.lost_e4),
            late_s=self._delay("late", rates.late_e4, rates.max_late_ms),
            refused=self._strikes("refused", rates.refused_e4),
            twice=client in self._may_repeat and self._strikes("twice", rates.twice_e4),
            ack_delay_s=self._delay("ack_delay", rates.ack_delay_e4),
            ack_lost=self._strikes("ack_lost", rates.ack_lost_e4),
        )

    def on_poll(self, client: str) -> DeliveryFault:
        rates = self._rates
        short = self._strikes("poll_short", rates.poll_short_e4)
        return DeliveryFault(
            delay_s=self._delay("poll_delay", rates.poll_delay_e4),
            at_most=self._random.randint(1, 3) if short else None,
            fails=self._strikes("poll_fails", rates.poll_fails_e4),
            silent=self._strikes("poll_silent", rates.poll_silent_e4),
            twice=self._strikes("delivery_twice", rates.delivery_twice_e4),
            skipped=self._strikes("delivery_skipped", rates.delivery_skipped_e4),
            swapped=self._strikes("delivery_swapped", rates.delivery_swapped_e4),
        )

    def at(self, client: str, point: str) -> None:
        if self._strikes("crash", self._rates.crash_e4):
            self.crash(point)

    def _strikes(self, name: str, rate_e4: int) -> bool:
        if self.healed or not rate_e4 or self._random.randrange(10_000) >= rate_e4:
            return False
        self.drawn[name] = self.drawn.get(name, 0) + 1
        return True

    def _delay(self, name: str, rate_e4: int, max_ms: int | None = None) -> float:
        if not self._strikes(name, rate_e4):
            return 0.0
        return self._random.randint(1, max_ms or self._rates.max_delay_ms) / 1_000
