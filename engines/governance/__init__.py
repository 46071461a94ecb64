"""Who may decide, and what signed decisions bring about."""

from engines.governance.engine import GovernanceEngine

__all__ = ["GovernanceEngine"]
