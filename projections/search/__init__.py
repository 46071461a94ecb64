"""Search by meaning: an index of all embeddings on the log, which can be thrown away.

The index is a projection: the same log gives the same things with the same embeddings. It is
folded into memory by one process, saved beside the sequence that it stands for, and asked over
`schemas.asks`. Needs numpy and hnswlib, which come with the extra `news`.
"""
