"""What `verify` says: what it found wrong, how much it checked, and how far it got."""

from typing import Final, Literal

import msgspec

from schemas.chain import GENESIS_HASH

CLEAN: Final = 0
FINDINGS: Final = 1
COULD_NOT_CHECK: Final = 2

Kind = Literal[
    "genesis",
    "gap",
    "truncated",
    "unreadable",
    "hash",
    "record_chain",
    "epoch",
    "coverage",
    "decision",
    "state",
    "seal",
    "signature",
    "outcome",
    "money",
]


class Finding(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One thing that is wrong, and its place: sequence, record, event and field.

    `expected` is what follows from the log's inputs, `found` what stands on it.
    """

    kind: Kind
    sequence: int
    note: str
    engine: str = ""
    record: int = 0
    event: int | None = None
    field: str = ""
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        place = f"sequence {self.sequence}"
        if self.engine:
            place += f", {self.engine} record {self.record}"
        if self.event is not None:
            place += f", event {self.event}"
        if self.field:
            place += f", {self.field}"
        values = f": expected {self.expected}, found {self.found}" if self.field else ""
        return f"{place}: {self.note}{values}"


class Totals(msgspec.Struct, kw_only=True):
    """How the log adds up. `lost` and `doubled` count what was asked or measured without, or
    with one outcome too many; amounts are in cents, positions in lots."""

    messages: int = 0
    commands: int = 0
    decisions: int = 0
    outcomes: int = 0
    orders: int = 0
    refused: int = 0
    measured: int = 0
    judged: int = 0
    texts: int = 0
    trades: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    minted_cents: int = 0
    cash_cents: int = 0
    reserved_cents: int = 0
    long_lots: int = 0
    short_lots: int = 0


class EngineReport(msgspec.Struct, kw_only=True):
    """How far one engine was checked. `pending` inputs have no record yet.

    `applied` counts, by decider, the records of deciders other than this release's: they were
    followed, and not decided again.
    """

    records: int = 0
    redecided: int = 0
    applied: dict[str, int] = msgspec.field(default_factory=dict)
    epochs: int = 0
    state_hashes: int = 0
    hash: str = GENESIS_HASH
    last_input: int = 0
    pending: int = 0


class FollowedRange(msgspec.Struct, kw_only=True):
    """Records of one engine that another decider decided: they are followed, not decided again.

    `release` is the tag of a release that decides them again, empty where none is known.
    """

    engine: str
    decider: str
    release: str
    records: int
    first_record: int
    last_record: int
    first_sequence: int
    last_sequence: int
    decided_by: str = ""
    """The checkout that decided them again."""

    def __str__(self) -> str:
        place = f"at sequences {self.first_sequence:,} to {self.last_sequence:,}"
        return f"{self.engine}: {self.records:,} records of {self.decider} {place}"


class Report(msgspec.Struct, kw_only=True):
    """The result of one `verify`.

    All that stands up to `through` was read; `chain` is the chain hash there, which two
    people can compare. `sealed_through` is what the last good seal vouches for.
    """

    shard: str
    through: int = 0
    end: int = 0
    chain: str = GENESIS_HASH
    venue_id: str = ""
    sealed_through: int = 0
    seals: int = 0
    seconds: float = 0.0
    account: Totals = msgspec.field(default_factory=Totals)
    engines: dict[str, EngineReport] = msgspec.field(default_factory=dict)
    findings: list[Finding] = msgspec.field(default_factory=list)
    more_findings: int = 0
    """Findings that were like others of the same engine and are only counted."""
    unable: list[str] = msgspec.field(default_factory=list)
    """What could not be checked, and why."""
    followed: list[FollowedRange] = msgspec.field(default_factory=list)
    """What nobody has decided again yet."""
    decided_elsewhere: list[FollowedRange] = msgspec.field(default_factory=list)
    """What another release has decided again (see `other_release`)."""

    @property
    def exit_code(self) -> int:
        """0 all is as it must be, 1 something is not, 2 it could not be checked."""
        if self.findings:
            return FINDINGS
        return COULD_NOT_CHECK if self.unable or self.followed else CLEAN

    @property
    def events_per_s(self) -> int:
        return int(self.account.events / self.seconds) if self.seconds else 0
