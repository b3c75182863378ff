"""Check if training and test play the same questions, as far as the configuration tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.schema import Config

_NOT_ABOUT_QUESTIONS = ("bne_rounds", "convergence_threshold")
"""Arguments that may differ between training and test without changing the questions."""
_FILES = ("data_path", "dataset")
"""Arguments that may name a file; a single file has no splits."""

_ECON_ENV, _DEFAULT_SPLIT = "econ_env:", "test"
"""Factories of econ_env, and the split that they play where none is named."""


def shared_questions(config: Config) -> str | None:
    """Warning, in words, if training and test play the same questions; None if they do not.

    They do if the environment gets the same arguments in both phases, or if only ``split`` differs
    and the questions come from a single file, which is one split.
    """
    train, test = (
        {
            name: value
            for name, value in environment_kwargs(config, phase).items()
            if name not in _NOT_ABOUT_QUESTIONS
        }
        for phase in ("train", "test")
    )
    if config.env.factory.startswith(_ECON_ENV):
        for arguments in (train, test):
            arguments.setdefault("split", _DEFAULT_SPLIT)
    file = single_file(test)
    if file is not None:
        train.pop("split", None)
        test.pop("split", None)
    if train != test:
        return None
    source = "" if file is None else f", those of {file}"
    return (
        f"training and test play the same questions{source}: the test says how well the team knows "
        "them, not how it answers new ones. Name other questions for the test in env.test_kwargs"
    )


def single_file(arguments: Mapping[str, object]) -> str | Path | None:
    """Return the file that holds all questions of an environment, which has no splits, if any."""
    for name in _FILES:
        source = arguments.get(name)
        if isinstance(source, str | Path) and Path(source).is_file():
            return source
    return None
