"""Feeds: what the log's records look like to those who watch, channel by channel."""
