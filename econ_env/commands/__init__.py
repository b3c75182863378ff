"""The program ``econ-env``: its subcommands and their flags."""
