"""Two real llama.cpp servers as replicas of one model, killed and started again while they answer.

Skipped by name without the wheel ``xllamacpp``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from econ_env import batched_parallel_env
from econ_env.game.transcript import Transcript
from tests.econ_env.llm.api.real_servers import RealServer, find_program, running
from tests.econ_env.llm.api.support import eventually

pytestmark = [pytest.mark.exhaustive, pytest.mark.slow, pytest.mark.timeout(600)]

QUESTIONS = 4
REQUESTS_PER_GAME = 1 + 3 + 1
"""A strategy, three responses and a commitment."""


def test_games_go_on_over_replicas_that_are_killed_and_come_back(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "econ_env.llm.api")
    program, hint = find_program("xllamacpp")
    if program is None:
        pytest.skip(f"xllamacpp server: {hint}")
    checkpoint = repository / "econ_env" / "llm" / "bundled" / "weights" / "0"
    moments, actions = random.Random(15), np.random.default_rng(15)

    with ExitStack() as stack:

        def start(port: int = 0) -> RealServer:
            return stack.enter_context(running("xllamacpp", program, checkpoint, tmp_path, port))

        servers = [start(), start()]
        env = batched_parallel_env(
            QUESTIONS,
            llm=f"{servers[0].name()},{servers[1].url}",
            dataset="arithmetic",
            prompts="compact",
            embedder="hashing",
            max_tokens_execute=24,
            max_tokens_commit=24,
        )
        stack.callback(env.close)
        played: list[Transcript] = []

        def play() -> None:
            env.reset(seed=len(played))
            # Actions of their own, so that no two executors share a request.
            env.step(
                {
                    agent: actions.uniform(-0.9, 0.9, (QUESTIONS, 2)).astype(np.float32)
                    for agent in env.possible_agents
                }
            )
            played.extend(env.transcripts)

        def said(server: RealServer, words: str) -> bool:
            return any(f"{server.url} {words}" in record.message for record in caplog.records)

        def is_back(server: RealServer) -> bool:
            play()
            return said(server, "answers again")

        play()
        begun_s = time.monotonic()
        play()
        game_s = time.monotonic() - begun_s
        for server in servers:
            assert not said(server, "fails")
            killer = threading.Timer(moments.uniform(0, game_s), server.process.kill)
            killer.start()
            play()
            killer.join()
            server.process.wait()
            play()
            assert said(server, "fails and is left out")
            again = start(int(server.url.rpartition(":")[2].partition("/")[0]))
            assert again.url == server.url
            assert eventually(partial(is_back, again))
    assert [game.failed for game in played] == [None] * len(played)
    assert sum(game.usage.requests for game in played) == REQUESTS_PER_GAME * len(played)
