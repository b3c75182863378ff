"""The command line: ``econ-agents train``, ``test``, ``play``, ``nash``, ``report`` and more."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from econ_agents import __version__
from econ_agents.commands.flags import PROGRAM, Configured, parse
from econ_agents.commands.process import keys_allowed_for, private_files
from econ_agents.commands.subcommands import ALIASES, COMMANDS, Resume
from econ_agents.config.environment_kwargs import with_flags
from econ_agents.config.schema import ConfigError
from econ_agents.environments import arguments_of
from econ_agents.errors import EconAgentsError
from econ_console.parser_errors import name_a_command, no_such_command
from econ_console.program import exit_code_of, run_program
from econ_console.versions import versions

_SUMMARIES = (
    f"  {' '.join([name, *(f'({other})' for other, own in ALIASES.items() if own == name)]):<17}"
    f"{(type(command).__doc__ or '').splitlines()[0]}"
    for name, command in COMMANDS.items()
)
USAGE = "\n".join(
    (
        f"usage: {PROGRAM} COMMAND [FLAGS]",
        "",
        "Learning agents that bring a team to equilibrium (ECON).",
        "",
        *_SUMMARIES,
        "",
        f"{PROGRAM} COMMAND --help lists the flags of a command.",
        f"{PROGRAM} --version prints the versions to quote in a bug report.",
    )
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 after success; 1 if the command failed (training diverged, or almost no episode came to a
    result); 2 after a mistake of the user; 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    known = name in COMMANDS or name in ALIASES
    return run_program(f"{PROGRAM} {name}" if known else PROGRAM, lambda: _run(name, arguments))


def _run(name: str, arguments: Sequence[str]) -> int:
    """Run a command; see :func:`main`."""
    if name in ("-h", "--help"):
        print(USAGE)
        return 0
    if list(arguments) == ["--version"]:
        print(versions(PROGRAM, __version__))
        return 0
    if name not in COMMANDS and name not in ALIASES:
        if not name or name.startswith("-"):
            raise ConfigError(name_a_command(PROGRAM, COMMANDS))
        raise ConfigError(no_such_command(name, [*COMMANDS], [*ALIASES]))
    command = parse(COMMANDS[ALIASES.get(name, name)], name, arguments[1:])
    if command.factory() is not None:
        use_one_thread()
    hosts = command.allow_key_for if isinstance(command, Configured | Resume) else ()
    with keys_allowed_for(hosts), private_files(), _naming_flags(command.factory()):
        return command.run()


@contextmanager
def _naming_flags(factory: str | None) -> Iterator[None]:
    """Name flags in the errors of the environment, which speaks of arguments of its factory."""
    try:
        yield
    except Exception as error:
        code = exit_code_of(error)
        if factory is None or code is None or isinstance(error, EconAgentsError | OSError):
            raise
        raise _EnvironmentError(with_flags(str(error), arguments_of(factory)), code) from error


class _EnvironmentError(EconAgentsError):
    """An error of the environment that is written for users."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


def use_one_thread() -> None:
    """Make torch use one thread.

    Networks this small gain nothing from more threads, and their number changes the last bits of a
    sum.
    """
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    sys.exit(main())
