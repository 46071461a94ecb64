"""A plan drawn from the seed: which faults there are at all, and how often each strikes.

Plans that someone wrote down try what someone thought of. Most drawn ones leave most faults
out, so that one which always hides behind another is met alone, too.
"""

import random
from typing import Any, Final

import msgspec

from tests.sim.plan import Keeping, Kills, Plan, Spell, Storing

NAME: Final = "swarm"
_MOST: Final = {
    "delay_e4": 1_500,
    "lost_e4": 120,
    "refused_e4": 120,
    "ack_delay_e4": 1_500,
    "late_e4": 100,
    "ack_lost_e4": 120,
    "poll_delay_e4": 800,
    "poll_short_e4": 800,
    "poll_fails_e4": 40,
    "delivery_twice_e4": 400,
    "delivery_skipped_e4": 400,
    "delivery_swapped_e4": 400,
}
"""The highest rate that is drawn, which the plan `wire` has all at once."""
_LONGEST_MS: Final = {
    "server_restart": 4_000,
    "feed_restart": 3_000,
    "disk_full": 6_000,
    "zombie": 8_000,
    "stall": 4_000,
    "clock_jump": 7_200_000,
    "stop": 1_000,
}


def draw(seed: int) -> Plan:
    """Return the plan of `seed`, the same one each time."""
    dice = random.Random(f"{seed} swarm")
    rates = {name: _up_to(dice, most) for name, most in _MOST.items() if dice.random() < 0.4}
    rates["max_delay_ms"] = dice.randint(1, 200)
    return Plan(
        about="Drawn from the seed: a few faults, each as often as it comes.",
        rates=rates,
        kills=Kills(*_some(dice, _up_to(dice, 9_000), dice.randint(500, 4_000))),
        snapshots=Keeping(*_some(dice, *(_up_to(dice, most) for most in (600, 2_500, 3_000)))),
        store=Storing(*_some(dice, _up_to(dice, 80), _up_to(dice, 100))),
        spells={name: _spell(dice, ms) for name, ms in _LONGEST_MS.items() if dice.random() < 0.4},
        in_turn=False,
    )


def _up_to(dice: random.Random, most: int) -> int:
    """Draw a number from 1 to `most`; of any two that are as many times apart, equally often."""
    drawn: float = most ** dice.random()
    return round(drawn)


def _some(dice: random.Random, *values: int) -> tuple[int, ...]:
    """Return the values, or none of them, which leaves this kind of fault out."""
    return values if dice.random() < 0.5 else ()


def _spell(dice: random.Random, longest_ms: int) -> Spell:
    first_s = dice.uniform(1, 20)
    shortest = _up_to(dice, min(longest_ms, 1_000))
    longest = max(shortest, _up_to(dice, longest_ms))
    return Spell(every_s=(first_s, first_s + dice.uniform(1, 40)), lasts_ms=(shortest, longest))


def options(plan: Plan) -> str:
    """Return what a plan asks for, on one line; what it leaves out is not in it."""
    given: dict[str, Any] = msgspec.to_builtins(plan)
    usual: dict[str, Any] = msgspec.to_builtins(Plan(about=""))
    chosen = {name: value for name, value in given.items() if value != usual[name]}
    chosen.pop("about", None)
    return msgspec.json.encode(chosen).decode()
