"""The notary: seals over everything that stands on the log."""

from engines.notary.engine import NotaryEngine
from engines.notary.seals import verify_seal

__all__ = ["NotaryEngine", "verify_seal"]
