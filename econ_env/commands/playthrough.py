"""Playing questions once each, with actions that the caller chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from econ_env.envs.batched import BatchedEconEnv
from econ_env.game.failures import NothingSucceeds
from econ_env.game.transcript import Transcript
from econ_env.questions.base import Question


def play_through(
    env: BatchedEconEnv,
    questions: Sequence[Question],
    choose_actions: Callable[[], Mapping[str, ArrayLike]],
) -> Iterator[Transcript]:
    """Play every question once, batch by batch; yield the transcripts in the questions' order.

    Args:
        env: its ``num_questions`` is the size of a batch.
        questions: the questions to play; their number is free, it may be 0.
        choose_actions: called before every step; returns for every agent an array
            ``(env.num_questions, 2)`` in [-1, 1].

    Raises:
        NothingSucceeds: too many episodes in a row failed; those of their batch are yielded before.
    """
    size = env.num_questions
    for start in range(0, len(questions), size):
        part = questions[start : start + size]
        # The last batch may be smaller: its remaining places stay idle.
        mask = np.arange(size) < len(part)
        padded = [*part, *[part[0]] * (size - len(part))]
        env.reset(options={"question": padded}, mask=mask)
        while env.active.any():
            try:
                env.step(choose_actions())
            except NothingSucceeds:
                yield from env.transcripts[: len(part)]
                raise
        # Places are filled from the first on, so the others may never have been reset.
        yield from env.transcripts[: len(part)]
