"""Verdicts kept question by question, so that arms can be compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.learning.results import Result
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT, tokens_of
from econ_agents.statistics import paired_difference

RIGHT, WRONG, NO_RESULT = "1", "0", "x"


def describe_answers(episodes: Sequence[Episode]) -> Result:
    """Return accuracy and tokens of one arm, and a letter for every question in order."""
    finished = [episode for episode in episodes if not episode.failed]
    answers = "".join(
        NO_RESULT if episode.failed else RIGHT if episode.infos[CORRECT][-1, 0] else WRONG
        for episode in episodes
    )
    return {
        "accuracy": answers.count(RIGHT) / len(finished),
        "tokens_per_question": sum(map(tokens_of, finished)) / len(finished),
        "team_reward": sum(float(e.team_rewards.sum()) for e in finished) / len(finished),
        "failed": len(episodes) - len(finished),
        "answers": answers,
    }


def accuracy_difference(ours: Result, theirs: Result) -> dict[str, float]:
    """Return one arm's accuracy minus another's, paired by question, with its interval."""
    pairs = [
        (float(one == RIGHT), float(other == RIGHT))
        for one, other in zip(ours["answers"], theirs["answers"], strict=True)
        if NO_RESULT not in (one, other)
    ]
    first, second = zip(*pairs, strict=True)
    return paired_difference(first, second, seed=0).to_json()
