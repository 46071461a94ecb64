"""The log client: what a log is, and the real one on JetStream."""
