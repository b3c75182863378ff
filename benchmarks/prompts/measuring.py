"""Play an arm, and count its results for the table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.learning.results import Result
from benchmarks.prompts.arms import Arm
from econ_agents.logging.progress import opened_progress
from econ_console.waiting_line import WaitingLine
from econ_env.answers import equivalent, is_correct
from econ_env.commands.playthrough import play_through
from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.errors import UsageError
from econ_env.game.coordinator_tree import majority
from econ_env.game.transcript import NOT_ASKED_FOR, Transcript
from econ_env.questions.base import QuestionOrder
from econ_env.sampling_action import SamplingAction


@dataclass(frozen=True, kw_only=True)
class Study:
    """Settings that all arms share."""

    llm: str
    dataset: str
    split: str
    data_path: Path | None
    questions: int
    seed: int
    cache_path: Path
    in_flight: int
    """Number of questions played at the same time."""

    def config(self, arm: Arm) -> EnvConfig:
        """Return the environment of an arm, with a cache, so that arms share equal requests."""
        return EnvConfig(
            dataset=self.dataset,
            llm=self.llm,
            n_agents=arm.n_agents,
            prompts=arm.prompts,
            strategy=arm.strategy,
            commitment_rule=arm.commitment_rule,
            temperature_min=0.0,
            embedder="hashing",
            split=self.split,
            data_path=self.data_path,
            seed=self.seed,
            cache="read_write",
            cache_path=self.cache_path,
        )


def play_arm(study: Study, arm: Arm) -> Result:
    """Play all questions of the study; return the counts of the arm.

    Raises:
        UsageError: the study cannot be played.
    """
    try:
        config = study.config(arm)
    except ValueError as error:
        raise UsageError(str(error)) from error
    env = BatchedEconEnv(config, num_questions=min(study.in_flight, study.questions))
    order = QuestionOrder(env.questions, order=config.order, loop=False, seed=study.seed)
    chosen = order.take(study.questions)
    point = config.bounds().normalise(
        SamplingAction(temperature=arm.temperature, repetition_penalty=1.0)
    )
    action = np.broadcast_to(np.array(point, dtype=np.float32), (env.num_questions, 2))
    start = time.perf_counter()
    try:
        with (
            opened_progress(description=arm.name, total=len(chosen), unit="question") as progress,
            WaitingLine(lambda: env.status),
        ):
            transcripts = []
            actions = dict.fromkeys(env.possible_agents, action)
            for transcript in play_through(env, chosen, lambda: actions):
                transcripts.append(transcript)
                progress.advance()
    finally:
        env.close()
    return counts_of(transcripts) | {
        "wall_s": round(time.perf_counter() - start, 1),
        "asked_tokens": env.usage.total_tokens,
    }


def counts_of(transcripts: Sequence[Transcript]) -> Result:
    """Return verdicts by question, and counts of how strategies and commitments were parsed."""
    finished = [t for t in transcripts if t.failed is None]
    last = [list(t.rounds())[-1] for t in finished]
    strategies = [record for t in finished for record in t.strategies]
    methods: Counter[str] = Counter()
    for transcript in finished:
        methods.update(transcript.parse_methods)
    return {
        "questions": [t.question.id for t in finished],
        "failed": len(transcripts) - len(finished),
        "correct": [
            int(is_correct(played.commitments[-1].value, t.question.gold))
            for t, played in zip(finished, last, strict=True)
        ],
        "vote_correct": [
            int(is_correct(majority([e.answer for e in p.executors], equivalent), t.question.gold))
            for t, p in zip(finished, last, strict=True)
        ],
        "executors_correct": [
            [int(is_correct(e.answer, t.question.gold)) for e in played.executors]
            for t, played in zip(finished, last, strict=True)
        ],
        "parse_methods": dict(sorted(methods.items())),
        "novel": sum(t.novel_values for t in finished),
        "strategies": len(strategies),
        "strategies_cut_off": sum(record.finish_reason == "length" for record in strategies),
        "strategies_leaked": sum(record.leaked for record in strategies),
        "strategies_empty": sum(not record.strategy for record in strategies),
        "tokens_per_question": round(
            sum(t.usage.total_tokens for t in finished) / max(len(finished), 1), 1
        ),
    }


def asked_commitments(counts: Result) -> int:
    """Return the number of commitments that a coordinator was asked for."""
    methods: Mapping[str, int] = counts["parse_methods"]
    return sum(n for method, n in methods.items() if method not in NOT_ASKED_FOR)
