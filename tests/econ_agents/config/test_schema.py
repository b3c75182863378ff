"""The tree of settings: every key under its name, with the paper's default, within its range."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from econ_agents.config.base import Bounds, Settings, bounds_of
from econ_agents.config.files import config_keys
from econ_agents.config.schema import (
    BneSettings,
    Config,
    ConfigError,
    EarlyStoppingSettings,
    EnvSettings,
    InitialWeights,
    RewardSettings,
    SamplingSettings,
    TrainSettings,
)

SPECIFICATION = """
n_agents coordinator_model executor_model group_size update_interval bne_max_iterations belief_dim
target_update_tau target_update_interval
bne.enabled bne.train_refine bne.refine_at_infer bne.max_iterations_train bne.max_iterations_infer
bne.convergence_threshold bne.update_rate bne.max_delta bne.commitment_match_threshold
bne.detect_oscillation
sampling.temperature_min sampling.temperature_max sampling.p_min sampling.p_max
sampling.top_p_default
env_args.hf_dataset_path env_args.dataset_split env_args.question_field_name
env_args.answer_field_name env_args.max_question_length env_args.max_answer_length
env_args.max_rounds
reward.initial_weights.ts reward.initial_weights.al reward.initial_weights.cc reward.dynamic
reward.eta_alpha reward.ts_floor
early_stopping.enabled early_stopping.commitment_threshold early_stopping.loss_threshold
early_stopping.reward_threshold early_stopping.patience early_stopping.warmup
early_stopping.min_delta early_stopping.metric
train.batch_size train.use_replay train.gamma logging.log_dir logging.wandb env.factory
""".split()


def sections(cls: type[Settings], place: str = "") -> Iterator[tuple[str, type[Settings]]]:
    yield place, cls
    for name, hint in get_type_hints(cls).items():
        if isinstance(hint, type) and issubclass(hint, Settings):
            yield from sections(hint, f"{place}.{name}".removeprefix("."))


def ranged() -> Iterator[Any]:
    """Every key with a range: its section, its name and the range."""
    for place, cls in sections(Config):
        hints = get_type_hints(cls, include_extras=True)
        for name in (field.name for field in fields(cls)):
            bounds = bounds_of(hints[name])
            if bounds is not None:
                yield pytest.param(cls, name, bounds, id=f"{place}.{name}".removeprefix("."))


@pytest.mark.parametrize("key", SPECIFICATION)
def test_every_key_of_the_specification_exists_under_its_name(key: str) -> None:
    assert key in config_keys()


def test_defaults_are_those_of_the_paper_for_a_small_model_on_gsm8k() -> None:
    config = Config()
    assert (config.belief_dim, config.network.entity_dim, config.network.ffn) == (128, 256, 1024)
    assert (config.network.heads, config.network.key_dim, config.network.blocks) == (4, 64, 2)
    assert (config.train.episodes, config.train.batch_size, config.train.gamma) == (100, 16, 0.99)
    assert (config.train.learning_rate, config.train.mixer_learning_rate) == (1e-3, 5e-4)
    assert (config.train.on_policy_size, config.train.replay_size) == (32, 2000)
    assert (config.losses.consistency, config.losses.commitment_similarity) == (0.1, 0.1)
    early = config.early_stopping
    # Five updates, one every ten episodes.
    assert (early.patience, early.warmup, config.update_interval) == (50, 20, 10)
    assert early.commitment_threshold is early.loss_threshold is early.reward_threshold is None
    assert (config.target_update_tau, config.target_update_interval) == (0.01, 8)
    assert config.reward.initial_weights.start() == {"ts": 0.4, "al": 0.4, "cc": 0.2}


@pytest.mark.parametrize("cls", [pytest.param(cls, id=cls.__name__) for _, cls in sections(Config)])
def test_every_key_says_what_it_means(cls: type[Settings]) -> None:
    [definition] = ast.parse(inspect.getsource(cls)).body
    assert isinstance(definition, ast.ClassDef)
    explained = {
        ast.unparse(statement.target)
        for statement, after in pairwise(definition.body)
        if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr)
    }
    sections_within = {part.SECTION.rpartition(".")[2] for _, part in sections(cls)}
    keys = {field.name for field in fields(cls)} - sections_within
    assert keys <= explained


def test_a_section_knows_where_it_stands() -> None:
    for place, cls in sections(Config):
        assert place == cls.SECTION


@pytest.mark.parametrize(("cls", "name", "bounds"), list(ranged()))
def test_a_number_out_of_range_is_refused_by_its_key(
    cls: type[Settings], name: str, bounds: Bounds
) -> None:
    outside = [bounds.low if bounds.above else bounds.low - 1, float("nan"), float("inf")]
    for value in [*outside, bounds.high + 1]:
        with pytest.raises(ConfigError) as caught:
            cls(**{name: value})
        assert str(caught.value) == f"{cls.key(name)} must be {bounds}, got {value!r}"


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(low=1), ">= 1"),
        (Bounds(low=0, above=True), "> 0"),
        (Bounds(low=0, high=1), "in [0, 1]"),
        (Bounds(low=0, high=1, above=True), "in (0, 1]"),
        (Bounds(high=3), "<= 3"),
        (Bounds(), "finite"),
    ],
)
def test_bounds_say_what_they_hold(bounds: Bounds, words: str) -> None:
    assert str(bounds) == words
    assert (bounds.low in bounds) == (bounds.low > float("-inf") and not bounds.above)
    assert (bounds.high in bounds) == (bounds.high < float("inf"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplingSettings(p_min=2.0, p_max=1.0), "sampling.p_min must be at most"),
        (lambda: InitialWeights(ts=0.5), "reward.initial_weights needs ts, al and cc"),
        (lambda: InitialWeights(ts=0.5, al=0.5, cc=0.5), "with the sum 1"),
        (lambda: RewardSettings(dynamic=True, ts_floor=0.5), "reward.ts_floor must be at most"),
        (lambda: EarlyStoppingSettings(loss_threshold=0.1), "or none of them"),
        (lambda: TrainSettings(batch_size=33), "train.on_policy_size must be at least"),
        (
            lambda: TrainSettings(batch_size=33, use_replay=True, replay_size=32),
            "train.replay_size must be at least",
        ),
        (lambda: TrainSettings(exploration_std_end=0.9), "exploration_std_end must be at most"),
        (lambda: EnvSettings(factory="mpe2"), "env.factory must have the form"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_only_the_buffer_in_use_must_hold_a_batch() -> None:
    assert TrainSettings(batch_size=100, use_replay=True).batch_size == 100


def test_rounds_of_a_decision_follow_the_phase_and_the_switches() -> None:
    config = Config(bne=BneSettings(max_iterations_train=2, max_iterations_infer=4))
    assert (config.bne_rounds("train"), config.bne_rounds("test")) == (2, 4)
    off = replace(config, bne=replace(config.bne, enabled=False))
    assert (off.bne_rounds("train"), off.bne_rounds("test")) == (1, 1)
    one = replace(config, bne=replace(config.bne, train_refine=False))
    assert (one.bne_rounds("train"), one.bne_rounds("test")) == (1, 4)
    one = replace(config, bne=replace(config.bne, refine_at_infer=False))
    assert (one.bne_rounds("train"), one.bne_rounds("test")) == (2, 1)


def test_bne_max_iterations_caps_both_phases_and_raises_none() -> None:
    config = Config(bne=BneSettings(max_iterations_train=1, max_iterations_infer=4))
    capped = replace(config, bne_max_iterations=3)
    assert (capped.bne_rounds("train"), capped.bne_rounds("test")) == (1, 3)


def test_thresholds_are_all_there_or_all_left_out() -> None:
    none: dict[str, Any] = dict.fromkeys(
        ("commitment_threshold", "loss_threshold", "reward_threshold")
    )
    assert EarlyStoppingSettings(**none).enabled
    for name in none:
        with pytest.raises(ConfigError, match="or none of them"):
            EarlyStoppingSettings(**{**none, name: 0.5})


def test_folders_follow_the_name_of_the_run_unless_they_are_given() -> None:
    config = Config(experiment_name="mine")
    assert config.log_dir == Path("runs/mine")
    assert config.model_dir == Path("runs/mine/checkpoints")
    elsewhere = replace(config, logging=replace(config.logging, log_dir="a"))
    assert (elsewhere.log_dir, elsewhere.model_dir) == (Path("a"), Path("a/checkpoints"))
    apart = replace(elsewhere, logging=replace(elsewhere.logging, model_dir="b"))
    assert apart.model_dir == Path("b")


def test_weights_that_are_left_out_are_left_to_the_environment() -> None:
    assert InitialWeights().given() is None
    weights = InitialWeights(ts=0.5, al=0.3, cc=0.2)
    assert weights.given() == weights.start() == {"ts": 0.5, "al": 0.3, "cc": 0.2}
