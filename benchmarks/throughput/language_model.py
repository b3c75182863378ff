"""Measure a local model as an executor, against ``transformers.generate``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.throughput.settings import Result, Settings
from benchmarks.throughput.timing import in_turn


def measure_language_model(settings: Settings) -> Result:
    """Measure tokens per second of executors' calls, against ``transformers.generate``.

    Both get the same prompts, sampling settings and end tokens, one thread and one batch.
    ``generate`` takes one sampling setting per batch, so all rows have the same one. Tokens after
    a row's end token are not counted for either. Seconds are CPU time of the one thread, so that
    other processes of the machine do not matter.
    """
    import torch

    from econ_env.game.prompts import COMPACT
    from econ_env.llm import shared_model
    from econ_env.llm.types import ChatRequest
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
    rates = in_turn(tasks, settings.repeats, clock=time.process_time)
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
    """``transformers.generate`` in float32, in its usual form."""

    def __init__(self, name: str) -> None:
        import econ_env.llm.bundled
        from econ_env.llm.local.loading import load_checkpoint

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
        """Return the number of generated tokens, up to and including each row's end token."""
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
