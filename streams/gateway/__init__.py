"""Commands over HTTP, under /api/v1. It appends commands, and decides nothing.

It reads `evt.governance` and `evt.exchange` to know who may come in and to tell what
became of a command; what people browse is the read API of `projections`, mounted beside it.
"""
