"""MarketPrice, pressure and FinalPrice, from trades, best prices and listings."""

from everything.engines.pricing.engine import PricingEngine

__all__ = ["PricingEngine"]
