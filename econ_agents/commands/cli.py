"""The command line: ``econ-agents train``, ``test``, ``nash``, ``resume`` and ``inspect``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from econ_agents.commands.flags import PROGRAM, parse
from econ_agents.commands.subcommands import COMMANDS
from econ_agents.commands.version import versions

_PACKAGE = "econ_agents"
_SUMMARIES = (
    f"  {name:<10}{(type(command).__doc__ or '').splitlines()[0]}"
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
        f"{PROGRAM} --version prints the versions that a report of a bug needs.",
    )
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 after a mistake of the user, 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(USAGE)
        return 0
    if arguments == ["--version"]:
        print(versions())
        return 0
    if name not in COMMANDS:
        # The word is not repeated: it may be a key, pasted to the wrong place.
        print(f"{PROGRAM}: there is no such command\n\n{USAGE}", file=sys.stderr)
        return 2
    packages = {_PACKAGE}
    try:
        command = parse(COMMANDS[name], name, arguments[1:])
        factory = command.factory()
        if factory is not None:
            packages.add(factory.partition(":")[0].partition(".")[0])
            use_one_thread()
        return command.run()
    except KeyboardInterrupt:
        print(f"{PROGRAM} {name}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_for_user(error, packages):
            raise
        print(f"{PROGRAM} {name}: {error}", file=sys.stderr)
        return 2


def use_one_thread() -> None:
    """Networks this small gain nothing from more, and the last bits of a sum depend on how many."""
    import torch

    torch.set_num_threads(1)


def is_for_user(error: Exception, packages: set[str]) -> bool:
    """Whether an error is a message, and no bug whose traceback is needed.

    Messages are what the operating system says, and the exceptions that this package and that of
    the environment define themselves: a wrong key or an unknown model is theirs to explain.
    """
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in packages


if __name__ == "__main__":
    sys.exit(main())
