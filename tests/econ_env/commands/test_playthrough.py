"""Going through questions once, whatever their number and the size of a batch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from econ_env import batched_parallel_env
from econ_env.commands.playthrough import play_through
from econ_env.questions import load_questions


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 11])
def test_every_question_is_played_once_and_to_its_end(count: int) -> None:
    env = batched_parallel_env(4, dataset="simulated", llm="simulated", max_rounds=2)
    source = load_questions("simulated")
    questions = [source[index] for index in range(count)]

    def middle() -> dict[str, NDArray[np.float64]]:
        return {agent: np.zeros((4, 2)) for agent in env.possible_agents}

    # Twice, because the second time the places hold episodes from before.
    for _ in range(2):
        played = list(play_through(env, questions, middle))
        assert [transcript.question for transcript in played] == questions
        assert all(len(transcript.decisions) == 2 for transcript in played)
