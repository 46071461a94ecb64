"""Measuring: what an article's words say in numbers, and which articles are like it."""
