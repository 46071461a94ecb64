"""Check the notary's seals against a chain of one's own over every message of the log."""

from typing import Any

from msgspec.structs import replace

from engines.kernel import Engine
from replay.verify.difference import first_difference
from replay.verify.engine_check import NOT_AGAIN, Checked, EngineCheck, Tell
from replay.verify.report import Kind
from schemas.chain import Chain
from schemas.errors import BadSignature, BrokenInvariant
from schemas.events import Event
from schemas.events.notary import Sealed
from schemas.record_chain import Head
from schemas.records import Record
from schemas.signatures import verify as verify_signature
from schemas.stored import Stored
from streams.log.ports import Log


class NotaryCheck(EngineCheck[Any]):
    """Follows the notary: each seal must be the chain's hash, signed with the venue's key."""

    def __init__(self, engine: Engine[Any], log: Log, tell: Tell, chain: Chain) -> None:
        super().__init__(engine, log, tell)
        self._chain = chain
        self._key = ""
        self._unsigned: list[tuple[int, int, str, str]] = []
        self._sealed_as = ""
        """The locator in the seal that is being checked."""
        self.sealed_through = 0

    @property
    def unproved(self) -> int:
        """Seals whose signature could not be checked, because no key was known."""
        return len(self._unsigned)

    def learn_key(self, key: str) -> None:
        """Take the notary key of the genesis, and check the seals that came before it."""
        self._key = self._key or key
        unsigned, self._unsigned = self._unsigned, []
        place = self._sequence, self._number
        for self._sequence, self._number, hash_, signature in unsigned:
            self._verify(hash_, signature)
        self._sequence, self._number = place

    async def take_record(self, message: Stored) -> Checked | None:
        """Check a message on the notary's subject."""
        checked = await super().take_record(message)
        if checked is not None and not self.broken:
            self.sealed_through = checked.record.last_input
            self._chain.forget(self.sealed_through)
        return checked

    async def _covered(self, record: Record) -> list[Stored]:
        return []

    def _taken(self) -> int:
        return self._head.last_input

    def _check_coverage(self, before: Any, record: Record, inputs: list[Stored]) -> None:
        """A seal covers every message behind the last one, and none that comes after it."""
        found = record.first_input
        expected = before.last_input + 1
        if found != expected or record.last_input < expected or record.tick:
            self._break_at(
                "coverage", "skips messages", None, "first_input", str(expected), str(found)
            )

    def _events(self, record: Record, inputs: list[Stored]) -> list[Event]:
        through = record.last_input
        sealed = Sealed(through, through, self._hash(through), self._chain.locator(through))
        self.engine.evolve(self._state, sealed)
        return [sealed]

    def _apply(self, record: Record) -> None:
        """Apply a seal of another decider: what its chain hash must be is known all the same."""
        through = record.last_input
        sealed = Sealed(through, through, self._hash(through), _locator_in(record))
        again = replace(record, events=[sealed])
        if again == record:
            super()._apply(record)
        else:
            self._break_at("decision", NOT_AGAIN, *first_difference(again, record))

    def _hash(self, through: int) -> str:
        chain = self._chain.at(through)
        if chain is None:
            raise BrokenInvariant(f"no chain hash is held for sequence {through}")
        return chain

    def _decide_again(
        self, before: Head, record: Record, data: bytes, inputs: list[Stored]
    ) -> None:
        self._sealed_as = _locator_in(record)
        super()._decide_again(before, record, data, inputs)

    def _break(self, kind: Kind, note: str, **place: Any) -> None:
        if kind != "decision" or place.get("field") != "chain":
            super()._break(kind, note, **place)
            return
        through = self._head.last_input
        sealed = f"messages {self.sealed_through + 1} to {through}"
        note = f"{sealed} are not what was sealed at sequence {self._sequence}"
        changed = self._chain.changed(self._sealed_as, through)
        if changed is not None:
            note += f": message {changed} has changed"
            place["sequence"] = changed
        super()._break("seal", note, **place)

    def _check_signature(self, record: Record) -> None:
        if self._key:
            self._verify(record.hash, record.signature)
        else:
            self._unsigned.append((self._sequence, self._number, record.hash, record.signature))

    def _verify(self, hash_: str, signature: str) -> None:
        try:
            verify_signature(self._key, hash_.encode(), signature)
        except BadSignature as error:
            self._found("signature", f"not signed with the notary key: {error}")


def _locator_in(record: Record) -> str:
    return next((event.locator for event in record.events if isinstance(event, Sealed)), "")
