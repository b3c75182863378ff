"""The command line: ``econ-env play``, ``watch``, ``ask``, ``view``, ``export`` and more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tyro

from econ_console.parser_errors import errors_in_one_line, name_a_command
from econ_console.program import run_program
from econ_console.versions import versions
from econ_env.commands.ask import Ask
from econ_env.commands.doctor import Doctor
from econ_env.commands.export import Export
from econ_env.commands.flags import refuse_unknown, with_flags, wrapped_help
from econ_env.commands.models import Models
from econ_env.commands.play import Play, PlayFlags, Watch
from econ_env.commands.validate import Validate
from econ_env.commands.view import View
from econ_env.errors import UsageError
from econ_env.llm.api.server_key import keys_allowed_for
from econ_env.version import __version__

PROGRAM = "econ-env"
Command: TypeAlias = Play | Watch | Ask | View | Export | Validate | Doctor | Models
DESCRIPTION = (
    "Teams of language models that answer questions together (ECON). "
    "`econ-env --version` prints the versions to include in a bug report."
)


_COMMANDS: dict[str, Callable[..., Any]] = {
    "play": Play,
    "watch": Watch,
    "ask": Ask,
    "view": View,
    "export": Export,
    "validate": Validate,
    "doctor": Doctor,
    "models": Models,
}


def parse(argv: Sequence[str] | None = None) -> Command:
    """Return the command that the arguments name, with its flags, without running it.

    Args:
        argv: the arguments after the program's name; None takes those of the process.

    Raises:
        UsageError: there is no such command or flag, a value is wrong, or one is missing.
        SystemExit: 0 after help.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    refuse_unknown(arguments, _COMMANDS)
    called = " ".join([PROGRAM, *arguments[:1]])
    stray = "put the question in quotes" if arguments[:1] == ["ask"] else ""
    with errors_in_one_line(called, UsageError, stray=stray), wrapped_help():
        command: Command = tyro.extras.subcommand_cli_from_dict(
            _COMMANDS,
            prog=PROGRAM,
            description=DESCRIPTION,
            args=arguments,
        )
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    The codes: 0; 1 if no question finished and some failed, rows of a data set failed, a model is
    unfit, or the command could not be carried out; 2 after a user's mistake; 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = " ".join([PROGRAM, *arguments[:1]])
    return run_program(name, lambda: _run(arguments), worded=with_flags)


def _run(arguments: Sequence[str]) -> int:
    if arguments == ["--version"]:
        print(versions(PROGRAM, __version__))
        return 0
    if not arguments:
        raise UsageError(name_a_command(PROGRAM, _COMMANDS))
    command = parse(arguments)
    allowed = command.allow_key_for if isinstance(command, PlayFlags | Doctor) else ()
    with keys_allowed_for(allowed):
        return command.run()


if __name__ == "__main__":
    sys.exit(main())
