"""Parts of a bundled model before and after training: tokenizer, initial weights, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tools.bundled_models.examples import commit_example, execute_example, strategy_example
from tools.bundled_models.optimisation import load_tied
from tools.bundled_models.recipe import CONTEXT_LIMIT, Recipe
from tools.bundled_models.stages import stage_problems, stage_rng
from tools.bundled_models.tokenizer import save_tokenizer, train_tokenizer

TOKENIZER_PROBLEMS = 3000


def make_tokenizer(recipe: Recipe) -> Any:
    """Make the tokenizer of ``recipe``, trained on texts such as the model will read and write."""
    return train_tokenizer(
        _tokenizer_texts(recipe),
        vocabulary_size=recipe.vocabulary_size,
        context_limit=CONTEXT_LIMIT,
        join_space_to_digit=recipe.join_space_to_digit,
    )


def _tokenizer_texts(recipe: Recipe) -> Iterator[str]:
    problems = stage_problems(recipe.seed, "solve")
    for index in range(TOKENIZER_PROBLEMS):
        problem, rng = problems.problem(index), stage_rng(recipe.seed, "tokenizer", index)
        for example in (
            strategy_example(rng, problem),
            execute_example(rng, problem),
            commit_example(rng, problem, problem.plan, [problem.solution] * 3),
        ):
            yield "\n".join(message.content for message in example.messages)
            yield example.reply


def make_model(recipe: Recipe, tokenizer: Any) -> Any:
    """Make an untrained model; its weights depend only on the recipe and its seed."""
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        config = recipe.config(len(tokenizer), tokenizer.eos_token_id)
        model = LlamaForCausalLM(config)
    # On a CPU the backward pass of fused attention takes four times as long as everything else.
    model.set_attn_implementation("eager")
    return model


def export(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the model in half precision with its tokenizer."""
    from transformers import AutoModelForCausalLM

    temporary = folder.with_name(folder.name + ".tmp")
    copy = AutoModelForCausalLM.from_config(model.config)
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(temporary, safe_serialization=True)
    save_tokenizer(tokenizer, temporary)
    if folder.exists():
        for path in temporary.iterdir():
            path.replace(folder / path.name)
        temporary.rmdir()
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(folder)


def load_weights(model: Any, folder: Path) -> None:
    """Load an exported model's weights."""
    from safetensors.torch import load_file

    load_tied(model, load_file(folder / "model.safetensors"))
