"""All message types by tag. A type that is not here cannot stand on the log."""

from typing import Any, get_args

from schemas import commands, decisions, observations, records
from schemas.codec import Message, tag_of
from schemas.events import Event, OlderEvent


def _members(family: Any) -> tuple[Any, ...]:
    return get_args(family) or (family,)


COMMANDS = _members(commands.OrderCommand) + _members(commands.AccountCommand)
ENVELOPES = (decisions.SignedDecision, records.Record, records.Epoch)
DECISIONS = (decisions.Genesis, *_members(decisions.AnyDecision))
OBSERVATIONS = _members(observations.Observation) + _members(observations.OlderObservation)
EVENTS = _members(Event) + _members(OlderEvent)

REGISTRY: dict[str, type[Message]] = {
    tag_of(member): member for member in COMMANDS + ENVELOPES + DECISIONS + OBSERVATIONS + EVENTS
}
"""Every tag with its class. Versions are never changed; a new one gets a new tag."""
