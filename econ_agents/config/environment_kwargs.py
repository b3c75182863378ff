"""The specification's words, as arguments of the environment.

A word that is left out of the configuration becomes no argument, so that an environment that does
not know it is not asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from econ_agents.config.schema import Config, ConfigError, Phase

_ARGUMENTS: Mapping[str, str] = {
    "n_agents": "n_agents",
    "executor_model": "llm",
    "coordinator_model": "coordinator",
    "group_size": "group_size",
    "env_args.hf_dataset_path": "dataset",
    "env_args.dataset_split": "split",
    "env_args.question_field_name": "question_field_name",
    "env_args.answer_field_name": "answer_field_name",
    "env_args.max_question_length": "max_question_length",
    "env_args.max_answer_length": "max_answer_length",
    "env_args.max_rounds": "max_rounds",
    "sampling.temperature_min": "temperature_min",
    "sampling.temperature_max": "temperature_max",
    "sampling.p_min": "repetition_penalty_min",
    "sampling.p_max": "repetition_penalty_max",
    "sampling.top_p_default": "top_p",
    "reward.initial_weights": "reward_weights",
    "bne.max_iterations_train": "bne_rounds",
    "bne.max_iterations_infer": "bne_rounds",
    "bne.convergence_threshold": "convergence_threshold",
}
"""Key of the configuration to the name of the argument."""


def environment_kwargs(config: Config, phase: Phase, *, bne: bool = True) -> dict[str, Any]:
    """The arguments of the environment's factory.

    The arguments of ``env.kwargs`` are replaced by those of ``env.train_kwargs`` or
    ``env.test_kwargs``, and stand beside the specification's words.

    Args:
        config: the configuration.
        phase: ``"train"``, or ``"test"``, where ``env_args.dataset_split`` is not passed: what is
            tested on is the environment's own default or stands in ``env.test_kwargs``.
        bne: whether decisions take several rounds; False plays the baseline.

    Raises:
        ConfigError: a word and an argument say different things. Both are named.
    """
    specific = "env.train_kwargs" if phase == "train" else "env.test_kwargs"
    layers = {
        "env.kwargs": config.env.kwargs,
        specific: config.env.train_kwargs if phase == "train" else config.env.test_kwargs,
    }
    kwargs = {name: value for layer in layers.values() for name, value in layer.items()}
    for key, value in _words(config, phase, bne).items():
        argument = _ARGUMENTS[key]
        if argument in kwargs and kwargs[argument] != value:
            layer = specific if argument in layers[specific] else "env.kwargs"
            raise ConfigError(
                f"{key} = {value!r} and {layer}.{argument} = {kwargs[argument]!r} are two names "
                "of one setting: give one of them, or the same value to both"
            )
        kwargs[argument] = value
    return kwargs


def _words(config: Config, phase: Phase, bne: bool) -> dict[str, Any]:
    """What the configuration says in the specification's words, by key."""
    args, sampling = config.env_args, config.sampling
    models = config.executor_model
    words = {
        "n_agents": config.n_agents,
        "executor_model": list(models) if isinstance(models, tuple) else models,
        "coordinator_model": config.coordinator_model,
        "group_size": config.group_size,
        "env_args.hf_dataset_path": args.hf_dataset_path,
        "env_args.dataset_split": args.dataset_split if phase == "train" else None,
        "env_args.question_field_name": args.question_field_name,
        "env_args.answer_field_name": args.answer_field_name,
        "env_args.max_question_length": args.max_question_length,
        "env_args.max_answer_length": args.max_answer_length,
        "env_args.max_rounds": args.max_rounds,
        "sampling.temperature_min": sampling.temperature_min,
        "sampling.temperature_max": sampling.temperature_max,
        "sampling.p_min": sampling.p_min,
        "sampling.p_max": sampling.p_max,
        "sampling.top_p_default": sampling.top_p_default,
        "reward.initial_weights": config.reward.initial_weights.given(),
    }
    if config.bne.enabled:
        rounds = "bne.max_iterations_train" if phase == "train" else "bne.max_iterations_infer"
        words[rounds] = config.bne_rounds(phase) if bne else 1
        words["bne.convergence_threshold"] = config.bne.convergence_threshold
    return {key: value for key, value in words.items() if value is not None}
