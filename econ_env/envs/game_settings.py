"""The settings that all games of one team share, from those of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from econ_env.config import EnvConfig
from econ_env.game.state_machine import GameConfig, ModelLimits
from econ_env.grading.answers import equivalent, extract
from econ_env.llm.types import ChatModel, tokens_per_message

MAX_REMEMBERED_CHARACTERS = 2_000
"""Maximum length of a response whose answer is remembered, which bounds the memory for that."""

# Executors of a team often write the same texts, and simulated ones have few to choose from.
_remembered = lru_cache(maxsize=4096)(extract)


def game_settings(config: EnvConfig, models: Mapping[str, ChatModel]) -> GameConfig:
    """Return the rules, prompts and limits of the games of a team.

    Args:
        config: settings of the environment.
        models: the models of its team, by name.
    """
    team = config.team()
    return GameConfig(
        n_agents=config.n_agents,
        group_size=config.group_size,
        bne_rounds=config.bne_rounds,
        max_rounds=config.max_rounds,
        convergence_threshold=config.convergence_threshold,
        bounds=config.bounds(),
        prompts=config.prompt_set(),
        strategy=config.resolved_strategy(),
        commitment_rule=config.resolved_commitment_rule(),
        executor_models=team.executors,
        coordinator_model=team.coordinator,
        limits={
            name: ModelLimits(
                context_limit=model.context_limit,
                count_tokens=model.count_tokens,
                tokens_per_message=tokens_per_message(model),
            )
            for name, model in models.items()
        },
        extract=_extract,
        equivalent=equivalent,
        keep_messages=config.keep_messages,
    )


def _extract(response: str) -> str | None:
    """The answer in ``response``."""
    return (_remembered if len(response) <= MAX_REMEMBERED_CHARACTERS else extract)(response)
