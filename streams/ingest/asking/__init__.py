"""Asking the LLM what news means for a market: a suggestion, recorded with its evidence."""
