"""Tokens per second of a real model in this process, against raw decoding and other engines.

Everything is measured in one run on the same prompts, and in CPU time of this process: so what
else runs on the machine moves the numbers little, and ratios hardly.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.throughput.api_requests import QUESTION
from benchmarks.throughput.settings import Local, Result, Settings, Skipped
from benchmarks.throughput.timing import in_turn

if TYPE_CHECKING:
    from econ_env.llm.types import ChatRequest

TEMPERATURE, TOP_P = 0.7, 0.9
INSTRUCTION = r" Reason step by step, put the answer in \boxed{}."
RAW_STEPS = 6
"""Steps of one measurement of raw decoding, and of sampling."""
LLAMA_SLOTS = 8


def measure_local(settings: Settings) -> Result:
    """Tokens per CPU second of a model as the game asks it.

    - ``loop``: all executors of all questions, at most ``in_flight`` rows at once: prompts,
      sampling and all.
    - ``raw_decode``: forward passes alone, of as many rows, at the length they reach half-way.
    - ``sampling``: drawing tokens alone, of as many rows.
    - ``generate``: ``transformers.generate``, the same requests in batches of ``in_flight``.
    - ``llama_cpp``: the same requests to a llama.cpp server in this process, with eight slots.

    Raises:
        Skipped: no model is named.
    """
    local = settings.local
    if not local.model:
        raise Skipped("no model is named: --local.model FOLDER_OR_HUB_ID")
    import torch

    from econ_env.llm.local.model import LocalModel

    torch.set_num_threads(local.threads)
    path = local.model.removeprefix("hf:")
    no_llama = _why_no_llama(local)
    with (
        closing(LocalModel(path, max_batch_rows=local.in_flight, threads=local.threads)) as model,
        _llama(local, settings.executors, left_out=no_llama is not None) as llama,
    ):

        def loop(repeat: int) -> int:
            completions = model.generate(_requests(local, settings.executors, repeat))
            failed = [completion.error for completion in completions if completion.error]
            if failed:
                raise SystemExit(f"{path} failed on {len(failed)} requests: {failed[0]}")
            return sum(completion.usage.completion_tokens for completion in completions)

        engine = _Engine(path, local, settings.executors)
        tasks: dict[str, Callable[[int], int]] = {
            "loop": loop,
            "raw_decode": engine.decode,
            "sampling": engine.sample,
            "generate": engine.generate,
            **({} if llama is None else {"llama_cpp": llama}),
        }
        rates = in_turn(tasks, settings.repeats, clock=time.process_time)
    ratios = {
        name: [ours / theirs for ours, theirs in zip(rates["loop"], values, strict=True)]
        for name, values in rates.items()
    }
    compared = [name for name in rates if name not in ("loop", "sampling")]
    return {
        "model": local.model,
        "number_format": engine.number_format,
        "requests": local.questions * settings.executors,
        "in_flight": local.in_flight,
        "max_tokens": local.max_tokens,
        "threads": local.threads,
        "tokens_per_cpu_second": {name: statistics.median(one) for name, one in rates.items()},
        "loop_over": {name: statistics.median(ratios[name]) for name in compared},
        "loop_over_range": {name: [min(ratios[name]), max(ratios[name])] for name in compared},
        "promised_loop_over_raw_decode": 0.7,
        "sampling_part_of_loop": statistics.median(ratios["sampling"]),
        "promised_sampling_part_of_loop": 0.08,
        **({"llama_cpp_skipped": no_llama} if no_llama else {}),
    }


def _requests(local: Local, executors: int, repeat: int) -> list[ChatRequest]:
    """One request per question and executor; executors of a question share its prompt."""
    from econ_env.llm.types import ChatRequest, Message

    return [
        ChatRequest(
            messages=(Message(role="user", content=QUESTION.format(20 + number) + INSTRUCTION),),
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_tokens=local.max_tokens,
            seed=(repeat * 1000 + number) * executors + executor,
            model=local.model,
            role="execute",
        )
        for number in range(local.questions)
        for executor in range(executors)
    ]


class _Engine:
    """The same weights without the loop: forward passes, draws, and ``transformers.generate``."""

    def __init__(self, path: str, local: Local, executors: int) -> None:
        import torch

        from econ_env.llm.local.decode_loop import sampler_for
        from econ_env.llm.local.loading import load_checkpoint
        from econ_env.llm.local.sampler import DecodeRow

        # Weights are shared: this is the model that the loop runs.
        checkpoint = load_checkpoint(path, dtype="auto", device=None)
        self._loop, self._tokenizer = checkpoint.loop, checkpoint.tokenizer
        self._model: Any = checkpoint.model
        self._tokenizer.padding_side = "left"
        self._local, self._executors = local, executors
        self.number_format = str(self._model.dtype).removeprefix("torch.")
        rows = local.in_flight
        prompt = self._prompts(_requests(local, 1, 0)[:1])["input_ids"][0].tolist()
        middle = (*prompt, *[prompt[-1]] * (local.max_tokens // 2))
        self._cache, mask, logits = self._loop.prefill([middle])
        self._cache.batch_select_indices(torch.zeros(rows, dtype=torch.int64))
        self._mask, self._logits = mask.repeat(rows, 1), logits.repeat(rows, 1)
        self._ids = logits.argmax(dim=-1).repeat(rows)[:, None]
        self._sampler = sampler_for(logits)
        self._sampler.enter(
            [
                DecodeRow(
                    prompt=middle,
                    temperature=TEMPERATURE,
                    repetition_penalty=1.0,
                    top_p=TOP_P,
                    max_tokens=local.max_tokens,
                    seed=seed,
                )
                for seed in range(rows)
            ]
        )

    def decode(self, repeat: int) -> int:
        """Tokens of a few steps of all rows."""
        import torch

        for _ in range(RAW_STEPS):
            self._mask = torch.cat([self._mask, torch.ones_like(self._ids)], dim=1)
            self._logits = self._loop.forward(self._ids, self._mask, self._cache)
        return RAW_STEPS * len(self._ids)

    def sample(self, repeat: int) -> int:
        """Tokens drawn from the logits of the last step."""
        for _ in range(RAW_STEPS):
            self._sampler.sample(self._logits)
        return RAW_STEPS * len(self._ids)

    def generate(self, repeat: int) -> int:
        """Tokens up to and with each row's end token."""
        import numpy as np
        import torch

        requests = _requests(self._local, self._executors, repeat)
        torch.manual_seed(repeat)
        count = 0
        for start in range(0, len(requests), self._local.in_flight):
            batch = self._prompts(requests[start : start + self._local.in_flight])
            output = self._model.generate(
                **batch,
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=TOP_P,
                top_k=0,
                repetition_penalty=1.0,
                max_new_tokens=self._local.max_tokens,
            )
            written = output[:, batch["input_ids"].shape[1] :].numpy()
            at_end = np.isin(written, np.atleast_1d(self._model.generation_config.eos_token_id))
            lengths = np.where(at_end.any(axis=1), at_end.argmax(axis=1) + 1, at_end.shape[1])
            count += int(lengths.sum())
        return count

    def _prompts(self, requests: list[ChatRequest]) -> Any:
        chats = [
            [{"role": message.role, "content": message.content} for message in request.messages]
            for request in requests
        ]
        batch: Any = self._tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        batch.pop("token_type_ids", None)
        return batch


def _why_no_llama(local: Local) -> str | None:
    """Reason for measuring no llama.cpp server; None: one is measured."""
    if local.gguf is None:
        return "no file is named: --local.gguf FILE"
    if find_spec("xllamacpp") is None:
        return "it is not installed: pip install xllamacpp"
    return None


@contextmanager
def _llama(
    local: Local, executors: int, *, left_out: bool
) -> Iterator[Callable[[int], int] | None]:
    """The task that a llama.cpp server of this process is given; it listens on loopback only."""
    if left_out:
        yield None
        return
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(local.gguf)
    params.n_parallel = LLAMA_SLOTS
    params.n_ctx = LLAMA_SLOTS * (512 + local.max_tokens)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = local.threads
    params.verbosity = 0
    server = xllamacpp.Server(params)

    def ask(request: ChatRequest) -> int:
        body = {
            "messages": [{"role": one.role, "content": one.content} for one in request.messages],
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
        }
        return int(server.handle_chat_completions(body)["usage"]["completion_tokens"])

    with ThreadPoolExecutor(LLAMA_SLOTS) as pool:
        yield lambda repeat: sum(pool.map(ask, _requests(local, executors, repeat)))
