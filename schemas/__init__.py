"""The words: every message that may stand on the log, and what its fields mean."""
