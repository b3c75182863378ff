"""A team on several servers: one phase for all of them, and one end."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest

from econ_env import BatchedEconEnv, batched_parallel_env
from econ_env.llm import close_shared_models
from econ_env.llm.api import KeyProblem
from tests.econ_env.llm.api.support import client_threads, eventually
from tests.misbehaving_server import Ask, MisbehavingServer, echo


def team_on(*urls: str, **settings: Any) -> BatchedEconEnv:
    base: dict[str, Any] = {
        "dataset": "simulated",
        "embedder": "hashing",
        "strategy": False,
        "n_agents": len(urls),
    }
    llm = [f"vllm:m@{url}" for url in urls]
    return batched_parallel_env(2, llm=llm, **{**base, **settings})


def step(env: BatchedEconEnv) -> Any:
    rng = np.random.default_rng(0)
    return env.step({agent: rng.uniform(-1, 1, (2, 2)) for agent in env.possible_agents})


@contextmanager
def servers(count: int, **settings: Any) -> Iterator[list[MisbehavingServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(MisbehavingServer("vllm", **settings)) for _ in range(count)]
    close_shared_models()


def test_executors_on_three_servers_are_in_flight_at_the_same_time() -> None:
    everybody, met = threading.Barrier(6), threading.Event()

    def answer(ask: Ask) -> str:
        if not met.is_set():
            # Two questions for each of three executors; one after the other, nobody would come.
            everybody.wait(60)
            met.set()
        return echo(ask)

    with servers(3, answer=answer) as three:
        env = team_on(*(server.url for server in three))
        env.reset(seed=0)
        infos = step(env)[4]
        env.close()
    assert infos["executor_0"]["failed"].tolist() == [0, 0]
    assert [len(server.chats) for server in three] == [2 + 2, 2, 2]


def test_the_records_are_those_of_one_server() -> None:
    def transcripts(*urls: str) -> list[Any]:
        env = team_on(*urls, n_agents=3)
        env.reset(seed=0)
        step(env)
        env.close()
        plain = [json.dumps(transcript.to_json()) for transcript in env.transcripts]
        return [json.loads(re.sub(r"http://[^/]*", "http://server", one)) for one in plain]

    with servers(3) as three:
        spread_out = transcripts(*(server.url for server in three))
        together = transcripts(*[three[0].url] * 3)
    assert spread_out == together
    texts = {
        response["text"]
        for transcript in together
        for response in transcript["decisions"][0]["rounds"][0]["executors"]
    }
    assert len(texts) == 6


def test_an_error_of_one_server_ends_the_requests_to_the_others() -> None:
    with servers(3) as three:
        three[0].schedule("stall", "stall")
        three[1].key = "another key"
        three[2].schedule("stall", "stall")
        env = team_on(*(server.url for server in three))
        env.reset(seed=0)
        start_s = time.monotonic()
        with pytest.raises(KeyProblem, match=three[1].url):
            step(env)
        assert time.monotonic() - start_s < 20
        assert not client_threads()
        assert not [one for one in threading.enumerate() if one.name.startswith("econ-models")]
        env.close()


def test_ctrl_c_ends_the_requests_to_all_servers() -> None:
    with servers(2) as two:
        for server in two:
            server.schedule(*["stall"] * 4)
        env = team_on(*(server.url for server in two))
        env.reset(seed=0)

        def interrupt() -> None:
            eventually(lambda: all(len(server.chats) == 2 for server in two))
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            step(env)
        thread.join()
        assert not client_threads()
        assert not [one for one in threading.enumerate() if one.name.startswith("econ-models")]
        assert eventually(lambda: all(server.open_connections == 0 for server in two))
        env.close()


def test_a_team_on_replicas_plays_on_while_one_of_them_dies() -> None:
    with servers(1) as (live,):
        with MisbehavingServer("vllm") as dying:
            name = f"{dying.url},{live.url}"
            env = team_on(name, n_agents=1)
            env.reset(seed=0)
            step(env)
            assert dying.chats
        env.reset()
        infos = step(env)[4]
        assert infos["executor_0"]["failed"].tolist() == [0, 0]
        assert env.usage.requests == 8
        env.close()
