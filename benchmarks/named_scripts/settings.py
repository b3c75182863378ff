"""Turn the flags of a named script into a checked configuration of econ_agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.named_scripts.flags import AnyFlags, TrainAndTestFlags
from benchmarks.named_scripts.scripts import NamedScript
from econ_agents.config.environment import EnvSettings
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.files import read_config
from econ_agents.config.schema import Config, ConfigError
from econ_env.config import EnvConfig
from econ_env.llm.api import ApiSettings
from econ_env.llm.api.errors import KeyProblem, UnsupportedSetting
from econ_env.llm.api.server_key import check_keys
from econ_env.llm.registry import Family, resolve_models
from econ_env.questions.local import is_file_name
from econ_env.questions.presets import PRESETS

_KNOWN_TO: Mapping[Family | None, str] = {"bundled": "arithmetic", "simulated": "simulated"}
"""The only data set that the models of a family can answer."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Configuration that a script plays."""

    config: Config
    environment: EnvConfig
    """Environment of the test."""
    notes: tuple[str, ...]
    """Notes for the user, one line each."""

    def lines(self) -> list[str]:
        """Return lines for the user: models, questions and notes."""
        team = self.environment.team()
        executors = ", ".join(dict.fromkeys(team.executors))
        return [
            f"Coordinator: {team.coordinator}. {len(team.executors)} executors: {executors}. "
            f"Questions: {self.environment.dataset}.",
            *self.notes,
        ]


def choose(script: NamedScript, flags: AnyFlags, *, trained: Config | None = None) -> Chosen:
    """Return the configuration that the flags of a script ask for.

    The data set is that of ``--dataset`` (or ``--set``), else that of ``--config``, else the only
    one that bundled or simulated models can answer, else the script's own.

    Args:
        script: script whose preset is the default.
        flags: flags as the user gave them.
        trained: configuration of the checkpoint to test, used in place of the preset.

    Raises:
        ConfigError: a setting is wrong, or the key of a model server is missing.
        ModelError: a model is unknown.
    """
    source = flags.config
    if source is None and trained is None:
        source = script.preset
    chosen = [each for group in flags.set for each in group]
    given = _values(script, flags)
    config = read_config(source, chosen, values=given, base=trained)
    if config.env.factory != EnvSettings.factory:
        raise ConfigError(
            f"--config: this script plays questions only, but env.factory is "
            f"{config.env.factory!r}: train with econ-agents instead"
        )
    dataset, notes = _dataset(script, flags, config)
    if dataset != config.env_args.hf_dataset_path:
        given |= _another_dataset(dataset, config, flags.data_path)
        config = read_config(source, chosen, values=given, base=trained)
    if isinstance(flags, TrainAndTestFlags):
        more, note = _learned_on(config)
        notes += note
        config = read_config(source, chosen, values={**given, **more}, base=trained)
    environment = _environment(config)
    _check_keys(environment)
    return Chosen(config=config, environment=environment, notes=tuple(notes))


def _values(script: NamedScript, flags: AnyFlags) -> dict[str, Any]:
    """Return the values of flags, by key of the configuration."""
    values: dict[str, Any] = {"test.episodes": flags.test_eps, "seed": flags.seed}
    if isinstance(flags, TrainAndTestFlags):
        values |= {
            "train.episodes": flags.train_eps,
            "logging.log_dir": str(flags.log_dir),
            "logging.model_dir": str(flags.model_dir),
            "experiment_name": script.name,
        }
    if flags.data_path is not None:
        values["env.kwargs.data_path"] = str(flags.data_path)
    if flags.embedder is not None:
        values["env.kwargs.embedder"] = flags.embedder
    found = {key: value for key, value in values.items() if value is not None}
    if flags.llm:
        found["executor_model"] = flags.llm[0] if len(flags.llm) == 1 else list(flags.llm)
        # Without a model of its own, the coordinator has the first executor's.
        found["coordinator_model"] = None
    return found


