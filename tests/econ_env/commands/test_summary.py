"""Sums over episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from econ_env import batched_parallel_env
from econ_env.commands.summary import summarise


def test_a_summary_counts_what_the_infos_said() -> None:
    env = batched_parallel_env(40, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    infos = env.step({agent: np.zeros((40, 2)) for agent in env.possible_agents})[4]
    own = infos["executor_0"]
    summary = summarise(env.transcripts)
    assert summary.finished == 40
    assert summary.failed == 0
    assert summary.correct == own["correct"].sum()
    assert summary.first_executor_correct == own["ts"].sum()
    assert (summary.unparseable, summary.timeouts) == (0, 0)
    assert summary.commitments_asked == own["commitments_asked"].sum()
    assert summary.commitments_json == own["commitments_json"].sum()
    assert summary.prompt_tokens == own["prompt_tokens"].sum()
    assert 0 < summary.majority_correct < 40
    assert f"({summary.correct}/40)" in str(summary)


def test_failed_episodes_count_as_failed_only() -> None:
    env = batched_parallel_env(2, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    env.step({agent: np.zeros((2, 2)) for agent in env.possible_agents})
    good, other = env.transcripts
    summary = summarise([good, replace(other, failed="no answer")])
    assert (summary.finished, summary.failed) == (1, 1)
    assert summary.prompt_tokens == good.usage.prompt_tokens + other.usage.prompt_tokens


def test_what_could_not_be_graded_is_printed_only_where_it_happened() -> None:
    env = batched_parallel_env(1, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    env.step({agent: np.zeros((1, 2)) for agent in env.possible_agents})
    summary = summarise(env.transcripts)
    assert "timed out" not in str(summary)
    assert "unreadable" not in str(summary)
    printed = str(replace(summary, unparseable=3, timeouts=2))
    assert "unreadable values    3 " in printed
    assert "grading timed out    2 " in printed


def test_strategies_that_contain_the_later_commitment_are_counted() -> None:
    env = batched_parallel_env(4, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    env.step({agent: np.zeros((4, 2)) for agent in env.possible_agents})
    told, *others = env.transcripts
    value = list(told.rounds())[-1].commitments[-1].value
    assert value is not None
    [record] = told.strategies
    foretold = replace(told, strategies=(replace(record, strategy=f"First {value}, then add."),))
    summary = summarise([foretold, *others])
    assert (summary.strategies, summary.foretold) == (4, 1)
    assert "foretold values      25.0%  (1/4 strategies" in str(summary)
    # A number of the question is no answer that was handed over.
    question = replace(foretold.question, text=f"{foretold.question.text} {value}")
    assert summarise([replace(foretold, question=question)]).foretold == 0


def test_nothing_played_is_no_accuracy() -> None:
    assert "accuracy" not in str(summarise([]))
