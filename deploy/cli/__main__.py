"""`python -m deploy.cli`, the same as `everything`."""

from deploy.cli.app import main

main()
