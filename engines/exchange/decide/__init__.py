"""Decide: judge commands and governance records against the state without touching it.

`orders.py` judges orders and cancels: `matching.py` finds their trades and what they may cost.
`openings.py` opens accounts, `governance.py` follows signed decisions, `refusals.py`
states why something was not done, and `group_end.py` ends a record.
"""
