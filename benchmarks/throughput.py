"""How fast the parts of the environment are: rates and ratios, each measured within this run.

    python benchmarks/throughput.py                        # everything
    python benchmarks/throughput.py --parts simulator      # one part

Writes benchmarks/results/throughput.json (parts that were not measured keep their old entry) and
prints a table. Rates depend on the machine and on what else runs on it; ratios compare two things
that were measured in turn, repeat by repeat, in one process on one thread.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from tqdm import tqdm

Part = Literal["language_model", "simulator", "grader", "embedders"]
Result = dict[str, Any]
PARTS: tuple[Part, ...] = ("language_model", "simulator", "grader", "embedders")
LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "gymnasium", "pettingzoo")
WARM_UP_SEED = 1_000_003


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure and where to write it."""

    parts: tuple[Part, ...] = PARTS
    """Which parts to measure."""
    llm: str = "bundled:0"
    """The language model: bundled:0, bundled:1, bundled:2 or hf:path-or-hub-id."""
    questions: int = 16
    """Questions in one batch of the language model."""
    executors: int = 3
    """Executors per question, who share its prompt."""
    repeats: int = 7
    """Measurements of each thing; medians are reported."""
    seconds: float = 2.0
    """Length of one measurement of the simulator."""
    embedders: tuple[str, ...] = ("hashing", "minilm")
    """Embedders to measure, by name."""
    out: Path = field(default=Path(__file__).parent / "results" / "throughput.json")
    """The file of results."""


def measure_language_model(settings: Settings) -> Result:
    """Tokens per second of executors' calls, against ``transformers.generate``.

    Both get the same prompts, sampling settings and end tokens, one thread and one batch.
    ``generate`` knows one sampling setting per batch, so all rows have the same here. Tokens after
    a row's end token are not counted for either. Seconds are CPU time of the one thread, so that
    other processes of the machine do not count.
    """
    import torch

    from econ_env.llm import shared_model
    from econ_env.llm.types import ChatRequest
    from econ_env.prompts import COMPACT
    from econ_env.questions.arithmetic import ArithmeticQuestions

    temperature, top_p, penalty = 0.7, 0.9, 1.0
    torch.set_num_threads(1)
    model = shared_model(settings.llm)
    questions = ArithmeticQuestions(split="test", seed=0)
    limit = COMPACT.max_tokens.execute

    def requests(repeat: int) -> list[ChatRequest]:
        return [
            ChatRequest(
                messages=COMPACT.execute(questions[number].text, ""),
                temperature=temperature,
                repetition_penalty=penalty,
                top_p=top_p,
                max_tokens=limit,
                seed=repeat * 10_000 + number * settings.executors + executor,
                model=settings.llm,
                role="execute",
            )
            for number in range(settings.questions)
            for executor in range(settings.executors)
        ]

    def econ_env(repeat: int) -> int:
        completions = model.generate(requests(repeat))
        failed = [completion.error for completion in completions if completion.error]
        if failed:
            raise SystemExit(f"{settings.llm} failed on {len(failed)} requests: {failed[0]}")
        return sum(completion.usage.completion_tokens for completion in completions)

    baseline = _Generate(settings.llm)

    def generate(repeat: int) -> int:
        torch.manual_seed(repeat)
        return baseline.run(
            [request.messages[0].content for request in requests(repeat)],
            max_new_tokens=limit,
            temperature=temperature,
            top_p=top_p,
            repetition_penalty=penalty,
        )

    tasks = {"econ_env": econ_env, "generate": generate}
    rates = _in_turn(tasks, settings.repeats, clock=time.process_time)
    ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
    return {
        "llm": settings.llm,
        "parameters": baseline.parameters,
        "rows": settings.questions * settings.executors,
        "distinct_prompts": settings.questions,
        "number_format": {"econ_env": baseline.format_chosen, "generate": "float32"},
        "tokens_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "promised_ratio": 1.4,
    }


class _Generate:
    """``transformers.generate`` in float32, the way one would call it by hand."""

    def __init__(self, name: str) -> None:
        import econ_env.llm.bundled
        from econ_env.llm.local_loading import load_checkpoint

        kind, _, rest = name.partition(":")
        if kind == "bundled":
            rest = str(Path(econ_env.llm.bundled.__file__).parent / "weights" / rest)
        checkpoint = load_checkpoint(rest, dtype="float32", device="cpu")
        self._model: Any = checkpoint.model
        self._tokenizer = checkpoint.tokenizer
        self._tokenizer.padding_side = "left"
        self.parameters = sum(weight.numel() for weight in self._model.parameters())
        chosen = load_checkpoint(rest, dtype="auto", device="cpu").model.dtype
        self.format_chosen = str(chosen).removeprefix("torch.")

    def run(self, prompts: Sequence[str], **sampling: Any) -> int:
        """Number of tokens generated, up to and with each row's end token."""
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
        batch: Any = self._tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        batch.pop("token_type_ids", None)
        output = self._model.generate(**batch, do_sample=True, top_k=0, **sampling)
        ends = np.atleast_1d(self._model.generation_config.eos_token_id)
        at_end = np.isin(output[:, batch["input_ids"].shape[1] :].numpy(), ends)
        lengths = np.where(at_end.any(axis=1), at_end.argmax(axis=1) + 1, at_end.shape[1])
        return int(lengths.sum())


