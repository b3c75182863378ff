"""Going through questions once, with actions that somebody else chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from econ_env.envs.batched import BatchedEconEnv
from econ_env.game.transcript import Transcript
from econ_env.questions.base import Question


def play_through(
    env: BatchedEconEnv,
    questions: Sequence[Question],
    choose_actions: Callable[[], Mapping[str, ArrayLike]],
    *,
    report: Callable[[str], object] | None = None,
) -> Iterator[Transcript]:
    """Play every question once, batch by batch; yields the transcripts in the questions' order.

    Args:
        env: its ``num_questions`` is the size of a batch.
        questions: what is played; any number of them, also none or fewer than a batch.
        choose_actions: called before every step; for every agent an array
            ``(env.num_questions, 2)`` in [-1, 1].
        report: told before every reset and step what comes next and for how many questions, such
            as "answering 16"; None: nobody is told.
    """
    size = env.num_questions
    for start in range(0, len(questions), size):
        part = questions[start : start + size]
        # The last batch may be smaller: its remaining places stay idle.
        mask = np.arange(size) < len(part)
        padded = [*part, *[part[0]] * (size - len(part))]
        if report is not None:
            report(f"planning {len(part)}")
        env.reset(options={"question": padded}, mask=mask)
        while env.active.any():
            if report is not None:
                report(f"answering {np.count_nonzero(env.active)}")
            env.step(choose_actions())
        # Places are filled from the first on, so the others may never have been reset.
        yield from env.transcripts[: len(part)]
