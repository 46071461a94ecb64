"""Governance: who may decide, and the effects of signed decisions."""

from engines.governance.engine import GovernanceEngine

__all__ = ["GovernanceEngine"]
