"""Mapping of the specification's words to arguments of the environment.

A word that is left out of the configuration becomes no argument, so that an environment without
such an argument can be played too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from econ_agents.config.environment import InitialWeights
from econ_agents.config.schema import Config, ConfigError, Phase


class _Word(NamedTuple):
    """A key of the configuration that sets an argument of the environment."""

    key: str
    argument: str
    phase: Phase | None = None
    """Phase in which it sets the argument; None for both."""


_NAME = re.compile(r"(?<![\w./'\"-])[a-z]+(?:_[a-z]+)+(?![\w'\"])")
"""A name of several words that is not quoted, and no part of a path or flag."""

_WORDS = (
    _Word("n_agents", "n_agents"),
    _Word("executor_model", "llm"),
    _Word("coordinator_model", "coordinator"),
    _Word("group_size", "group_size"),
    _Word("env_args.hf_dataset_path", "dataset"),
    _Word("env_args.dataset_split", "split", "train"),
    _Word("env_args.question_field_name", "question_field_name"),
    _Word("env_args.answer_field_name", "answer_field_name"),
    _Word("env_args.max_question_length", "max_question_length"),
    _Word("env_args.max_answer_length", "max_answer_length"),
    _Word("env_args.max_rounds", "max_rounds"),
    _Word("sampling.temperature_min", "temperature_min"),
    _Word("sampling.temperature_max", "temperature_max"),
    _Word("sampling.p_min", "repetition_penalty_min"),
    _Word("sampling.p_max", "repetition_penalty_max"),
    _Word("sampling.top_p_default", "top_p"),
    _Word("reward.initial_weights", "reward_weights"),
    _Word("bne.max_iterations_train", "bne_rounds", "train"),
    _Word("bne.max_iterations_infer", "bne_rounds", "test"),
    _Word("bne.convergence_threshold", "convergence_threshold"),
)


def environment_kwargs(config: Config, phase: Phase, *, bne: bool = True) -> dict[str, Any]:
    """Collect the arguments of the environment's factory.

    They are the arguments in ``env.kwargs``, overridden by ``env.train_kwargs`` or
    ``env.test_kwargs``, together with those set by the specification's words.

    Args:
        config: the configuration.
        phase: ``"train"`` or ``"test"``. In ``"test"``, ``env_args.dataset_split`` is not passed:
            the split is set in ``env.test_kwargs``, or is the environment's own default.
        bne: True to play decisions of several rounds; False to play the one-round baseline.

    Raises:
        ConfigError: a word and an argument contradict each other. Both are named.
    """
    specific = "env.train_kwargs" if phase == "train" else "env.test_kwargs"
    layers = {
        "env.kwargs": config.env.kwargs,
        specific: config.env.train_kwargs if phase == "train" else config.env.test_kwargs,
    }
    kwargs = {name: value for layer in layers.values() for name, value in layer.items()}
    for key, argument, value in _said(config, phase, bne):
        if argument in kwargs and kwargs[argument] != value:
            layer = specific if argument in layers[specific] else "env.kwargs"
            raise ConfigError(
                f"{key} = {value!r} and {layer}.{argument} = {kwargs[argument]!r} are two names "
                "of one setting: give one of them, or the same value to both"
            )
        kwargs[argument] = value
    return kwargs


def keys_of_arguments(config: Config, phase: Phase, message: str) -> list[str]:
    """Return the keys that set the arguments of the environment which a message names."""
    specific = "train_kwargs" if phase == "train" else "test_kwargs"
    keys = {name: f"env.kwargs.{name}" for name in config.env.kwargs}
    keys |= {name: f"env.{specific}.{name}" for name in getattr(config.env, specific)}
    keys |= {argument: key for key, argument, _ in _said(config, phase, bne=True)}
    return [key for name, key in keys.items() if re.search(rf"\b{re.escape(name)}\b", message)]


def with_flags(message: str, arguments: Collection[str]) -> str:
    """Return a message of the environment with the flags for the arguments that it names.

    Args:
        message: the message.
        arguments: names of arguments of the environment's factory. Those of a single word are not
            replaced, since a message may use the word in its usual sense.
    """
    keys = {word.argument: word.key for word in reversed(_WORDS)}
    return _NAME.sub(
        lambda name: (
            f"--{keys.get(name[0], f'env.kwargs.{name[0]}')}" if name[0] in arguments else name[0]
        ),
        message,
    )


def _said(config: Config, phase: Phase, bne: bool) -> Iterator[tuple[str, str, Any]]:
    """Yield the key, the argument and the value of every word that is set."""
    for word in _WORDS:
        refinement = word.key.startswith("bne.")
        if word.phase not in (None, phase) or (refinement and not config.bne.enabled):
            continue
        value = attrgetter(word.key)(config)
        if word.argument == "bne_rounds":
            value = config.bne_rounds(phase) if bne else 1
        elif isinstance(value, InitialWeights):
            value = value.given()
        elif isinstance(value, tuple):
            value = list(value)
        if value is not None:
            yield word.key, word.argument, value
