"""The composition root: which processes exist, how they start, and the `everything` CLI."""
