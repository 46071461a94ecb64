"""Events: decided facts, in the past tense, one module for each engine that decides them.

Every event has `cause`, the log sequence of the input that led to it; its time is that of
the record it stands in. An event holds all that its engine's `evolve` needs, so state
follows from events alone.
"""

from schemas.events import exchange, governance, notary, pricing, reality

Event = governance.Event | exchange.Event | reality.Event | pricing.Event | notary.Event

OlderEvent = notary.Sealed1 | pricing.OlderEvent | reality.OlderEvent
"""Versions that stand on logs and that nobody decides any more; a record that is read has
them in their newest version."""

UPCASTS = {**notary.UPCASTS, **pricing.UPCASTS, **reality.UPCASTS}
