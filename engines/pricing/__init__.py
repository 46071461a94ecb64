"""MarketPrice, pressure and FinalPrice, from trades, best prices and listings."""

from engines.pricing.engine import PricingEngine

__all__ = ["PricingEngine"]
