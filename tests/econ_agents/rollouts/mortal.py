"""An environment whose process dies once, in the middle of a round."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv


class Mortal(BatchedEconEnv):
    """Ends its process at the second round that it plays, if nobody has done so before."""

    grave: Path
    played = 0

    def step(self, actions: Any) -> Any:
        self.played += 1
        if self.played == 2 and _is_first(self.grave):
            os._exit(1)
        return super().step(actions)


def mortal(num_questions: int, *, grave: str, **settings: Any) -> Mortal:
    """The team of econ_env, with the file that the first death leaves."""
    env = Mortal(EnvConfig(**settings), num_questions=num_questions)
    env.grave = Path(grave)
    return env


def _is_first(grave: Path) -> bool:
    try:
        grave.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
