"""What the log's past is: a hash chain over every message, sealed and signed."""

from engines.notary.engine import NotaryEngine, verify_seal

__all__ = ["NotaryEngine", "verify_seal"]
