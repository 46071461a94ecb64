"""Graphs of causes and effects, and their pictures."""
