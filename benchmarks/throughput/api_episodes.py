"""Measure episodes over HTTP, against the critical path of their phases.

An episode has three phases, each for all questions of the batch: strategies, responses and
commitments. A phase begins when the one before it has ended, so a batch takes at least one latency
per phase, and more if a phase has more requests than may be in flight.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable

import numpy as np

from benchmarks.throughput.api_requests import client
from benchmarks.throughput.mock_server import mock_server
from benchmarks.throughput.settings import Result, Settings
from benchmarks.throughput.timing import in_turn, spread
from econ_env.envs.batched import BatchedEconEnv, batched_parallel_env
from econ_env.llm.types import ChatModel

AUTHORS_SECONDS_PER_EPISODE = 3.3
AUTHORS_NOTE = (
    "the authors' public code at 200 ms latency: 9 calls one after another and 1.4 s of its own. "
    "A figure measured once, not in this run, and for training episodes: their updates are part "
    "of it, while ours are episodes without a learner"
)
SECONDS_PER_HOUR = 3600


def measure_api_episodes(settings: Settings) -> Result:
    """Measure the time of a batch of episodes and of one episode alone, from reset to reward."""
    load = settings.api
    batch, executors = load.questions, settings.executors
    with (
        mock_server(load.latency_s) as server,
        client(server, load.in_flight, profile="vllm") as model,
    ):
        tasks = {
            "batch": _episodes(model, batch, executors),
            "alone": _episodes(model, 1, executors),
        }
        rates = in_turn(tasks, settings.repeats)
    phases = _phases(batch, executors)
    critical_s = load.latency_s * sum(math.ceil(phase / load.in_flight) for phase in phases)
    batch_s, alone_s = ([1 / rate for rate in rates[name]] for name in tasks)
    return {
        "questions": batch,
        "executors": executors,
        "in_flight": load.in_flight,
        "latency_s": load.latency_s,
        "requests": sum(phases),
        "critical_path_s": critical_s,
        **spread("batch_s", batch_s),
        **spread("ratio", [seconds / critical_s for seconds in batch_s]),
        "promised_ratio": 1.15,
        **spread("alone_s", alone_s),
        "episodes_per_hour": {
            "batch": SECONDS_PER_HOUR * batch / statistics.median(batch_s),
            "alone": SECONDS_PER_HOUR / statistics.median(alone_s),
            "authors": SECONDS_PER_HOUR / AUTHORS_SECONDS_PER_EPISODE,
        },
        "authors": {"seconds_per_episode": AUTHORS_SECONDS_PER_EPISODE, "note": AUTHORS_NOTE},
    }


def _phases(questions: int, executors: int) -> tuple[int, int, int]:
    """Return the numbers of requests for strategies, responses and commitments."""
    return questions, questions * executors, questions


def _episodes(model: ChatModel, questions: int, executors: int) -> Callable[[int], int]:
    """Return a task that plays a batch of episodes on questions that no other repeat has."""
    env = batched_parallel_env(
        num_questions=questions,
        dataset="arithmetic",
        llm=model,
        n_agents=executors,
        prompts="default",
        embedder="hashing",
    )
    rng = np.random.default_rng(0)
    unplayed = itertools.count()

    def play(repeat: int) -> int:
        # A question that was played before has its strategy already and would not ask for one.
        asked = list(itertools.islice(unplayed, questions))
        before = env.usage.requests
        env.reset(options={"question": asked})
        env.step(_actions(env, rng))
        sent = env.usage.requests - before
        if sent != sum(_phases(questions, executors)) or env.active.any():
            raise SystemExit(
                f"{questions} episodes sent {sent} requests: the critical path does not apply"
            )
        return 1

    return play


def _actions(env: BatchedEconEnv, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return actions that differ for every executor, so that no two requests share an answer."""
    shape = (env.num_questions, 2)
    return {agent: rng.uniform(-1, 1, shape).astype(np.float32) for agent in env.possible_agents}
