"""A soak over all faults together: servers, texts, budgets and kills.

    python -m tests.soak --episodes 2000 --seed 0

It plays episodes at a server that misbehaves (:mod:`tests.econ_env.llm.api.soak`), as many with a
model that writes hostile texts, some under a budget, and some in a process that is killed again
and again. It prints what was lost, scored wrongly, hung or left behind, and exits with 1 if
anything was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.game.transcript import Transcript
from econ_env.llm.budget.limits import BudgetExceeded
from econ_env.llm.types import ChatRequest, Completion, FinishReason, Usage
from econ_env.questions.base import Question
from tests.econ_env.llm.api.soak import memory_mib, soak
from tests.pumping import FRAGMENTS, READERS

BATCH = 32
HANGS_AFTER_S = 120.0
"""Processor time of one batch after which it counts as hung."""
BOMBS = (
    *("9^{9^{9^{9}}}", "99999999!", r"\binom{10^9}{5\cdot 10^8}"),
    *("2^{9999999999}", "(x+1)^{9999}"),
)
ODD = ("\ud83d", "\x1b[2J", "\u202e", "\x00", "</think>", "<think>", "<|im_end|>", "\\boxed{", "{")
_HIDDEN = re.compile(r"hidden number is (\d+)")


class Riddles:
    """Questions whose gold answer is a number of nine digits, which no hostile text contains."""

    name = "riddles"

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> Question:
        digest = hashlib.blake2b(b"%d" % index, digest_size=8).digest()
        gold = str(10**8 + int.from_bytes(digest, "big") % (9 * 10**8))
        return Question(
            id=f"riddle:{index}", text=f"The hidden number is {gold}. Say it.", gold=gold
        )


class HostileModel:
    """Writes right answers, hostile texts and failures, as a function of the request alone."""

    name = "hostile"
    context_limit: int | None = None
    version = "1"

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [self._answer(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass

    def _answer(self, request: ChatRequest) -> Completion:
        drawn = random.Random(json.dumps(request.to_json()))
        usage = Usage(
            prompt_tokens=sum(len(message.content) for message in request.messages) // 4,
            completion_tokens=drawn.randint(1, request.max_tokens),
            requests=1,
        )
        luck = drawn.random()
        if luck < 0.01:
            return Completion.failure("\x1b[31mbroken \ud83d pipe", usage)
        reasons: tuple[FinishReason, ...] = ("stop", "stop", "length")
        reason = drawn.choice(reasons)
        gold = _HIDDEN.search(" ".join(message.content for message in request.messages))
        if luck < 0.5 and gold is not None:
            return Completion(text=right_text(request.role, gold[1]), usage=usage)
        return Completion(text=hostile_text(drawn), usage=usage, finish_reason=reason)


def right_text(role: str, gold: str) -> str:
    if role == "execute":
        return rf"It is said: \boxed{{{gold}}}"
    return json.dumps({"reason": "it is said", "value": gold, "confidence": 0.9})


def hostile_text(drawn: random.Random) -> str:
    """A text of any kind that must be neither right nor harmful."""
    if drawn.random() < 0.01:
        return rf"\boxed{{{drawn.choice(BOMBS)}}}"
    if drawn.random() < 0.02:
        return "<think>" * drawn.randint(0, 1) + "9" * drawn.choice((10, 400, 100_000))
    heads = drawn.choice(list(READERS.values())).heads
    parts = [*drawn.choices(FRAGMENTS, k=drawn.randint(1, 3)), *drawn.choices(ODD, k=1)]
    pump = "".join(parts) * drawn.choice((1, 5, 50, 200))
    return drawn.choice(heads) + pump + "".join(drawn.choices(FRAGMENTS, k=3))


@dataclass(kw_only=True)
class Report:
    """Results of a soak; every count but the first two should be 0."""

    finished: int = 0
    failed: int = 0
    lost: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    over_budget: int = 0
    budgets: int = 0
    kills: int = 0
    server_faults: int = 0
    memory_growth_mib: float = 0.0
    slowest_batch_cpu_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.hung or self.wrong or self.left_behind or self.over_budget)


class _HungError(BaseException):
    """A batch takes too long. No ``Exception``, so that nothing catches it."""


def hostile_texts(report: Report, episodes: int, seed: int) -> None:
    """Play with hostile texts, and compare every verdict with what is known."""
    with closing(_environment(seed)) as env:
        start_mib = memory_mib()
        for start in range(0, episodes, BATCH):
            begun_s = time.process_time()
            try:
                with _limited():
                    batch = _played(env, seed, start)
            except _HungError:
                report.hung += BATCH
                continue
            took_s = time.process_time() - begun_s
            report.slowest_batch_cpu_s = max(report.slowest_batch_cpu_s, took_s)
            for transcript, paid, ts in batch:
                report.failed += transcript.failed is not None
                report.finished += transcript.failed is None
                if not _is_right(transcript, paid, ts):
                    report.wrong.append(transcript.question.id)
            if start <= episodes // 4:
                start_mib = memory_mib()
        report.memory_growth_mib = round(memory_mib() - start_mib, 1)


def budgets(report: Report, runs: int, seed: int) -> None:
    """Play under budgets until they are spent; none may be crossed."""
    for run in range(runs):
        limits: dict[str, Any] = {"max_requests": 100 + 7 * run}
        if run % 2:
            limits = {"max_total_tokens": 200_000 + 1_000 * run}
        with closing(_environment(seed + run, **limits)) as env:
            report.budgets += 1
            try:
                for start in range(0, 100_000, BATCH):
                    _played(env, seed, start)
            except BudgetExceeded:
                pass
            spent = env.usage
            (limit,) = limits.values()
            used = spent.requests if "max_requests" in limits else spent.total_tokens
            report.over_budget += used > limit


def kills(report: Report, episodes: int, times: int, seed: int) -> None:
    """Kill a recorded game again and again; in the end it must be as if nobody had."""
    drawn = random.Random(seed)
    whole = [_digest(_environment(seed), seed, start) for start in range(0, episodes, BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.soak", "--child", folder]
        command += ["--episodes", str(episodes), "--seed", str(seed)]
        for _ in range(times):
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            for _ in range(drawn.randint(0, max(0, len(whole) - 2))):
                child.stdout.readline()
            time.sleep(drawn.uniform(0.0, 0.5))
            child.kill()
            child.communicate()
            report.kills += 1
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = ended.stdout.split()
    differing = sum(line != each for line, each in zip(lines, whole, strict=False))
    report.lost += BATCH * (differing + max(0, len(whole) - len(lines)))
    report.finished += BATCH * len(whole)


def servers(report: Report, episodes: int, seed: int) -> None:
    """Play at a server that misbehaves in every way."""
    soaked = soak(episodes, seed=seed)
    report.finished += soaked.finished
    report.failed += soaked.failed
    report.lost += episodes - soaked.finished - soaked.failed
    report.wrong += soaked.wrong
    report.server_faults = soaked.faults.total() - soaked.faults["none"]
    if soaked.left_behind:
        report.left_behind.append("threads or sockets of the client")


def child(folder: Path, episodes: int, seed: int) -> None:
    """Play with a recording in ``folder``, and print the digest of every batch."""
    recorded: dict[str, Any] = {"cache": "read_write", "cache_path": folder / "recorded.sqlite"}
    for start in range(0, episodes, BATCH):
        print(_digest(_environment(seed, **recorded), seed, start), flush=True)


def _environment(seed: int, **settings: Any) -> BatchedEconEnv:
    config = EnvConfig(
        dataset=Riddles(),
        llm=HostileModel(),
        prompts="default",
        embedder="hashing",
        commitment_rule="coordinator",
        bne_rounds=2,
        seed=seed,
        max_failures_in_a_row=None,
        **settings,
    )
    return BatchedEconEnv(config, num_questions=BATCH)


def _played(env: BatchedEconEnv, seed: int, start: int) -> list[tuple[Transcript, Any, Any]]:
    """Play a batch; return transcripts, and rewards and verdicts of shape (agents,) of each."""
    env.reset(seed=[seed * 1_000_003 + start + row for row in range(BATCH)])
    points = np.random.default_rng((seed, start))
    agents = env.possible_agents
    paid, verdicts = np.zeros((len(agents), BATCH)), np.zeros((len(agents), BATCH))
    while env.active.any():
        actions = {agent: points.uniform(-1, 1, (BATCH, 2)) for agent in agents}
        _, rewards, _, _, infos = env.step(actions)
        paid += np.stack([rewards[agent] for agent in agents])
        verdicts += np.stack([infos[agent]["ts"] for agent in agents])
    return [
        (transcript, paid[:, row], verdicts[:, row])
        for row, transcript in enumerate(env.transcripts)
    ]


def _is_right(transcript: Transcript, paid: Any, verdicts: Any) -> bool:
    """Return True if an episode is scored as its texts demand, and can be stored."""
    json.dumps(transcript.to_json(), ensure_ascii=False).encode()
    if transcript.failed is not None:
        return not paid.any() and not verdicts.any()
    gold = transcript.question.gold
    *_, last = transcript.rounds()
    expected = [record.text == right_text("execute", gold) for record in last.executors]
    commitment = last.commitments[-1]
    concluded = commitment.text == right_text("commit", gold)
    return (
        verdicts.tolist() == expected
        and bool(((paid >= 0) & (paid <= 1)).all())
        and (commitment.value == gold) == concluded
    )


def _digest(env: BatchedEconEnv, seed: int, start: int) -> str:
    with closing(env):
        batch = _played(env, seed, start)
    texts = [json.dumps(transcript.to_json(), sort_keys=True) for transcript, *_ in batch]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@contextmanager
def _limited() -> Iterator[None]:
    def interrupt(_signal: int, _frame: object) -> None:
        raise _HungError

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def run(episodes: int, seed: int) -> Report:
    """Play ``episodes`` with hostile texts and as many at a server, and a few of the others."""
    report = Report()
    hostile_texts(report, episodes, seed)
    budgets(report, max(2, episodes // 500), seed)
    kills(report, max(2 * BATCH, episodes // 10), max(2, episodes // 400), seed)
    servers(report, episodes, seed)
    return report


def main(arguments: Sequence[str]) -> int:
    """Print a report; the exit code is 1 if it is not clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child is not None:
        child(given.child, given.episodes, given.seed)
        return 0
    begun_s = time.monotonic()
    report = run(given.episodes, given.seed)
    print(json.dumps({**asdict(report), "seconds": round(time.monotonic() - begun_s)}, indent=1))
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