def measure_simulator(settings: Settings) -> Result:
    """Steps per second of one environment, questions per second of a batched one.

    Actions are drawn before the clock starts: it is the environment that is measured. One
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

    rates = _in_turn({"single": steps, "batched": episodes}, settings.repeats)
    return {
        "single_steps_per_second": statistics.median(rates["single"]),
        "promised_single_steps_per_second": 1000,
        "batched_questions_per_second": statistics.median(rates["batched"]),
        "promised_batched_questions_per_second": 5000,
        "num_questions": count,
    }


def measure_grader(settings: Settings) -> Result:
    """Microseconds per graded response on the numeric fast path, and milliseconds beyond it."""
    from econ_env.answers import grade, warm_up

    def numeric(repeat: int) -> int:
        for i in range(2000 * repeat, 2000 * repeat + 2000):
            grade(f"12 * {i} = {12 * i} ; \\boxed{{{12 * i}}}", str(12 * i))
        return 2000

    def symbolic(repeat: int) -> int:
        for i in range(5 * repeat, 5 * repeat + 5):
            grade(f"so \\boxed{{x^2 + {i}x}}", f"x({i} + x)")
        return 5

    warm_up()
    rates = _in_turn({"numeric": numeric, "symbolic": symbolic}, settings.repeats)
    return {
        "numeric_microseconds": 1e6 / statistics.median(rates["numeric"]),
        "promised_numeric_microseconds": 30,
        "symbolic_milliseconds": 1e3 / statistics.median(rates["symbolic"]),
    }


def measure_embedders(settings: Settings) -> Result:
    """Texts per second of each embedder: new texts in batches of 48, and texts seen before."""
    from econ_env.embeddings import load_embedder

    results: Result = {}
    for name in settings.embedders:
        embedder = load_embedder(name)

        def texts(repeat: int, name: str = name) -> list[str]:
            # Another number in every text of every repeat, so that no cache knows it.
            return [
                f"{repeat} * {i} = {repeat * i} ; {repeat * i} + 15 = {repeat * i + 15} ; "
                f"\\boxed{{{repeat * i + 15}}} {name}"
                for i in range(48)
            ]

        def new(repeat: int, embed: Callable[..., Any] = embedder.embed) -> int:
            return len(embed(texts(repeat)))

        def seen(repeat: int, embed: Callable[..., Any] = embedder.embed) -> int:
            return len(embed(texts(WARM_UP_SEED)))

        rates = _in_turn({"new": new, "seen": seen}, settings.repeats)
        results[name] = {
            "new_texts_per_second": statistics.median(rates["new"]),
            "seen_texts_per_second": statistics.median(rates["seen"]),
            "dimensions": embedder.dim,
        }
    return results


MEASURES: dict[Part, Callable[[Settings], Result]] = {
    "language_model": measure_language_model,
    "simulator": measure_simulator,
    "grader": measure_grader,
    "embedders": measure_embedders,
}


def _in_turn(
    tasks: Mapping[str, Callable[[int], int]],
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Rates of each task, measured alternately so that all meet the same load of the machine.

    A task takes the number of the repeat and returns how many items it processed.
    """
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task(WARM_UP_SEED)
    for repeat in range(1, repeats + 1):
        for name, task in tasks.items():
            start = clock()
            count = task(repeat)
            rates[name].append(count / (clock() - start))
    return rates


def machine() -> Result:
    """What the measurements ran on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_at_start": load,
    }


def main(settings: Settings) -> None:
    """Measure, write the file, print the table."""
    stamp = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }
    results: Result = {}
    if settings.out.is_file():
        results = json.loads(settings.out.read_text(encoding="utf-8"))
    for part in tqdm(settings.parts, desc="throughput", disable=None):
        results[part] = MEASURES[part](settings) | stamp
        # After every part, so that an interruption loses one part at most.
        settings.out.parent.mkdir(parents=True, exist_ok=True)
        settings.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for part in settings.parts:
        print(f"\n{part}")
        for key, value in results[part].items():
            if key not in stamp:
                print(f"  {key:40} {_shown(value)}")
    print(f"\nwritten to {settings.out}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " to ".join(map(_shown, value))
    return str(value)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
