"""The trace of a run: every append, delivery and move of time, as a hash and, if wanted, lines."""

from collections.abc import Sequence
from hashlib import sha256

from schemas.stored import Stored
from tests.simulated.faults import Observer


class Trace(Observer):
    """Two runs of one seed are the same run if and only if their traces have one digest."""

    def __init__(self, keep: bool = False) -> None:
        self.lines: list[str] = []
        self.marks: dict[str, int] = {}
        """Recovery paths that were taken, and how often."""
        self.steps = 0
        self._keep = keep
        self._hash = sha256()
        self._now_s = 0.0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def note(self, line: str) -> None:
        """Write one line."""
        self.steps += 1
        self._hash.update(line.encode())
        if self._keep:
            self.lines.append(f"{self._now_s:12.6f}  {line}")

    def mark(self, path: str) -> None:
        """Note that a recovery path was taken."""
        self.marks[path] = self.marks.get(path, 0) + 1
        self.note(f"mark       {path}")

    def moved(self, now_s: float) -> None:
        """Hear that time went on to `now_s`."""
        self._now_s = now_s
        self.steps += 1
        self._hash.update(b"%.9f" % now_s)

    def stored(self, message: Stored) -> None:
        """Hear of a message that was stored."""
        sequence, subject, payload = message
        self._hash.update(payload)
        self.note(f"stored     {sequence} {subject} {len(payload)} bytes")

    def delivered(self, client: str, messages: Sequence[Stored]) -> None:
        """Hear of what a poll returned."""
        first, last = messages[0].sequence, messages[-1].sequence
        self.note(f"delivered  {first}..{last} ({len(messages)}) to {client}")

    def recovered(self, client: str, how: str) -> None:
        """Hear of what a reader dealt with."""
        self.mark(f"reader: {how}")
