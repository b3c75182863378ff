"""Errors of workers and of their cluster, and errors for users on their way to the learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from econ_agents.errors import EconAgentsError
from econ_console.program import exit_code_of

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class UsersError:
    """An error that is written for users, as plain data."""

    message: str
    exit_code: int


class ClusterError(EconAgentsError):
    """The cluster cannot be reached, or cannot play."""

    exit_code = 1


class WorkerError(EconAgentsError):
    """An error for users that a worker ran into, such as a wrong key or an exhausted budget."""

    def __init__(self, error: UsersError) -> None:
        super().__init__(error.message)
        self.exit_code = error.exit_code  # type: ignore[misc]


def told(act: Callable[[], Result]) -> Result | UsersError:
    """Return a result, or the error that is written for users."""
    try:
        return act()
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        return UsersError(message=str(error), exit_code=code)
