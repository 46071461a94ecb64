"""The `everything` command."""

from everything.deploy.cli.app import main

__all__ = ["main"]
