"""``python -m server`` is the ``parley`` command."""

from server.cli.main import main

main()