def _dataset(script: NamedScript, flags: AnyFlags, config: Config) -> tuple[str, list[str]]:
    """Return the data set to play, and notes about it."""
    if flags.dataset is not None:
        return flags.dataset, []
    if config.env_args.hf_dataset_path is not None and _sets(flags, "env_args.hf_dataset_path"):
        return config.env_args.hf_dataset_path, []
    named = None
    if flags.config is not None:
        named = read_config(flags.config).env_args.hf_dataset_path
    own = read_config(script.preset).env_args.hf_dataset_path
    if own is None:
        raise ConfigError(f"the preset {script.preset} names no data set")
    family = _family(config)
    # A configuration chose its questions for its own models, not for those of --llm.
    if family not in _KNOWN_TO or (named is not None and not flags.llm):
        return named or own, []
    known = _KNOWN_TO[family]
    return known, [
        f"The {family} models know only these {known} problems, which are played instead of "
        f"{named or own}; choose others with --dataset."
    ]


def _sets(flags: AnyFlags, key: str) -> bool:
    """Return True if ``--set`` gives a key."""
    return any(each.partition("=")[0] == key for group in flags.set for each in group)


def _family(config: Config) -> Family | None:
    """Return the family of all models of a configuration; None if they are of several."""
    kwargs = environment_kwargs(config, "test")
    team = resolve_models(
        kwargs.get("llm", EnvConfig.llm),
        kwargs.get("n_agents", EnvConfig.n_agents),
        kwargs.get("coordinator"),
        # The server's abilities are checked later by _environment, with all settings.
        api=ApiSettings(second_action="none"),
    )
    return next(iter(team.families)) if len(team.families) == 1 else None


def _another_dataset(dataset: str, config: Config, data_path: Path | None) -> dict[str, Any]:
    """Return values that choose a data set, and that drop settings for the rows of another."""
    about_rows = ("subset", "revision", "data_path")
    old = [name for name in about_rows if name in config.env.kwargs]
    if data_path is not None and "data_path" in old:
        old.remove("data_path")
    return {
        "env_args.hf_dataset_path": dataset,
        "env_args.question_field_name": None,
        "env_args.answer_field_name": None,
        **{f"env.kwargs.{name}": None for name in old},
    }


def _learned_on(config: Config) -> tuple[dict[str, Any], list[str]]:
    """Return values and a note for a data set without a split for training."""
    dataset, data_path = config.env_args.hf_dataset_path, config.env.kwargs.get("data_path")
    place = str(dataset if data_path is None else data_path)
    preset = PRESETS.get(str(dataset))
    whole = preset is not None and "train" not in preset.splits
    if not whole and not is_file_name(Path(place)):
        return {}, []
    more = {"env_args.dataset_split": "test"} if whole else {}
    return more, [
        f"{place} has one split: the team trains on the questions of its test, so the test does "
        "not show how it does on new ones. For such a test, train on another data set or on a "
        "folder with train.jsonl and test.jsonl."
    ]


def _environment(config: Config) -> EnvConfig:
    """Return the checked environment of the test; nothing is loaded."""
    kwargs = environment_kwargs(config, "test")
    try:
        return EnvConfig(**kwargs)
    except UnsupportedSetting as error:
        raise ConfigError(
            f"{error}. This script takes it as --set env.kwargs.KEY=VALUE, as in "
            "--set env.kwargs.second_action=frequency_penalty"
        ) from error
    except TypeError as error:
        raise ConfigError(f"env.kwargs or env.test_kwargs: {error}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _check_keys(environment: EnvConfig) -> None:
    """Raise ``ConfigError`` if the key of a server is missing, before anything is downloaded."""
    if environment.cache == "replay":
        return  # nothing is asked
    try:
        check_keys(environment.team().names)
    except KeyProblem as error:
        raise ConfigError(
            f"{error}, or choose other models:\n"
            "  --llm bundled  the models of this package: no key, no network\n"
            "  --llm vllm:MODEL@http://localhost:8000/v1  any server with the OpenAI protocol"
        ) from error
