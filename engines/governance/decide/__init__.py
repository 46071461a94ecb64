"""Decide: judge signed decisions. `decisions.py` is the way in.

`admission.py` says whether the signer may decide this, `rules.py` whether it makes sense now,
`people.py` how many people must sign, and `effects.py` what an accepted decision leads to.
`group_end.py` lets pending decisions lapse.
"""
