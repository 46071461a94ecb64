"""Fetching: politely, from public addresses only, and within bounds."""
