"""Hypothesis finds the same examples on every machine and in every run."""

from hypothesis import settings

settings.register_profile("resgrad", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("resgrad")
