"""Every engine of a shard by name."""

from collections.abc import Callable
from typing import Any, Final

from engines.exchange.engine import ExchangeEngine
from engines.governance import GovernanceEngine
from engines.kernel import Engine
from engines.notary import NotaryEngine
from engines.pricing import PricingEngine
from engines.reality import RealityEngine
from schemas import subjects

_ENGINES: Final[dict[str, Callable[[str], Engine[Any]]]] = {
    subjects.GOVERNANCE: GovernanceEngine,
    subjects.EXCHANGE: ExchangeEngine,
    subjects.REALITY: RealityEngine,
    subjects.PRICING: PricingEngine,
    subjects.NOTARY: NotaryEngine,
}


def engine_of(name: str, shard: str) -> Engine[Any]:
    """Return the engine `name` of `shard`."""
    return _ENGINES[name](shard)


def all_engines(shard: str) -> list[Engine[Any]]:
    """Return all engines of `shard`, in the order of `subjects.ENGINES`."""
    return [engine_of(name, shard) for name in subjects.ENGINES]
