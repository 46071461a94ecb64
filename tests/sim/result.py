"""What came of a run."""

import msgspec


class Account(msgspec.Struct):
    """Messages that someone sent, and what became of them.

    `lost` were acked and are not there, `doubled` are there more often than they can be, and
    `reordered` stand before a message whose ack somebody had when they were first sent. Of
    messages that were under way at the same time no order is promised. The order of a
    writer's records is proved by their chain, which `verify` checks.
    """

    sent: int = 0
    attempts: int = 0
    acknowledged: int = 0
    present: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0

    def add(self, other: "Account") -> None:
        """Add another run's."""
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, name):,} {name}" for name in self.__struct_fields__)


class Result(msgspec.Struct, kw_only=True):
    """One seed's run. `problems` is empty when all is as it must be."""

    seed: int
    plan: str
    problems: list[str] = []
    account: Account = msgspec.field(default_factory=Account)
    marks: dict[str, int] = {}
    faults: dict[str, int] = {}
    digest: str = ""
    steps: int = 0
    messages: int = 0
    deaths: int = 0
    twice: bool = False
    virtual_s: float = 0.0
    real_s: float = 0.0
    lines: list[str] = []

    @property
    def failed(self) -> bool:
        return bool(self.problems)
