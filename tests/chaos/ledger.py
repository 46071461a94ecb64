"""What the clients know: for every command whether it was acknowledged, refused, or neither."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tests.chaos.mix import Asked

Fate = Literal["acked", "refused", "unknown"]


class Answer(NamedTuple):
    """What a client learnt of one attempt: the sequence, or why not."""

    fate: Fate
    sequence: int = 0
    text: str = ""


@dataclass(slots=True)
class Entry:
    """One command of one account, sent once or, after no answer, again to the letter."""

    account: str
    asked: Asked
    attempts: int = 0
    acked: list[int] = field(default_factory=list)
    unknown: int = 0
    refused: int = 0


class Ledger:
    """All entries by account and exact bytes, and how often what was heard."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, bytes], Entry] = {}
        self.acks = 0
        self.highest = 0
        """The highest sequence that was acknowledged."""
        self.refusals: dict[str, int] = {}
        self.by_door: dict[str, int] = {}

    def attempt(self, account: str, asked: Asked, door: str) -> Entry:
        """Note that a command goes out, for the first time or again."""
        entry = self.entries.setdefault((account, asked.payload), Entry(account, asked))
        entry.attempts += 1
        self.by_door[door] = self.by_door.get(door, 0) + 1
        return entry

    def heard(self, entry: Entry, answer: Answer) -> None:
        """Note what became of an attempt, as far as the client knows."""
        if answer.fate == "acked":
            entry.acked.append(answer.sequence)
            self.acks += 1
            self.highest = max(self.highest, answer.sequence)
        elif answer.fate == "refused":
            entry.refused += 1
            self.refusals[answer.text] = self.refusals.get(answer.text, 0) + 1
        else:
            entry.unknown += 1
