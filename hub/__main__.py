"""`python -m hub`: see cli.py."""

from hub.cli import main

main()
