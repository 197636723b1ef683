"""The ``parley`` command: ``main`` puts it together, every subcommand has a file of its own."""
