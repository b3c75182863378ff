"""Order of the questions in an evaluation: once through all of them, before any comes again."""

from __future__ import annotations

from dataclasses import dataclass

from econ_agents.environments import Teams
from econ_agents.seeds import numpy_generator


@dataclass(frozen=True, kw_only=True)
class QuestionOrder:
    """Questions of the episodes of an evaluation."""

    numbers: list[int] | None
    """Number of the question of every episode; None if the environment has no questions that can be
    asked for, so that it chooses by the seeds of the episodes."""
    size: int | None
    """Number of questions that the data set has, or the evaluation's number of episodes if it is a
    stream with at least as many; None without questions."""

    @property
    def note(self) -> str | None:
        """Warning, in words, if questions come more than once; None if none does."""
        if self.numbers is None or self.size is None or len(self.numbers) <= self.size:
            return None
        return (
            f"the data set has {self.size} questions, so the {len(self.numbers)} episodes start "
            f"over after {self.size}: intervals take them for different questions and are too "
            "narrow"
        )


def question_order(teams: Teams, episodes: int, *, seed: int, purpose: str) -> QuestionOrder:
    """Choose the questions of an evaluation, in a random order and without replacement.

    Only when all questions of the data set were played does the order start over, anew.

    Args:
        teams: the environment.
        episodes: number of episodes, >= 1.
        seed: seed of the run.
        purpose: name of the evaluation, so that each has an order of its own.
    """
    size = teams.num_questions(episodes)
    if not size:
        return QuestionOrder(numbers=None, size=None)
    numbers: list[int] = []
    while len(numbers) < episodes:
        rng = numpy_generator(seed, "question order", purpose, len(numbers))
        count = min(size, episodes - len(numbers))
        numbers += rng.choice(size, count, replace=False).tolist()
    return QuestionOrder(numbers=numbers, size=size)
