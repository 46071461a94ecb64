"""Imported before any test, so that hypothesis's plugin is never first loaded in a failure."""

import hypothesis  # noqa: F401
