"""Episodes as lines of JSON in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pettingzoo import ParallelEnv

from econ_env.envs.wrappers.base import GameWrapper, StepResult
from econ_files.private import append_privately


class RecordEpisodes(GameWrapper):
    """Append the transcript of every episode to a JSONL file when it ends.

    A line holds one episode, with every text and how it was sampled, as ``econ-env play --out``
    writes it; :meth:`~econ_env.game.transcript.Transcript.from_json` reads
    it. Lines are whole and written at once, so an interrupted run keeps all episodes that ended.
    Failed ones are recorded too, with the reason in ``failed``; one that a reset cuts short is not.

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.
        path: the file; it is made, readable by its owner only, if it does not exist, in a folder
            that does.

    Raises:
        TypeError: ``env`` is another environment.
        OSError: the file cannot be written.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any], path: str | Path) -> None:
        super().__init__(env)
        self.path = Path(path)
        """The file."""
        # Not after the first episode, which may have cost hours: a wrong path is an error now.
        append_privately(self.path).close()

    def step(self, actions: dict[str, Any]) -> StepResult:
        """Play one round, and record the episode if it ends."""
        result = super().step(actions)
        if not self._game.agents:
            line = json.dumps(self._game.transcript.to_json(), ensure_ascii=False)
            with append_privately(self.path) as file:
                file.write(f"{line}\n")
        return result
