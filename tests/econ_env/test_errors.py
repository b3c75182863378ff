"""One root for all errors, and what a program makes of them."""

from __future__ import annotations

import pytest

import econ_env
from econ_console.program import run_program
from econ_env.errors import UsageError
from econ_env.grading.answers import GradingError
from econ_env.llm import BudgetExceeded, ReplayMiss
from econ_env.questions import QuestionError
from tests.exceptions import exceptions_of


def test_every_error_has_the_one_root() -> None:
    found = exceptions_of(econ_env)
    assert len(found) > 15
    assert [kind for kind in found if not issubclass(kind, econ_env.EconError)] == []
    assert {kind.exit_code for kind in found if issubclass(kind, econ_env.EconError)} == {1, 2}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("--questions"), 2),
        (QuestionError("no such file"), 2),
        (econ_env.ModelError("no such model"), 2),
        (ReplayMiss("was not recorded"), 2),
        (FileNotFoundError("no such folder"), 2),
        (BudgetExceeded("nothing is left"), 1),
        (GradingError("cannot start"), 1),
    ],
)
def test_an_error_for_people_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise error

    assert run_program("econ-env play", run) == code
    assert capsys.readouterr().err == f"econ-env play: {error}\n"


def test_ctrl_c_is_130_and_a_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    def broken() -> int:
        raise ValueError("a bug")

    assert run_program("econ-env play", interrupted) == 130
    assert capsys.readouterr().err == "econ-env play: interrupted\n"
    with pytest.raises(ValueError, match="a bug"):
        run_program("econ-env play", broken)
    assert run_program("econ-env play", lambda: 7) == 7
