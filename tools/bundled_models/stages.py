"""Stages of the training, each of which is a function from an index to an example."""

from __future__ import annotations

import random

from econ_env.questions.arithmetic import ArithmeticQuestions, Problem
from econ_env.seeds import derive_seed
from tools.bundled_models.examples import (
    Example,
    calculation_example,
    commit_example,
    execute_example,
    strategy_example,
    wrong_plan,
)
from tools.bundled_models.optimisation import Stage
from tools.bundled_models.recipe import Recipe
from tools.bundled_models.sampling import SampledQuestion
from tools.bundled_models.slips import slipped_responses

STRATEGY_SHARE, COMMIT_SHARE = 0.08, 0.5
CALCULATION_SHARE = 0.15
"""Share of bare calculations among the solutions."""
SLIPPED_SHARE = 0.5
"""Share of the commitments over responses with made-up slips; the others judge sampled ones."""
SEED_OFFSETS = {"solve": 0, "team": 200, "sample": 500}
"""Offsets added to the seed of a recipe, so that every stage has problems of its own."""
LABEL_SMOOTHING = 0.002
"""Label smoothing in the last stage. It leaves every token a small probability, as in the tail of
large models. Without it a high temperature would do little harm, since top-p cuts off every token
that is not nearly certain."""
UNANIMOUS_SHARE = 0.2
"""Share of agreeing responses among the sampled ones; the game mostly asks about the others."""


def stage_problems(seed: int, stage: str) -> ArithmeticQuestions:
    """Problems of one stage of the recipe with this seed; no two stages share a problem."""
    return ArithmeticQuestions(
        split="train", seed=seed + SEED_OFFSETS[stage], size=10**9, shortest_chain=1
    )


def stage_rng(seed: int, stage: str, index: int) -> random.Random:
    """Make the random generator of one example of a stage."""
    return random.Random(derive_seed("bundled", seed, stage, index))


def calculation_stage(recipe: Recipe) -> Stage:
    """Make stage 1: bare calculations."""
    return Stage(
        name="calculations",
        n_examples=recipe.calculation_examples,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        example=lambda i: calculation_example(stage_rng(recipe.seed, "calculations", i)),
    )


def solve_stage(recipe: Recipe) -> Stage:
    """Make stage 2: worked solutions of all kinds of problems."""
    problems = stage_problems(recipe.seed, "solve")
    return Stage(
        name="solve",
        n_examples=recipe.solve_examples,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        example=lambda i: _solution(stage_rng(recipe.seed, "solve", i), problems.problem(i)),
    )


def _solution(rng: random.Random, problem: Problem) -> Example:
    if rng.random() < CALCULATION_SHARE:
        return calculation_example(rng)
    return execute_example(rng, problem)


def team_stage(recipe: Recipe, samples: list[SampledQuestion]) -> Stage:
    """Make stage 3: commitments over sampled and made-up responses, strategies and solutions."""
    problems = stage_problems(recipe.seed, "team")
    disputed = [s for s in samples if len({r.answer for r in s.responses}) > 1]
    agreed = [s for s in samples if len({r.answer for r in s.responses}) == 1]

    def example(index: int) -> Example:
        rng = stage_rng(recipe.seed, "team", index)
        problem = problems.problem(index)
        draw = rng.random()
        if draw < STRATEGY_SHARE:
            return strategy_example(rng, problem)
        if draw < 1 - COMMIT_SHARE:
            return _solution(rng, problem)
        count = rng.choice((2, 3, 3, 3, 4, 5, 5))
        if rng.random() < SLIPPED_SHARE:
            plan = problem.plan if rng.random() < 0.7 else wrong_plan(rng, problem.plan)
            return commit_example(rng, problem, plan, slipped_responses(rng, problem, count))
        unanimous = not disputed or (agreed and rng.random() < UNANIMOUS_SHARE)
        sampled = rng.choice(agreed if unanimous else disputed)
        chosen = rng.sample(sampled.responses, count)
        return commit_example(rng, sampled.problem, sampled.plan, [r.text for r in chosen])

    return Stage(
        name="team",
        n_examples=recipe.team_examples,
        learning_rate=recipe.team_learning_rate,
        seed=recipe.seed,
        label_smoothing=LABEL_SMOOTHING,
        example=example,
    )
