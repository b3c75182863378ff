"""Run the command line: ``python -m econ_env`` is ``econ-env``."""

import sys

from econ_env.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
