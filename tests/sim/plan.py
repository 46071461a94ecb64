"""Plans: which workloads run under which faults, as data. One TOML file each in `plans/`."""

import tomllib
from pathlib import Path
from typing import Final, Literal

import msgspec

from tests.simulated.faults import Rates

FOLDER: Final = Path(__file__).parent / "plans"

Expected = Literal["converge", "halt", "fail"]
"""What a run must come to: convergence after the heal, the documented halts, or a finding."""


class Spell(msgspec.Struct, frozen=True):
    """Something that comes over the world now and then: from so many to so many seconds apart,
    for so many to so many milliseconds. Of a jump, the milliseconds are how far it goes.
    """

    every_s: tuple[float, float]
    lasts_ms: tuple[int, int] = (100, 1_000)


class Kills(msgspec.Struct, frozen=True):
    """How many of 10,000 lives are cut short, after at most how many steps between awaits."""

    lives_e4: int = 0
    max_steps: int = 2_000


class Keeping(msgspec.Struct, frozen=True):
    """What goes wrong with snapshots, per 10,000 uses."""

    lost_e4: int = 0
    damaged_e4: int = 0
    unwritable_e4: int = 0


class Storing(msgspec.Struct, frozen=True):
    """What goes wrong with the read model's database, per 10,000 statements or commits."""

    fails_e4: int = 0
    answer_lost_e4: int = 0


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One plan."""

    about: str
    expected: Expected = "converge"
    workloads: tuple[str, ...] = ("orders", "decisions", "reviews", "ingest", "feed", "projection")
    rates: dict[str, int] = {}
    kills: Kills = Kills()
    snapshots: Keeping = Keeping()
    store: Storing = Storing()
    spells: dict[str, Spell] = {}
    damage: tuple[str, ...] = ()
    forgets_e4: int = 0
    """How many of 10,000 commands the server acks and does not store."""
    in_turn: bool = True
    """Whether a run without a named plan takes it in its turn."""

    def log_rates(self) -> Rates:
        """Return the faults of connections to the log and the FEED."""
        return Rates(**self.rates)


def load(name: str) -> Plan:
    """Return the plan called `name`."""
    text = (FOLDER / f"{name}.toml").read_text()
    return msgspec.convert(tomllib.loads(text), Plan)


def names() -> list[str]:
    """Return all plans' names."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def in_turn() -> list[str]:
    """Return the plans that seeds take in turn."""
    return [name for name in names() if load(name).in_turn]
