"""The program ``econ-agents``: its subcommands and their flags."""
