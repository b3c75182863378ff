"""Thousands of episodes at a server that misbehaves in every way it can.

Run as a script (``python -m tests.econ_env.llm.api.soak 2000``) it prints what came of them.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.game.transcript import Transcript
from econ_env.llm.api import ApiModel
from econ_env.llm.simulated.model import SimulatedModel
from econ_env.llm.types import ChatRequest, Completion, Message, Role
from tests.econ_env.llm.api.support import KEY, client_threads, eventually, open_sockets, settings
from tests.misbehaving_faults import QUIRKS, RETRIED
from tests.misbehaving_server import Ask, MisbehavingServer

SLOW = {"stall", "drip"}
"""Faults that take as long as a time-out."""

MIX = {
    **dict.fromkeys(sorted(RETRIED.keys() - SLOW), 0.012),
    # Thoughts and keys would change the text, and so what is known of it.
    **dict.fromkeys(sorted(QUIRKS.keys() - {"say_key"}), 0.01),
    **dict.fromkeys(sorted(SLOW), 0.001),
    **dict.fromkeys(("400", "422", "overflow", "content_filter", "refusal", "rude_400"), 0.0012),
}
"""Two of five requests meet something; about one in 140 is refused for good."""

_SKILL = SimulatedModel("simulated:0")
_ROLES: tuple[tuple[str, Role], ...] = (
    ("plan: ", "strategy"),
    ("solve: ", "execute"),
    ("commit: ", "commit"),
)


def answer(prompt: str, temperature: float, penalty: float) -> str:
    """The model's text, in this process or behind the server.

    Its luck is a function of the prompt, so that answers of one request for several are known.
    """
    role = next(role for start, role in _ROLES if prompt.startswith(start))
    luck = hashlib.blake2b(f"{temperature:.9g} {penalty:.9g} {prompt}".encode(), digest_size=3)
    request = ChatRequest(
        messages=(Message(role="user", content=prompt),),
        temperature=temperature,
        repetition_penalty=penalty,
        max_tokens=1000,
        seed=int.from_bytes(luck.digest(), "big"),
        model="simulated:0",
        role=role,
    )
    return _SKILL.generate([request])[0].text


class InProcess:
    """The same model without a server."""

    name = "in-process"
    context_limit: int | None = None

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [
            Completion(text=answer(r.messages[0].content, r.temperature, r.repetition_penalty))
            for r in requests
        ]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def _served(ask: Ask) -> str:
    return answer(ask.messages[0]["content"], ask.temperature, ask.penalty)


@dataclass(kw_only=True)
class Soaked:
    """Results of a soak."""

    finished: int = 0
    failed: int = 0
    wrong: list[str] = field(default_factory=list)
    """Questions whose finished or failed episode is not what it must be."""
    faults: Counter[str] = field(default_factory=Counter)
    growth_mib: float = 0.0
    """Memory taken after the first quarter of the episodes."""
    left_behind: bool = True
    """True if a thread or a socket stayed after the model was closed."""


def soak(episodes: int, *, batch: int = 64, seed: int = 0) -> Soaked:
    """Play episodes against the misbehaving server and beside it, and compare."""
    result = Soaked()
    with MisbehavingServer("vllm", answer=_served, remembers=False) as server:
        server.mix(MIX, seed)
        before = open_sockets()
        quick = settings(
            second_action="repetition_penalty", read_timeout_s=1.0, request_budget_s=120.0
        )
        model = ApiModel(f"vllm:simulated@{server.url}", quick, api_key=KEY)
        served, known = (_environment(llm, batch, seed) for llm in (model, InProcess()))
        start_mib = memory_mib()
        for start in range(0, episodes, batch):
            mask = np.arange(batch) < episodes - start
            for env in (served, known):
                env.reset(mask=mask)
            points = _points(seed, start, batch)
            rewards = [env.step(points)[1] for env in (served, known)]
            infos = [transcript.failed for transcript in served.transcripts]
            _compare(result, served, known, rewards, mask, infos)
            if start <= episodes // 4:
                start_mib = memory_mib()
        result.growth_mib = memory_mib() - start_mib
        model.close()
        result.left_behind = bool(client_threads()) or not eventually(
            lambda: open_sockets() <= before
        )
        result.faults = server.faults
    return result


def _environment(llm: Any, batch: int, seed: int) -> BatchedEconEnv:
    config = EnvConfig(
        dataset="simulated", llm=llm, prompts="compact", embedder="hashing", seed=seed
    )
    return BatchedEconEnv(config, num_questions=batch)


def _points(seed: int, start: int, batch: int) -> dict[str, Any]:
    """Actions of one step; in every other place the same for all, so that requests group."""
    points = np.random.default_rng((seed, start)).uniform(-1, 1, (3, batch, 2))
    points[1:, ::2] = points[0, ::2]
    return {f"executor_{i}": points[i] for i in range(3)}


def _compare(
    result: Soaked,
    served: BatchedEconEnv,
    known: BatchedEconEnv,
    rewards: list[dict[str, Any]],
    mask: Any,
    failures: list[str | None],
) -> None:
    for row in np.flatnonzero(mask):
        mine, right = served.transcripts[row], known.transcripts[row]
        paid = [[float(of[agent][row]) for agent in served.possible_agents] for of in rewards]
        if failures[row] is None:
            result.finished += 1
            as_it_must_be = _said(mine) == _said(right) and paid[0] == paid[1]
        else:
            result.failed += 1
            as_it_must_be = not any(paid[0]) and mine.question == right.question
        if not as_it_must_be:
            result.wrong.append(f"{mine.question.id}: {mine.failed}")


def _said(transcript: Transcript) -> object:
    """All that was said and paid, without what it cost."""
    rounds = [
        (
            [(record.text, record.answer) for record in played.executors],
            [(record.text, record.value) for record in played.commitments],
        )
        for played in transcript.rounds()
    ]
    paid = [replace(decision, rounds=()) for decision in transcript.decisions]
    return transcript.question, [one.text for one in transcript.strategies], rounds, paid


def memory_mib() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    begun_s = time.monotonic()
    came_of_it = soak(int(sys.argv[1]))
    print(came_of_it)
    print(f"{time.monotonic() - begun_s:.0f} s, {came_of_it.faults.total()} requests")
