"""Training of one stage: batches of similar length, two optimisers, a cosine schedule, resuming."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from econ_env.seeds import derive_seed
from tools.bundled_models.examples import Example
from tools.bundled_models.tokenizer import render_prompt

BATCH_TOKENS = 3072
POOL_EXAMPLES = 2048
LENGTH_STEP = 32
PROMPT_WEIGHT = 0.1
"""Weight of the loss on the prompt's tokens, which teaches the language of the questions."""
WARM_UP = 0.02
FINAL_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A training stage of ``n_examples``; ``example(i)`` must be a function of ``i`` alone."""

    name: str
    n_examples: int
    learning_rate: float
    example: Callable[[int], Example]
    seed: int
    label_smoothing: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Token ids of a prompt and its reply, and the length of the prompt."""

    ids: list[int]
    prompt_length: int


def encode(tokenizer: Any, examples: Sequence[Example]) -> list[Encoded]:
    """Tokenise examples as the chat template does; every reply ends with the end token."""
    backend = tokenizer.backend_tokenizer
    prompts = backend.encode_batch_fast([render_prompt(e.messages) for e in examples])
    replies = backend.encode_batch_fast([e.reply for e in examples])
    return [
        Encoded(ids=[*prompt.ids, *reply.ids, tokenizer.eos_token_id], prompt_length=len(prompt))
        for prompt, reply in zip(prompts, replies, strict=True)
    ]


def batches(encoded: Sequence[Encoded], rng: random.Random) -> Iterator[list[Encoded]]:
    """Yield batches of at most ``BATCH_TOKENS`` padded tokens and of similar rows, shuffled."""
    ordered = sorted(encoded, key=lambda e: len(e.ids), reverse=True)
    cut: list[list[Encoded]] = []
    start = 0
    while start < len(ordered):
        rows = max(1, BATCH_TOKENS // _padded(len(ordered[start].ids)))
        cut.append(ordered[start : start + rows])
        start += rows
    rng.shuffle(cut)
    yield from cut


def _padded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def collate(rows: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return right-padded token ids and loss weights, both ``(rows, padded_length)``.

    The weight at position t is the weight of predicting token t.
    """
    length = _padded(max(len(row.ids) for row in rows))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weights = torch.zeros(len(rows), length)
    for number, row in enumerate(rows):
        end = len(row.ids)
        ids[number, :end] = torch.tensor(row.ids)
        weights[number, 1 : row.prompt_length] = PROMPT_WEIGHT
        weights[number, row.prompt_length : end] = 1.0
    return ids, weights


def load_tied(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Load weights that leave out the output layer, which is tied to the embeddings.

    Raises:
        ValueError: the weights belong to a model of another shape.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise ValueError(f"These weights belong to another model: {error}") from error
    if {*missing} - {"lm_head.weight"} or unexpected:
        raise ValueError(f"These weights belong to another model: {missing=}, {unexpected=}")


class StageTrainer:
    """Trainer that takes one model through its stages and can resume after an interruption.

    Hidden matrices are trained by Muon, embeddings and norms by AdamW. The state is written as
    safetensors to a temporary file, which is then renamed.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, folder: Path, *, device: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.folder = folder
        self.device = device
        matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
        chosen = {id(p) for p in matrices}
        others = [p for p in model.parameters() if id(p) not in chosen]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0),
        ]

    def run(self, stage: Stage) -> None:
        """Train ``stage`` to its end, starting from the saved state if there is one."""
        done = self._restore(stage)
        with tqdm(total=stage.n_examples, initial=done, desc=stage.name, unit="ex") as bar:
            while done < stage.n_examples:
                size = min(POOL_EXAMPLES, stage.n_examples - done)
                pool = encode(self.tokenizer, [stage.example(done + i) for i in range(size)])
                rng = random.Random(derive_seed("pool", stage.name, stage.seed, done))
                seen = done
                losses = []
                for rows in batches(pool, rng):
                    losses.append(self._step(rows, stage, seen))
                    seen += len(rows)
                    bar.update(len(rows))
                done += size
                bar.set_postfix(loss=f"{sum(losses) / len(losses):.4f}")
                self._save(stage, done)

    def _step(self, rows: Sequence[Encoded], stage: Stage, done: int) -> float:
        ids, weights = (tensor.to(self.device) for tensor in collate(rows))
        with torch.autocast(self.device, dtype=torch.bfloat16):
            logits = self.model(input_ids=ids, use_cache=False).logits
        losses = nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1),
            ids[:, 1:].flatten(),
            reduction="none",
            label_smoothing=stage.label_smoothing,
        )
        flat = weights[:, 1:].flatten()
        loss = (losses * flat).sum() / flat.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(stage, done)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"The loss became {value}; the state before it is saved.")
        return value

    def _path(self, stage: Stage) -> Path:
        return self.folder / f"{stage.name}.safetensors"

    def _save(self, stage: Stage, done: int) -> None:
        """Write weights, optimiser states and position; a killed process leaves the old file."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors.pop("model.lm_head.weight", None)
        for number, optimiser in enumerate(self.optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                for key, value in state.items():
                    tensors[f"optimiser.{number}.{index}.{key}"] = torch.as_tensor(value)
        path = self._path(stage)
        temporary = path.with_suffix(".tmp")
        save_file(
            {k: v.contiguous().cpu() for k, v in tensors.items()},
            temporary,
            metadata={"done": str(done)},
        )
        temporary.replace(path)

    def _restore(self, stage: Stage) -> int:
        """Load the saved state of ``stage`` and return the number of examples done.

        Return 0 and leave the weights unchanged if there is no saved state.
        """
        from safetensors import safe_open

        path = self._path(stage)
        if not path.exists():
            return 0
        with safe_open(path, "pt") as file:
            done = int(file.metadata()["done"])
        tensors = load_file(path)
        weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model.")}
        load_tied(self.model, weights)
        for number, optimiser in enumerate(self.optimisers):
            states: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimiser.{number}."):
                    _, _, index, name = key.split(".", 3)
                    states.setdefault(int(index), {})[name] = value
            full = optimiser.state_dict()
            optimiser.load_state_dict({"state": states, "param_groups": full["param_groups"]})
        return done


def _learning_rate(stage: Stage, done: int) -> float:
    """Learning rate: a linear warm-up, then a cosine down to ``FINAL_SHARE`` of the peak."""
    progress = done / stage.n_examples
    if progress < WARM_UP:
        return stage.learning_rate * max(progress, 1e-3) / WARM_UP
    cosine = 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))
    return stage.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)
