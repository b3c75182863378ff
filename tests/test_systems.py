"""Tests that both packages can be imported on systems that are not POSIX, such as Windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

LACKING = """
import os, signal, sys
for name in ("fcntl", "resource", "termios"):
    sys.modules[name] = None  # importing it is an ImportError
for name in ("setitimer", "ITIMER_PROF", "SIGPROF"):
    delattr(signal, name)
"""

# Libraries that are made for this system take its modules for granted: only ours are refused them.
REFUSED = """
import builtins, pkgutil
from importlib import import_module
real = builtins.__import__
def refuse(name, globals=None, *rest, **named):
    importer = (globals or {{}}).get("__name__") or ""
    if name in ("fcntl", "resource", "termios") and importer.startswith({package!r}):
        raise ImportError(f"{{name}}, in {{importer}}")
    return real(name, globals, *rest, **named)
builtins.__import__ = refuse
package = import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, {package!r} + "."):
    try:
        import_module(module.name)
    except ModuleNotFoundError as error:  # an optional library that is not installed
        if error.name.startswith("econ_"):
            raise
"""

GRADING = """
del os.fork, os.register_at_fork
from econ_env.answers import GradingError, equivalent
assert equivalent("0.50", "1/2")
try:
    equivalent(r"\\sqrt{8}", r"2\\sqrt{2}")
except GradingError as error:
    print(error)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_users_import_imports_without_posix() -> None:
    run(LACKING + "import econ_env, econ_env.commands.cli, econ_agents.training.train")


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("package", ["econ_env", "econ_agents"])
def test_no_module_imports_what_only_posix_has(package: str) -> None:
    run(REFUSED.format(package=package))


def test_only_formulas_need_posix_and_say_so() -> None:
    assert "POSIX resource limits" in run(LACKING + GRADING)
