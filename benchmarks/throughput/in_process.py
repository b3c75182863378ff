"""Measure the game on simulated models, the grader and the embedders."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.throughput.settings import WARM_UP_SEED, Result, Settings
from benchmarks.throughput.timing import in_turn


def measure_simulator(settings: Settings) -> Result:
    """Measure steps per second of one environment, and questions per second of a batched one.

    Actions are drawn before the clock starts, so that only the environment is measured. One
    question is one episode: strategy, responses, commitment and reward.
    """
    import econ_env

    count = 512
    single = econ_env.parallel_env(dataset="simulated", llm="simulated", embedder="hashing")
    single.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = [
        {agent: rng.uniform(-1, 1, 2).astype(np.float32) for agent in single.agents}
        for _ in range(1000)
    ]
    batched = econ_env.batched_parallel_env(
        num_questions=count, dataset="simulated", llm="simulated", embedder="hashing"
    )
    batched.reset(seed=0)
    many = [
        {agent: rng.uniform(-1, 1, (count, 2)).astype(np.float32) for agent in batched.agents}
        for _ in range(8)
    ]

    def steps(repeat: int) -> int:
        done = 0
        stop = time.perf_counter() + settings.seconds
        for action in itertools.cycle(actions):
            if not single.agents:
                single.reset()
            single.step(action)
            done += 1
            if time.perf_counter() > stop:
                break
        return done

    def episodes(repeat: int) -> int:
        done = 0
        stop = time.perf_counter() + settings.seconds
        for action in itertools.cycle(many):
            if not batched.active.all():
                batched.reset(mask=~batched.active)
            batched.step(action)
            done += count - int(batched.active.sum())
            if time.perf_counter() > stop:
                break
        return done

    rates = in_turn({"single": steps, "batched": episodes}, settings.repeats)
    return {
        "single_steps_per_second": statistics.median(rates["single"]),
        "promised_single_steps_per_second": 1000,
        "batched_questions_per_second": statistics.median(rates["batched"]),
        "promised_batched_questions_per_second": 5000,
        "num_questions": count,
    }


def measure_grader(settings: Settings) -> Result:
    """Measure microseconds per response on the numeric fast path, milliseconds on the symbolic."""
    from econ_env.grading.answers import grade, warm_up

    def numeric(repeat: int) -> int:
        for i in range(2000 * repeat, 2000 * repeat + 2000):
            grade(f"12 * {i} = {12 * i} ; \\boxed{{{12 * i}}}", str(12 * i))
        return 2000

    def symbolic(repeat: int) -> int:
        for i in range(5 * repeat, 5 * repeat + 5):
            grade(f"so \\boxed{{x^2 + {i}x}}", f"x({i} + x)")
        return 5

    warm_up()
    rates = in_turn({"numeric": numeric, "symbolic": symbolic}, settings.repeats)
    return {
        "numeric_microseconds": 1e6 / statistics.median(rates["numeric"]),
        "promised_numeric_microseconds": 30,
        "symbolic_milliseconds": 1e3 / statistics.median(rates["symbolic"]),
    }


def measure_embedders(settings: Settings) -> Result:
    """Measure texts per second of each embedder, for batches of 48 new and of 48 known texts."""
    from econ_env.embeddings import load_embedder

    results: Result = {}
    for name in settings.embedders:
        embedder = load_embedder(name)

        def texts(repeat: int, name: str = name) -> list[str]:
            # Every text of every repeat has another number, so that no cache holds it.
            return [
                f"{repeat} * {i} = {repeat * i} ; {repeat * i} + 15 = {repeat * i + 15} ; "
                f"\\boxed{{{repeat * i + 15}}} {name}"
                for i in range(48)
            ]

        def new(repeat: int, embed: Callable[..., Any] = embedder.embed) -> int:
            return len(embed(texts(repeat)))

        def seen(repeat: int, embed: Callable[..., Any] = embedder.embed) -> int:
            return len(embed(texts(WARM_UP_SEED)))

        rates = in_turn({"new": new, "seen": seen}, settings.repeats)
        results[name] = {
            "new_texts_per_second": statistics.median(rates["new"]),
            "seen_texts_per_second": statistics.median(rates["seen"]),
            "dimensions": embedder.dim,
        }
    return results
