"""Measure a round of a team on several servers, against the same round on one server.

A round is two phases: all executors respond, then the coordinator commits. Models on different
servers answer side by side, so a round takes two latencies, however many servers there are.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np

from benchmarks.throughput.mock_server import mock_server
from benchmarks.throughput.settings import Result, Settings
from benchmarks.throughput.timing import in_turn, spreads
from econ_env.envs.batched import BatchedEconEnv, batched_parallel_env

PROMISED = 1.15
"""Largest ratio of the time on several servers to the time on one."""


def measure_api_servers(settings: Settings) -> Result:
    """Measure rounds of one question on 1 server, on one per executor, and on two per executor."""
    latency_s, executors = settings.api.servers_latency_s, settings.executors
    with ExitStack() as stack:
        urls = [stack.enter_context(mock_server(latency_s)).url for _ in range(2 * executors)]
        names = {
            1: [_name(urls[:1])] * executors,
            executors: [_name([url]) for url in urls[:executors]],
            2 * executors: [_name(urls[2 * i : 2 * i + 2]) for i in range(executors)],
        }
        tasks = {f"servers_{count}": _rounds(llm) for count, llm in names.items()}
        rates = in_turn(tasks, settings.repeats)
    seconds = {name: [1 / rate for rate in each] for name, each in rates.items()}
    alone_s = statistics.median(seconds["servers_1"])
    return {
        "executors": executors,
        "latency_s": latency_s,
        "critical_path_s": 2 * latency_s,
        **spreads("round_s", seconds),
        "ratio_to_one_server": {
            name: statistics.median(each) / alone_s
            for name, each in seconds.items()
            if name != "servers_1"
        },
        "promised_ratio": PROMISED,
    }


def _name(urls: Sequence[str]) -> str:
    return f"vllm:mock@{','.join(urls)}"


def _rounds(llm: Sequence[str]) -> Callable[[int], int]:
    """Return a task that plays one round of a question that no other repeat has."""
    env = batched_parallel_env(
        num_questions=1,
        dataset="arithmetic",
        llm=llm,
        prompts="default",
        embedder="hashing",
        n_agents=len(llm),
        strategy=False,
    )
    rng = np.random.default_rng(0)
    unplayed = itertools.count()

    def play(repeat: int) -> int:
        env.reset(options={"question": next(unplayed)})
        env.step(_actions(env, rng))
        return 1

    return play


def _actions(env: BatchedEconEnv, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return actions that differ for every executor."""
    return {agent: rng.uniform(-1, 1, (1, 2)).astype(np.float32) for agent in env.possible_agents}
