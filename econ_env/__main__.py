"""Run the command line: ``python -m econ_env``, which does what ``econ-env`` does."""

import sys

from econ_console.entry import econ_env as main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
