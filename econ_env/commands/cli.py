"""The command line: ``econ-env play``, ``validate``, ``doctor`` and ``models``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import tyro

from econ_env.commands.doctor import Doctor
from econ_env.commands.models import Models
from econ_env.commands.play import Play, UsageError
from econ_env.commands.validate import Validate
from econ_env.embeddings import EmbedderError
from econ_env.grading.answers import GradingError
from econ_env.llm.types import ModelError
from econ_env.questions.base import QuestionError

DESCRIPTION = "Teams of language models that answer questions together (ECON)."


def parse(argv: Sequence[str] | None = None) -> Play | Validate | Doctor | Models:
    """The command that arguments name, with its flags; nothing is done yet.

    Args:
        argv: the arguments after the program's name; None takes those of the process.

    Raises:
        SystemExit: 0 after help, 2 if a flag or its value is wrong (said on stderr).
    """
    command: Play | Validate | Doctor | Models = tyro.extras.subcommand_cli_from_dict(
        {"play": Play, "validate": Validate, "doctor": Doctor, "models": Models},
        prog="econ-env",
        description=DESCRIPTION,
        args=argv,
    )
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0; 1 if no question finished and some failed, rows of a data set failed, or a model was found
    unfit; 2 after a mistake of the user; 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    command = parse(argv)
    try:
        return command.run()
    except (UsageError, ModelError, QuestionError, EmbedderError, GradingError, OSError) as error:
        print(f"econ-env: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("econ-env: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
