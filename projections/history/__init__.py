"""The read models as of every sequence, not only now: what the historian writes."""
