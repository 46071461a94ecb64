"""`python -m everything.deploy.cli`, the same as `everything`."""

from everything.deploy.cli.app import main

main()
