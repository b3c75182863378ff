"""The coordinator's last stage: plans, and commitments over the responses of the whole team."""

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
"""Numbers of executors, one of which is drawn for each example; three are the game's default."""
SLIPPED_SHARE = 0.35
"""Share of the commitments over made-up responses, of which there is no end to learn checking."""
UNANIMOUS_SHARE = 0.1
"""Share of agreeing teams among sampled responses; the guarded rule never asks about these."""
RIGHT_PLAN_SHARE = 0.8
"""Share of right plans beside made-up responses."""


def coordinate_stage(recipe: CoordinatorRecipe, samples: Sequence[SampledQuestion]) -> Stage:
    """Make the stage of plans, and of commitments over ``samples`` and made-up responses."""
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
    """Return True if all responses give the same answer."""
    return len({response.answer for response in responses}) == 1


def team_of(rng: random.Random, responses: Sequence[Response], count: int) -> list[Response]:
    """Draw responses of ``count`` executors, in the order of the game: executor i is model i mod 3.

    The place of a response thus tells which model wrote it, as in the game.
    """
    models = len(RECIPES)
    turns = [rng.sample(responses[k::models], len(responses) // models) for k in range(models)]
    return [turns[i % models][i // models] for i in range(count)]


def _disputed_team(
    rng: random.Random, disputed: Sequence[SampledQuestion], count: int
) -> tuple[SampledQuestion, list[Response]]:
    """Draw a question and a team that disagrees about it."""
    while True:
        sampled = rng.choice(disputed)
        team = team_of(rng, sampled.responses, count)
        if not unanimous(team):
            return sampled, team
