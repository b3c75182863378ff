"""Settings that follow from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from econ_env import EnvConfig, ModelError
from econ_env.embeddings import DEFAULT_MODEL
from econ_env.game.prompts import COMPACT, DEFAULT, PLAIN
from econ_env.rewards import RewardWeights
from tests.support import RecordingModel

LOCAL = "local:qwen2.5-coder-0.5b"


@pytest.mark.parametrize(
    ("settings", "prompts", "strategy", "rule", "embedder"),
    [
        ({}, COMPACT, True, "guarded", "hashing"),
        ({"llm": "bundled:2"}, COMPACT, True, "guarded", "hashing"),
        ({"llm": "simulated", "dataset": "simulated"}, COMPACT, True, "coordinator", "hashing"),
        ({"llm": LOCAL}, PLAIN, False, "casting_vote", "hashing"),
        ({"llm": LOCAL, "n_agents": 4, "group_size": 2}, PLAIN, False, "majority", "hashing"),
        ({"llm": "hf:some/model"}, DEFAULT, True, "coordinator", DEFAULT_MODEL),
        ({"llm": RecordingModel("mine")}, DEFAULT, True, "coordinator", DEFAULT_MODEL),
        ({"llm": [LOCAL, "hf:x"], "n_agents": 2}, DEFAULT, False, "casting_vote", DEFAULT_MODEL),
    ],
)
def test_defaults_suit_the_models(
    settings: dict[str, Any], prompts: Any, strategy: bool, rule: str, embedder: str
) -> None:
    config = EnvConfig(**settings)
    assert config.prompt_set() is prompts
    assert config.resolved_strategy() is strategy
    assert config.resolved_commitment_rule() == rule
    assert config.resolved_embedder() == embedder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"llm": "bundled"}, "'bundled:coordinator' cannot: name another coordinator"),
        ({"llm": "simulated", "dataset": "simulated"}, "'simulated:coordinator' cannot"),
        ({"llm": LOCAL, "n_agents": 4, "group_size": 2}, "for a team without groups"),
    ],
)
def test_a_casting_vote_needs_a_coordinator_that_answers_and_no_groups(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        EnvConfig(commitment_rule="casting_vote", **settings)
    config = EnvConfig(llm="bundled", coordinator="bundled:0", commitment_rule="casting_vote")
    assert config.resolved_commitment_rule() == "casting_vote"


def test_what_is_set_is_used() -> None:
    config = EnvConfig(
        llm="hf:some/model",
        prompts="compact",
        strategy=False,
        commitment_rule="guarded",
        embedder="hashing",
    )
    assert config.resolved_strategy() is False
    assert config.prompt_set() is COMPACT
    assert config.resolved_commitment_rule() == "guarded"
    assert config.resolved_embedder() == "hashing"
    assert EnvConfig(prompts=DEFAULT).prompt_set() is DEFAULT


def test_token_limits_replace_those_of_the_prompts() -> None:
    config = EnvConfig(prompts="default", max_tokens_strategy=2048, max_tokens_commit=4096)
    limits = config.prompt_set().max_tokens
    assert (limits.strategy, limits.execute, limits.commit) == (2048, 1024, 4096)
    assert config.prompt_set().name == "default"
    assert DEFAULT.max_tokens.strategy == 50
    with pytest.raises(ValueError, match="max_tokens_execute must be a whole number >= 1"):
        EnvConfig(max_tokens_execute=0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"omit_fields": "seed"}, "omit_fields must be a list"),
        ({"extra_body": {"messages": []}}, "extra_body cannot set messages"),
        ({"extra_headers": {"Authorization": "x"}}, "extra_headers cannot set Authorization"),
        ({"min_temperature": -1.0}, "min_temperature must be"),
        ({"replica_routing": "random"}, "replica_routing must be one of 'least_busy', 'prefix'"),
    ],
)
def test_settings_of_requests_are_checked_with_the_others(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        EnvConfig(**settings)


def test_a_team_that_speaks_two_languages_must_be_told_which_to_use() -> None:
    mixed: dict[str, Any] = {"llm": ["bundled:0", "hf:some/model"], "n_agents": 2}
    with pytest.raises(ModelError, match="choose with prompts"):
        EnvConfig(**mixed)
    assert EnvConfig(**mixed, prompts="default").prompt_set() is DEFAULT


def test_reward_weights_come_as_object_mapping_or_default() -> None:
    weights = RewardWeights(al=0.1, ts=0.9, cc=0.0)
    assert EnvConfig().weights() == RewardWeights()
    assert EnvConfig(reward_weights=weights).weights() == weights
    mapping = {"al": 0.1, "ts": 0.9, "cc": 0.0}
    assert EnvConfig(reward_weights=mapping).weights() == weights


@pytest.mark.parametrize("settings", [{"max_rounds": 1}, {"max_rounds": 3}, {}])
def test_max_cycles_sets_max_rounds(settings: dict[str, Any]) -> None:
    assert EnvConfig(max_cycles=3, **settings).max_rounds == 3


def test_max_cycles_and_another_max_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="two names of one setting"):
        EnvConfig(max_cycles=3, max_rounds=2)


def test_groups_of_one_are_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ValueError, match="groups of one would never become fewer"):
        EnvConfig(group_size=1)


@pytest.mark.parametrize("name", ["max_question_length", "max_answer_length"])
def test_a_limit_that_no_row_meets_is_refused_before_anything_is_loaded(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1 or None, not 0"):
        EnvConfig(**{name: 0})  # type: ignore[arg-type]


def test_the_settings_of_a_data_set_are_plain_data() -> None:
    config = EnvConfig(dataset="gsm8k", data_path=Path("rows"), revision="v1", streaming=True)
    stored = json.loads(json.dumps(config.to_json()))
    assert {"data_path": "rows", "revision": "v1", "streaming": True}.items() <= stored.items()


def test_one_attempt_at_a_server_may_take_half_of_the_time_of_a_request() -> None:
    settings = EnvConfig(request_timeout_s=3000.0).api_settings()
    assert (settings.request_budget_s, settings.read_timeout_s) == (3000.0, 1500.0)
    assert EnvConfig().api_settings().read_timeout_s == 300.0
