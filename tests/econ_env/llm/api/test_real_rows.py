"""Rows of public data sets, played over HTTP at a server that misbehaves in every way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.grading.answers import gold_answer
from econ_env.llm.api import ApiModel
from econ_env.questions import load_questions
from tests.econ_env.llm.api.soak import MIX
from tests.econ_env.llm.api.support import KEY, client_threads, settings
from tests.misbehaving_server import Ask, MisbehavingServer

QUESTIONS = 16
EPISODES = 2
WRONG = "-987654321"


def knows(text: str) -> bool:
    """True if the server's model can answer a question: about every second one."""
    return hashlib.blake2b(text.encode()).digest()[0] % 2 == 0


class Pupil:
    """Answers questions of a data set, rightly where it knows them."""

    def __init__(self, golds: dict[str, str]) -> None:
        self._golds = golds

    def __call__(self, ask: Ask) -> str:
        *task, user = (message["content"] for message in ask.messages)
        # Of questions that contain each other the longest is the one that is asked.
        text = max((text for text in self._golds if text in user), key=len)
        value = self._golds[text] if knows(text) else WRONG
        if task:
            return json.dumps({"reason": "they agree", "value": value, "confidence": 0.9})
        if "boxed" not in user:
            return "Name the quantities and go step by step."
        return rf"Step by step, this gives \boxed{{{value}}}."


@pytest.mark.parametrize("name", ["gsm8k", "svamp", "math500"])
def test_real_rows_survive_a_misbehaving_server_and_no_failure_is_scored(
    name: str, data_dir: Path
) -> None:
    rows = load_questions(name, data_path=data_dir / name)
    golds = {rows[i].text.strip(): gold_answer(rows[i].gold) for i in range(len(rows))}
    finished = failed = 0
    with MisbehavingServer("vllm", answer=Pupil(golds), remembers=False) as server:
        quick = settings(second_action="repetition_penalty", read_timeout_s=1.0)
        model = ApiModel(f"vllm:m@{server.url}", quick, api_key=KEY)
        server.mix(MIX, seed=1)
        config = EnvConfig(
            dataset=name, data_path=data_dir / name, llm=model, embedder="hashing", seed=3
        )
        env = BatchedEconEnv(config, num_questions=QUESTIONS)
        rng = np.random.default_rng(0)
        for _ in range(EPISODES):
            env.reset()
            # The same action for all, so that the requests of a team travel as one.
            points = rng.uniform(-1, 1, (QUESTIONS, 2))
            _, rewards, ends, cuts, infos = env.step(dict.fromkeys(env.agents, points))
            for row, transcript in enumerate(env.transcripts):
                agents = env.possible_agents
                known = knows(transcript.question.text.strip())
                if cuts["executor_0"][row]:
                    failed += 1
                    assert transcript.failed is not None
                    assert {rewards[agent][row] for agent in agents} == {0.0}
                    assert {infos[agent]["failed"][row] for agent in agents} == {1.0}
                else:
                    finished += 1
                    assert ends["executor_0"][row]
                    assert {infos[agent]["ts"][row] for agent in agents} == {float(known)}
                    assert infos["executor_0"]["correct"][row] == known
        model.close()
        assert len(server.faults) > 15
    assert finished + failed == EPISODES * QUESTIONS
    assert finished > 0.8 * EPISODES * QUESTIONS
    assert not client_threads()
