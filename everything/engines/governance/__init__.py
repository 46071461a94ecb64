"""Who may decide, and what signed decisions bring about."""

from everything.engines.governance.engine import GovernanceEngine

__all__ = ["GovernanceEngine"]
