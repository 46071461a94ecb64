"""The archive: sealed segments of the log elsewhere, and a log restored from them."""
