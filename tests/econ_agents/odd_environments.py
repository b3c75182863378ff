"""Environments for runs: whose model fails, and which write down what they are told."""

from __future__ import annotations

from typing import Any

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from tests.support import FlakyModel

WEIGHTS: list[dict[str, float] | None] = []
"""The weights of the reward that :class:`Attentive` was told, one for every reset."""


def flaky(
    num_questions: int,
    *,
    share: float,
    max_failures_in_a_row: int | None = 20,
    **settings: Any,
) -> BatchedEconEnv:
    """The simulated team, at which a share of all requests fails."""
    model = FlakyModel(lambda request: request.seed % 1000 < 1000 * share)
    config = EnvConfig(
        llm=model,
        dataset="simulated",
        prompts="compact",
        embedder="hashing",
        max_failures_in_a_row=max_failures_in_a_row,
        **settings,
    )
    return BatchedEconEnv(config, num_questions=num_questions)


class Attentive(BatchedEconEnv):
    """Writes down every reset's ``reward_weights``."""

    def reset(self, seed: Any = None, options: Any = None, *, mask: Any = None) -> Any:
        WEIGHTS.append(None if options is None else options["reward_weights"])
        return super().reset(seed, options, mask=mask)


def attentive(num_questions: int, **settings: Any) -> Attentive:
    """An environment that writes down what it is told."""
    return Attentive(EnvConfig(**settings), num_questions=num_questions)
