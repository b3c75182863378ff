"""The specification's words become the environment's arguments; unset words are not passed on."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from econ_agents.config.environment_kwargs import environment_kwargs, with_flags
from econ_agents.config.files import preset_names, read_config
from econ_agents.config.schema import Config, ConfigError, Phase
from econ_env import EnvConfig

PHASES: tuple[Phase, ...] = get_args(Phase)
ECON_PRESETS = [name for name in preset_names() if name != "mpe_spread"]
EVERY_WORD = [
    "n_agents=4",
    "executor_model=[a, b, c, d]",
    "coordinator_model=e",
    "group_size=2",
    "env_args.hf_dataset_path=f",
    "env_args.dataset_split=g",
    "env_args.question_field_name=h",
    "env_args.answer_field_name=i",
    "env_args.max_question_length=5",
    "env_args.max_answer_length=6",
    "env_args.max_rounds=7",
    "sampling.temperature_min=0.5",
    "sampling.temperature_max=0.6",
    "sampling.p_min=0.7",
    "sampling.p_max=0.8",
    "sampling.top_p_default=0.95",
    "reward.initial_weights={ts: 0.5, al: 0.3, cc: 0.2}",
    "bne.max_iterations_train=8",
    "bne.max_iterations_infer=9",
    "bne.convergence_threshold=0.25",
]


def test_every_word_becomes_its_argument() -> None:
    kwargs = environment_kwargs(read_config(None, EVERY_WORD), "train")
    assert kwargs == {
        "n_agents": 4,
        "llm": ["a", "b", "c", "d"],
        "coordinator": "e",
        "group_size": 2,
        "dataset": "f",
        "split": "g",
        "question_field_name": "h",
        "answer_field_name": "i",
        "max_question_length": 5,
        "max_answer_length": 6,
        "max_rounds": 7,
        "temperature_min": 0.5,
        "temperature_max": 0.6,
        "repetition_penalty_min": 0.7,
        "repetition_penalty_max": 0.8,
        "top_p": 0.95,
        "reward_weights": {"ts": 0.5, "al": 0.3, "cc": 0.2},
        "bne_rounds": 8,
        "convergence_threshold": 0.25,
    }


def test_a_test_plays_its_own_rounds_on_the_split_of_its_own() -> None:
    train, test = (environment_kwargs(read_config(None, EVERY_WORD), phase) for phase in PHASES)
    split = train.pop("split")
    assert split == "g"
    assert test == {**train, "bne_rounds": 9}


def test_the_baseline_plays_one_round() -> None:
    config = read_config(None, EVERY_WORD)
    assert environment_kwargs(config, "test", bne=False)["bne_rounds"] == 1


def test_rounds_are_capped_for_both_phases() -> None:
    config = read_config(None, [*EVERY_WORD, "bne_max_iterations=2"])
    assert [environment_kwargs(config, phase)["bne_rounds"] for phase in PHASES] == [2, 2]


@pytest.mark.parametrize("phase", PHASES)
def test_without_words_and_without_refinement_nothing_is_passed(phase: Phase) -> None:
    assert environment_kwargs(read_config(None, ["bne.enabled=false"]), phase) == {}


def test_arguments_of_a_phase_replace_those_of_both() -> None:
    config = read_config(
        None,
        [
            "bne.enabled=false",
            "env.kwargs={a: 1, b: 2}",
            "env.train_kwargs={b: 3, c: 4}",
            "env.test_kwargs={b: 5}",
        ],
    )
    assert environment_kwargs(config, "train") == {"a": 1, "b": 3, "c": 4}
    assert environment_kwargs(config, "test") == {"a": 1, "b": 5}


@pytest.mark.parametrize(
    ("assignments", "phase", "message"),
    [
        (["n_agents=3", "env.kwargs.n_agents=4"], "train", "n_agents = 3 and env.kwargs.n_agents"),
        (["executor_model=a", "env.test_kwargs.llm=b"], "test", "env.test_kwargs.llm = 'b'"),
        (
            ["env_args.dataset_split=train", "env.train_kwargs.split=a"],
            "train",
            "env_args.dataset_split = 'train' and env.train_kwargs.split = 'a'",
        ),
        (["env.kwargs.bne_rounds=2"], "test", "bne.max_iterations_infer = 3"),
    ],
)
def test_one_setting_with_two_values_is_refused_by_both_names(
    assignments: list[str], phase: Phase, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        environment_kwargs(read_config(None, assignments), phase)
    assert message in str(caught.value)


def test_one_setting_may_be_given_twice_with_one_value() -> None:
    config = read_config(None, ["n_agents=3", "env.kwargs.n_agents=3"])
    assert environment_kwargs(config, "train")["n_agents"] == 3


def test_what_is_passed_is_the_callers_own() -> None:
    config = read_config("p0")
    environment_kwargs(config, "train")["cache"] = "off"
    assert config == read_config("p0")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ECON_PRESETS)
def test_presets_are_understood_by_the_environment(name: str, phase: Phase) -> None:
    config = read_config(name)
    settings = EnvConfig(**environment_kwargs(config, phase))
    assert settings.bne_rounds == config.bne_rounds(phase)
    assert settings.split == phase


@pytest.mark.parametrize("phase", PHASES)
def test_an_environment_without_words_gets_only_its_own_arguments(phase: Phase) -> None:
    assert environment_kwargs(read_config("mpe_spread"), phase) == {"continuous_actions": True}


def test_the_defaults_are_those_of_the_environment() -> None:
    passed: dict[str, Any] = environment_kwargs(Config(), "train")
    assert EnvConfig(**passed) == EnvConfig()


def test_messages_of_the_environment_get_the_flags_for_its_arguments() -> None:
    message = "max_rounds and max_failures_in_a_row, not 'n_agents', a_b or ./n_agents"
    assert with_flags(message, ["max_rounds", "max_failures_in_a_row", "n_agents"]) == (
        "--env_args.max_rounds and --env.kwargs.max_failures_in_a_row, not 'n_agents', a_b or "
        "./n_agents"
    )
