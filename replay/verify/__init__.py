"""Verify: decide the log again and compare, byte for byte."""
