"""Presets, files and assignments: what they mean, and what is said of a mistake."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from econ_agents.config.files import (
    PRESETS,
    config_keys,
    config_mapping,
    config_values,
    find_config,
    make_config,
    nearest_keys,
    preset_names,
    read_config,
    write_config,
)
from econ_agents.config.schema import Config, ConfigError
from econ_agents.config.yaml12 import NotationError, read_yaml, write_yaml

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ODD_TEXTS = ["1e-3", "no", "null", "~", "", "010", "1:30", "2026-01-01", "true", " a", "#", "a: b"]


def written(path: Path, text: str) -> Path:
    file = path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(source: Path | str | None, *assignments: str, **named: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(source, assignments, **named)
    return str(caught.value)


# Presets


def test_the_presets_of_the_specification_exist() -> None:
    assert {"quickstart", "p0", "math", "svamp", "simulated", "large"} <= set(preset_names())
    assert "mpe_spread" in preset_names()


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_valid_named_after_itself_and_explains_every_value(name: str) -> None:
    assert read_config(name).experiment_name == name
    assert read_config(f"{name}.yaml") == read_config(name)
    for line in (PRESETS / f"{name}.yaml").read_text().splitlines():
        holds_a_value = re.match(r"\s*\w+: +[^#\s]", line)
        assert not holds_a_value or "  # " in line or " # " in line, line


def test_large_plays_nine_executors_in_groups_of_three() -> None:
    config = read_config("large")
    assert (config.n_agents, config.group_size) == (9, 3)


def test_a_file_goes_before_a_preset_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("p0.yaml") == PRESETS / "p0.yaml"
    Path("p0.yaml").write_text("seed: 7", encoding="utf-8")
    assert read_config("p0.yaml").seed == 7
    Path("p0").write_text("seed: 8", encoding="utf-8")
    assert find_config("p0") == PRESETS / "p0.yaml"


@pytest.mark.parametrize("name", ["nope", "nope.yaml", "./p0", "p0.yml", "../configs/p0.yaml"])
def test_what_is_no_config_is_refused_with_the_names_of_the_presets(name: str) -> None:
    assert "presets are large, math, mpe_spread, p0" in refusal(name)


# Files


def test_what_a_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    text = "seed: 3\ntrain:\n  episodes: 7\nbne:\nexecutor_model: [a, b]\n"
    config = read_config(written(tmp_path, text))
    assert (config.seed, config.train.episodes) == (3, 7)
    assert config.executor_model == ("a", "b")
    assert replace(config, seed=0, train=Config().train, executor_model=None) == Config()
    assert read_config(written(tmp_path, "# nothing")) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train:\n  episods: 3", "unknown key 'train.episods'; did you mean 'train.episodes'?"),
        ("episodes: 3", "did you mean 'train.episodes' or 'test.episodes'?"),
        ("trian: {}", "unknown key 'trian'; did you mean 'train'?"),
        ("target_tau: 0.1", "unknown key 'target_tau'; did you mean 'target_update_tau'?"),
        ("1: 2", "unknown key '1'; did you mean"),
        ("train: 3", "train must be a section of keys, got 3"),
        ("train: [episodes]", "train must be a section of keys, got ['episodes']"),
        ("seed: a", "seed must be a whole number >= 0, got 'a'"),
        ("seed: 1.0", "seed must be a whole number >= 0, got 1.0"),
        ("seed: true", "seed must be a whole number >= 0, got true"),
        ("seed:", "seed must be a whole number >= 0, got null"),
        ("n_agents: 0", "n_agents must be a whole number >= 1 or null, got 0"),
        ("bne: {enabled: no}", "bne.enabled must be true or false, got 'no'"),
        ("train: {gamma: 1.5}", "train.gamma must be a number in [0, 1], got 1.5"),
        ("early_stopping: {reward_threshold: .nan}", "must be a number or null, got nan"),
        ("memory: {scope: all}", "memory.scope must be 'episode' or 'stream', got 'all'"),
        ("experiment_name: 3", "experiment_name must be text, got 3"),
        ("executor_model: [a, 3]", "must be text or a list of text or null, got ['a', 3]"),
        ("env: {kwargs: [a]}", "env.kwargs must be a mapping of names to values, got ['a']"),
        ("env: {kwargs: {1: a}}", "env.kwargs must be a mapping of names to values"),
        ("seed: 1\nseed: 2", "line 2, column 1: the key 'seed' is given twice"),
        ("env: {kwargs: {a: 1, a: 1}}", "the key 'a' is given twice"),
        ("seed: {", "line 1, column 8"),
        ("- seed", "must hold keys and values"),
        ("seed: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: 1\n---\nb: 1", "expected a single document"),
        ("seed: \x01", "characters that YAML does not allow"),
        ("train: {batch_size: 64}", "train.on_policy_size must be at least train.batch_size = 64"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    said = refusal(file)
    assert said.startswith(f"{file}: ")
    assert message in said


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("experiment_name: é".encode("latin-1"))
    assert refusal(file) == f"{file} is not a text file in UTF-8"


def test_a_long_value_is_cut_short(tmp_path: Path) -> None:
    assert len(refusal(written(tmp_path, f"seed: {'x' * 500}"))) < 200 + len(str(tmp_path))


# Assignments


def test_assignments_go_over_the_file_and_later_ones_over_earlier() -> None:
    config = read_config("quickstart", ["train.episodes=5", "seed=1", "seed=2"])
    assert (config.train.episodes, config.seed) == (5, 2)
    assert config.train.use_replay == read_config("quickstart").train.use_replay


def test_an_assignment_adds_one_argument_of_the_environment() -> None:
    config = read_config("p0", ["env.kwargs.data_path=a=b.jsonl", "env.kwargs.cache=off"])
    expected = {**read_config("p0").env.kwargs, "data_path": "a=b.jsonl", "cache": "off"}
    assert config.env.kwargs == expected


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("=1e-4", 1e-4), ("=.5", 0.5), ("=2", 2.0), ("=1e0", 1.0), ("=+1.5E-2", 0.015)],
)
def test_a_number_is_read_as_a_person_would(assignment: str, value: float) -> None:
    rate = read_config(None, [f"train.learning_rate{assignment}"]).train.learning_rate
    assert rate == value
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.episods=3", "--set: unknown key 'train.episods'; did you mean 'train.episodes'?"),
        ("train.episodes=x", "--set: train.episodes must be a whole number >= 1, got 'x'"),
        ("train.episodes.x=3", "--set: train.episodes must be a whole number >= 1, got {'x': 3}"),
        ("seed={", "--set seed: line 1"),
        ("train.replay_size=5", "--set train.replay_size: train.replay_size must be at least"),
        ("=3", "--set needs KEY=VALUE"),
    ],
)
def test_a_wrong_assignment_is_named(assignment: str, message: str) -> None:
    assert message in refusal("p0", assignment)


def test_values_are_taken_as_they_are_between_the_file_and_assignments() -> None:
    values = {
        "executor_model": ["1e3", "b: c"],
        "env.kwargs.data_path": "no",
        "coordinator_model": None,
        "seed": 1,
    }
    config = read_config("p0", ["seed=2"], values=values)
    assert config.executor_model == ("1e3", "b: c")
    assert config.env.kwargs == {**read_config("p0").env.kwargs, "data_path": "no"}
    assert (config.coordinator_model, config.seed) == (None, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train.episods": 3}, "unknown key 'train.episods'; did you mean 'train.episodes'?"),
        ({"train.episodes": "3"}, "train.episodes must be a whole number >= 1, got '3'"),
        ({"train": 3}, "train must be a section of keys, got 3"),
        ({"train.replay_size": 5, "train.use_replay": True}, "train.replay_size must be at least"),
    ],
)
def test_a_wrong_value_is_named_by_its_key_alone(values: dict[str, Any], message: str) -> None:
    assert refusal(None, values=values).startswith(message)


def test_a_pasted_key_is_not_repeated() -> None:
    assert "sk-1" not in refusal(None, "sk-1")
    said = refusal(None, "together_api_key=sk-1")
    assert "sk-1" not in said
    assert "TOGETHER_API_KEY" in said


def test_a_base_holds_for_what_is_not_named(tmp_path: Path) -> None:
    base = read_config("large", ["seed=9"])
    file = written(tmp_path, "train: {episodes: 3}")
    config = read_config(file, ["test.episodes=4"], base=base)
    episodes = (config.train.episodes, config.test.episodes)
    assert (*episodes, config.seed, config.n_agents) == (3, 4, 9, 9)
    assert read_config(None, base=base) == base


# The nearest key


@settings(max_examples=20)
@given(st.sampled_from(config_keys()), st.data())
def test_a_slip_of_the_pen_is_understood(key: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(key) - 1))
    assume(key[place] != ".")
    assert key in nearest_keys(f"{key[:place]}~{key[place + 1 :]}", config_keys())


# Writing


@pytest.mark.parametrize("name", preset_names())
def test_what_is_written_is_read_as_the_same(tmp_path: Path, name: str) -> None:
    config = read_config(name, ["executor_model=[a, b]"])
    write_config(config, tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") == config


def test_a_written_configuration_holds_every_key(tmp_path: Path) -> None:
    write_config(Config(), tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert all(f"{key.rpartition('.')[2]}:" in text for key in config_keys())


def test_the_plain_form_is_one_that_can_be_checked() -> None:
    config = read_config("p0", ["executor_model=[a, b]"])
    assert make_config(config_values(config_mapping(config), origin="test")) == config


def test_an_argument_that_is_no_plain_data_is_refused(tmp_path: Path) -> None:
    config = Config()
    config = replace(config, env=replace(config.env, kwargs={"llm": object()}))
    with pytest.raises(ConfigError, match="only text, numbers, lists and mappings"):
        write_config(config, tmp_path / "config.yaml")
    assert not (tmp_path / "config.yaml").exists()


@given(PLAIN | st.sampled_from(ODD_TEXTS))
def test_yaml_keeps_values_and_their_types(value: Any) -> None:
    assert repr(read_yaml(write_yaml({"a": value}))) == repr({"a": value})


@pytest.mark.parametrize("text", ["[1, {a: 1, a: 2}]", "x: *nowhere", "? [1]\n: 2", "a: 'b"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match=r"line \d+, column \d+: "):
        read_yaml(text)
