"""Measure rounds of multi-agent trainers over a served model: one batch, against copies of a team.

A round of one question is three phases: strategy, responses, commitment. Copies play one after
another, so Q questions take 3 · Q latencies; in a batch all of them share the three.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.throughput.api_requests import client
from benchmarks.throughput.mock_server import mock_server
from benchmarks.throughput.settings import WARM_UP_SEED, Result, Settings, Skipped
from benchmarks.throughput.timing import in_turn, spreads
from econ_env.envs.parallel import EconParallelEnv
from econ_env.llm.types import ChatModel, ChatRequest, Completion

PROMISED = 5.0
"""Least ratio of the batch's rounds per second to those of copies, at 16 questions."""
PHASES = 3


class Counted:
    """A model that counts its calls."""

    context_limit: int | None = None

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.name = model.name
        self.calls = 0

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Ask the model, and count one call."""
        self.calls += 1
        return self._model.generate(requests)

    def count_tokens(self, text: str) -> int:
        """Count as the model does."""
        return self._model.count_tokens(text)

    def close(self) -> None:
        """Leave the model open for its owner."""


def measure_vectorised(settings: Settings) -> Result:
    """Measure TorchRL and stable-baselines3 on copies and on one batch, in turn.

    Raises:
        Skipped: a trainer is not installed.
    """
    load, questions = settings.api, settings.questions
    with (
        mock_server(load.latency_s) as server,
        client(server, load.in_flight, profile="vllm") as model,
    ):
        counted = {name: Counted(model) for name in MAKERS}
        try:
            tasks = {
                name: _rounds(
                    make(questions, _team(counted[name], settings.executors)),
                    counted[name],
                    questions,
                )
                for name, make in MAKERS.items()
            }
        except ImportError as missing:
            raise Skipped(f"{missing.name} is not installed: the extra test brings it") from None
        rates = in_turn(tasks, settings.repeats)
    return {
        "questions": questions,
        "executors": settings.executors,
        "latency_s": load.latency_s,
        **spreads("rounds_per_second", rates),
        "calls_per_phase": {
            name: each.calls / settings.repeats / PHASES for name, each in counted.items()
        },
        "ratio": {
            trainer: statistics.median(rates[f"{trainer}_batch"])
            / statistics.median(rates[f"{trainer}_copies"])
            for trainer in ("torchrl", "sb3")
        },
        "promised_ratio": PROMISED,
    }


def _team(model: Counted, executors: int) -> dict[str, Any]:
    """Return the settings of every team."""
    return {
        "dataset": "arithmetic",
        "llm": model,
        "n_agents": executors,
        "prompts": "default",
        "embedder": "hashing",
    }


Wave = Callable[[], None]
"""Plays one round of every question, each in an episode of its own."""


def _rounds(wave: Wave, model: Counted, questions: int) -> Callable[[int], int]:
    """Return a task that plays a wave; calls of the warm-up are not counted."""

    def play(repeat: int) -> int:
        wave()
        if repeat == WARM_UP_SEED:
            model.calls = 0
        return questions

    return play


def _torchrl_batch(questions: int, team: dict[str, Any]) -> Wave:
    from econ_env.integrations.torchrl import TorchRLEnv

    return partial(_roll_out, TorchRLEnv(questions, **team))


def _torchrl_copies(questions: int, team: dict[str, Any]) -> Wave:
    from torchrl.envs import PettingZooWrapper, SerialEnv

    def make() -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "PettingZoo in TorchRL is tested", UserWarning)
            return PettingZooWrapper(EconParallelEnv(**team))

    return partial(_roll_out, SerialEnv(questions, make))


def _roll_out(env: Any) -> None:
    """Begin an episode of every question and play its round, as a collector does."""
    env.rollout(1)


def _sb3_batch(questions: int, team: dict[str, Any]) -> Wave:
    from econ_env.integrations.sb3 import ExecutorsVecEnv

    return _step_rows(ExecutorsVecEnv(questions, **team))


def _sb3_copies(questions: int, team: dict[str, Any]) -> Wave:
    import supersuit
    from supersuit.vector import ConcatVecEnv

    # What concat_vec_envs_v1 makes, but it would pickle the model.
    def make() -> Any:
        return supersuit.pettingzoo_env_to_vec_env_v1(EconParallelEnv(**team))

    return _step_rows(ConcatVecEnv([make] * questions))


def _step_rows(rows: Any) -> Wave:
    """Step all rows; those whose episode ended begin the next one in the same step."""
    sampler = np.random.default_rng(0)
    rows.reset()

    def step() -> None:
        rows.step(sampler.uniform(-1, 1, (rows.num_envs, 2)).astype(np.float32))

    return step


MAKERS: dict[str, Callable[[int, dict[str, Any]], Wave]] = {
    "torchrl_copies": _torchrl_copies,
    "torchrl_batch": _torchrl_batch,
    "sb3_copies": _sb3_copies,
    "sb3_batch": _sb3_batch,
}
