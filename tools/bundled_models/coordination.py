"""The coordinator's last stage: plans, and commitments over what the whole team responds."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tools.bundled_models.examples import (
    Example,
    commit_example,
    strategy_example,
    wrong_plan,
)
from tools.bundled_models.optimisation import Stage
from tools.bundled_models.recipe import RECIPES, CoordinatorRecipe
from tools.bundled_models.sampling import Response, SampledQuestion
from tools.bundled_models.slips import slipped_responses
from tools.bundled_models.stages import stage_problems, stage_rng

TEAM_SIZES = (2, 3, 3, 3, 3, 4, 5, 5)
"""Drawn from: three executors are the default."""
SLIPPED_SHARE = 0.35
"""Of the commitments, over made-up responses: unlimited, so that checking is learned."""
UNANIMOUS_SHARE = 0.1
"""Of the commitments over sampled responses; the guarded rule asks about none of these."""
RIGHT_PLAN_SHARE = 0.8
"""Of the plans in view of made-up responses."""


def coordinate_stage(recipe: CoordinatorRecipe, samples: Sequence[SampledQuestion]) -> Stage:
    """Plans, and commitments over ``samples`` and over made-up responses."""
    problems = stage_problems(recipe.seed, "team")
    disputed = [s for s in samples if not unanimous(s.responses)]
    agreed = [s for s in samples if unanimous(s.responses)]

    def example(index: int) -> Example:
        rng = stage_rng(recipe.seed, "coordinate", index)
        problem = problems.problem(index)
        if rng.random() < recipe.strategy_share:
            return strategy_example(rng, problem)
        count = rng.choice(TEAM_SIZES)
        if rng.random() < SLIPPED_SHARE:
            right = rng.random() < RIGHT_PLAN_SHARE
            plan = problem.plan if right else wrong_plan(rng, problem.plan)
            return commit_example(rng, problem, plan, slipped_responses(rng, problem, count))
        if not disputed or (agreed and rng.random() < UNANIMOUS_SHARE):
            sampled = rng.choice(agreed)
            team = team_of(rng, sampled.responses, count)
        else:
            sampled, team = _disputed_team(rng, disputed, count)
        return commit_example(rng, sampled.problem, sampled.plan, [r.text for r in team])

    return Stage(
        name="coordinate",
        n_examples=recipe.examples,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        example=example,
    )


def unanimous(responses: Sequence[Response]) -> bool:
    """Whether all of them give one answer."""
    return len({response.answer for response in responses}) == 1


def team_of(rng: random.Random, responses: Sequence[Response], count: int) -> list[Response]:
    """What ``count`` executors say, in the order of the game: executor i is model i mod 3.

    So the place of a response tells which model it is of, here as in the game.
    """
    models = len(RECIPES)
    turns = [rng.sample(responses[k::models], len(responses) // models) for k in range(models)]
    return [turns[i % models][i // models] for i in range(count)]


def _disputed_team(
    rng: random.Random, disputed: Sequence[SampledQuestion], count: int
) -> tuple[SampledQuestion, list[Response]]:
    """A question and a team that does not agree about it."""
    while True:
        sampled = rng.choice(disputed)
        team = team_of(rng, sampled.responses, count)
        if not unanimous(team):
            return sampled, team
