"""Observing a venue: heartbeats and the status answer."""
