"""Fuzzing of every door: what strangers, the world and broken disks can send.

Short in `make test`; `python -m tests.fuzz --minutes N` goes on for as long as one likes.
"""
