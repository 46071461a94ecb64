"""Decide: one file for each kind of input, and one for each question that a story raises.

`article_admission.py` judges a measurement, `answers.py` a worker's answer, `governance.py` a
record of governance, `reviews.py` an answer to a review, `group_end.py` what time brings.
`stories.py` assesses a story, `asking.py` decides whether the LLM is asked about it, and
`safeguards.py` whether its move waits for a person.
"""
