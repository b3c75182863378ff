"""Questions of one's own: played like any other, without a verdict and without a reward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from econ_env import BatchedEconEnv, batched_parallel_env, parallel_env
from econ_env.questions import load_questions
from econ_env.questions.base import QuestionError

OWN = load_questions("simulated")[3].text


def play(env: BatchedEconEnv, *questions: Any) -> dict[str, Any]:
    """Play these questions to the end; the last infos of executor 0."""
    env.reset(options={"question": list(questions)})
    middle = np.zeros((len(questions), 2), np.float32)
    while env.active.any():
        *_, infos = env.step(dict.fromkeys(env.possible_agents, middle))
    return infos["executor_0"]


def test_a_text_is_a_question_without_gold_verdict_and_reward() -> None:
    env = parallel_env(dataset="simulated", llm="simulated")
    env.reset(options={"question": OWN})
    _, rewards, terminations, _, infos = env.step(
        {agent: np.zeros(2, np.float32) for agent in env.agents}
    )
    assert set(rewards.values()) == {0.0}
    assert all(terminations.values())
    assert infos["executor_0"]["decision_closed"] == 1
    transcript = env.transcript
    assert (transcript.question.text, transcript.question.gold) == (OWN, "")
    assert transcript.decisions[-1].rewards is None
    assert transcript.decisions[-1].rounds[-1].commitments[-1].value is not None
    text = env.episode_text()
    assert "decision 1 closed" in text
    for judging in ("gold answer", "correct", "wrong", "team reward"):
        assert judging not in text


def test_own_questions_and_others_are_played_side_by_side() -> None:
    env = batched_parallel_env(2, dataset="simulated", llm="simulated", max_rounds=2)
    infos = play(env, OWN, 3)
    own, known = env.transcripts
    assert [decision.rewards for decision in own.decisions] == [None, None]
    assert all(decision.rewards is not None for decision in known.decisions)
    assert infos["team_reward"][0] == 0 < infos["team_reward"][1]


def test_an_empty_question_is_refused() -> None:
    env = parallel_env(dataset="simulated", llm="simulated")
    with pytest.raises(QuestionError, match="empty"):
        env.reset(options={"question": "  "})


def test_a_decision_says_how_every_answer_was_judged() -> None:
    env = batched_parallel_env(1, dataset="simulated", llm="simulated")
    play(env, 3)
    (decision,) = env.transcripts[0].decisions
    assert decision.rewards is not None
    *executors, commitment = decision.rewards.judged
    played = decision.rounds[-1]
    assert [(one.agent, one.answer) for one in executors] == [
        (record.agent, record.answer) for record in played.executors
    ]
    assert (commitment.agent, commitment.answer) == ("coordinator", played.commitments[-1].value)
    right = tuple(float(one.verdict == "correct") for one in executors)
    assert right == decision.rewards.components["TS"]
    assert {one.gold for one in decision.rewards.judged} == {env.transcripts[0].question.gold}
