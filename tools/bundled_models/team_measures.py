"""Measurements of the three bundled models together: as a vote, and in the game."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from econ_agents.statistics import proportion_interval
from econ_env.commands.playthrough import play_through
from econ_env.commands.summary import summarise
from econ_env.envs.batched import batched_parallel_env
from econ_env.game.coordinator_tree import majority
from econ_env.grading.answers import equivalent, is_correct
from econ_env.llm.types import ChatModel
from econ_env.questions.arithmetic import ArithmeticQuestions
from econ_env.sampling_action import SamplingAction
from tools.bundled_models.differences import error_correlation
from tools.bundled_models.measures import TEAM_TEMPERATURE, Exam, difference, share

BATCH_SIZE = 32


def measure_team(
    reports: Sequence[dict[str, Any]], models: Sequence[ChatModel], coordinator: ChatModel
) -> dict[str, Any]:
    """Measure every number of the model card for the team, given the reports of its members.

    The coordinator is compared with the first executor in its place.

    Args:
        reports: reports of :func:`~tools.bundled_models.measures.examine` on the executors, all on
            the same questions.
        models: the executors' models.
        coordinator: the coordinator's model.
    """
    source = ArithmeticQuestions(
        split="test", seed=reports[0]["seed"], size=reports[0]["n_questions"]
    )
    own = _vote(source, [report["greedy_answers"] for report in reports])
    greedy = _right(source, reports[own["best_single"]]["greedy_answers"])
    games = {rule: _Game(source, models, coordinator, rule) for rule in ("guarded", "coordinator")}
    first = _Game(source, models, models[0], "guarded")
    return {
        "with_own_plans": own,
        "without_plans": _vote(source, [report["greedy_no_plan_answers"] for report in reports]),
        "plan_exact": share(_right_plans(source, coordinator, reports[0]["seed"])),
        "game": {rule: game.report(greedy) for rule, game in games.items()},
        "game_of_first": first.report(greedy),
        "over_first": difference(games["guarded"].team, first.team),
        "majority_over_first": difference(games["guarded"].vote, first.vote),
    }


def _right_plans(source: ArithmeticQuestions, coordinator: ChatModel, seed: int) -> list[bool]:
    problems = [source.problem(index) for index in range(len(source))]
    plans = Exam(model=coordinator, problems=problems, seed=seed).plans()
    return [plan == problem.plan for plan, problem in zip(plans, problems, strict=True)]


def _right(source: ArithmeticQuestions, answers: Sequence[str | None]) -> list[bool]:
    return [is_correct(answer, source[index].gold) for index, answer in enumerate(answers)]


def _vote(source: ArithmeticQuestions, columns: Sequence[Sequence[str | None]]) -> dict[str, Any]:
    """Compare the majority of the models' greedy answers with the best single model."""
    singles = [_right(source, column) for column in columns]
    vote = _right(source, [majority(row, equivalent) for row in zip(*columns, strict=True)])
    best = max(range(len(singles)), key=lambda k: sum(singles[k]))
    return {
        "single": [share(single) for single in singles],
        "majority": share(vote),
        "oracle": share([any(row) for row in zip(*singles, strict=True)]),
        "best_single": best,
        "majority_over_best_single": difference(vote, singles[best]),
        "correlation": {
            f"{i}-{j}": round(error_correlation(singles[i], singles[j]), 3)
            for i, j in combinations(range(len(singles)), 2)
        },
    }


class _Game:
    """One round of the real game under one commitment rule, all executors at one temperature.

    Raises:
        RuntimeError: an episode failed; the message holds its error.
    """

    def __init__(
        self,
        source: ArithmeticQuestions,
        models: Sequence[ChatModel],
        coordinator: ChatModel,
        rule: str,
    ) -> None:
        env = batched_parallel_env(
            BATCH_SIZE,
            dataset=source,
            llm=list(models),
            coordinator=coordinator,
            n_agents=len(models),
            prompts="compact",
            embedder="hashing",
            commitment_rule=rule,
        )
        action = SamplingAction(temperature=TEAM_TEMPERATURE, repetition_penalty=1.0)
        point = np.array(env.config.bounds().normalise(action))
        actions = dict.fromkeys(env.possible_agents, np.broadcast_to(point, (BATCH_SIZE, 2)))
        questions = [source[index] for index in range(len(source))]
        transcripts = list(play_through(env, questions, lambda: actions))
        errors = [transcript.failed for transcript in transcripts if transcript.failed is not None]
        if errors:
            raise RuntimeError(
                f"{len(errors)} of {len(transcripts)} episodes failed, the first with: {errors[0]}"
            )
        self.summary = summarise(transcripts)
        rounds = [list(transcript.rounds())[-1] for transcript in transcripts]
        self.team = _right(source, [played.commitments[-1].value for played in rounds])
        self.vote = _right(
            source,
            [majority([e.answer for e in played.executors], equivalent) for played in rounds],
        )

    def report(self, greedy: Sequence[bool]) -> dict[str, Any]:
        """Numbers of the model card.

        Args:
            greedy: grades of the best single model's greedy answers.
        """
        summary = self.summary
        interval = proportion_interval(summary.correct, summary.finished)
        return {
            "failed": summary.failed,
            "accuracy": share(self.team),
            "accuracy_interval": [round(interval.low, 4), round(interval.high, 4)],
            "majority": share(self.vote),
            "over_majority": difference(self.team, self.vote),
            "over_best_single_greedy": difference(self.team, greedy),
            "tokens_per_question": round(summary.tokens_per_question, 1),
            "commitments_asked": summary.commitments_asked,
            "json_rate": round(summary.commitments_json / max(summary.commitments_asked, 1), 4),
            "consensus": summary.consensus,
            "novel": summary.novel,
            "leaks": summary.leaks,
        }
