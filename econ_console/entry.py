"""Where the programs begin: loading one takes seconds, and Ctrl-C may come before it has loaded.

So this module imports nothing but a few modules of Python, and names the programs by text.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module


def econ_env(argv: Sequence[str] | None = None) -> int:
    """Run ``econ-env`` and return its exit code; see :func:`load_and_run`."""
    return load_and_run("econ-env", "econ_env.commands.cli", argv)


def econ_agents(argv: Sequence[str] | None = None) -> int:
    """Run ``econ-agents`` and return its exit code; see :func:`load_and_run`."""
    return load_and_run("econ-agents", "econ_agents.commands.cli", argv)


def load_and_run(program: str, module: str, argv: Sequence[str] | None = None) -> int:
    """Import a program and run it; the exit code is its own, or 130 after Ctrl-C at any moment.

    Args:
        program: name of the program, for the line after Ctrl-C.
        module: full name of the module with its function ``main``.
        argv: the arguments after the program's name; None takes those of the process.
    """
    try:
        code: int = import_module(module).main(argv)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return code
