"""Training can be interrupted anywhere and ends with the same weights."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from unittest import mock

import pytest
import torch

from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models import optimisation
from tools.bundled_models.examples import execute_example
from tools.bundled_models.making import export, load_weights, make_model, make_tokenizer
from tools.bundled_models.optimisation import (
    BATCH_TOKENS,
    PROMPT_WEIGHT,
    Encoded,
    Stage,
    StageTrainer,
    batches,
    collate,
    encode,
)
from tools.bundled_models.recipe import CONTEXT_LIMIT, RECIPES
from tools.bundled_models.sampling import load_samples, sample_questions
from tools.bundled_models.stages import team_stage
from tools.bundled_models.tokenizer import FORMS, render_prompt
from tools.bundled_models.train import can_compile, require_same_recipe

TINY = replace(
    RECIPES[0], hidden_size=32, layers=1, heads=2, key_value_heads=2, feed_forward_size=48
)
PROBLEMS = ArithmeticQuestions(split="train", seed=1)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(TINY)


def stage(n_examples=96):
    return Stage(
        name="solve",
        n_examples=n_examples,
        learning_rate=1e-3,
        seed=5,
        example=lambda i: execute_example(random.Random(i), PROBLEMS.problem(i)),
    )


def weights_after(tokenizer, folder, interrupt_after=None):
    """Train in a new trainer; ``interrupt_after``: pools after which the process "dies"."""
    model = make_model(TINY, tokenizer)
    trainer = StageTrainer(model, tokenizer, folder, device="cpu")
    save, saved = trainer._save, []

    def save_and_die(*arguments):
        save(*arguments)
        saved.append(arguments)
        if len(saved) == interrupt_after:
            raise KeyboardInterrupt

    with mock.patch.object(trainer, "_save", save_and_die):
        trainer.run(stage())
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_weights(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(optimisation, "POOL_EXAMPLES", 32)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = weights_after(tokenizer, tmp_path / "whole")
    for pools in (1, 1):
        with pytest.raises(KeyboardInterrupt):
            weights_after(tokenizer, tmp_path / "parts", interrupt_after=pools)
    parts = weights_after(tokenizer, tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_tokens_are_those_of_the_chat_template(tokenizer):
    examples = [stage().example(i) for i in range(20)]
    for example, encoded in zip(examples, encode(tokenizer, examples), strict=True):
        chat = [{"role": m.role, "content": m.content} for m in example.messages]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        assert prompt == render_prompt(example.messages)
        assert encoded.ids[: encoded.prompt_length] == tokenizer.encode(prompt)
        assert tokenizer.decode(encoded.ids[encoded.prompt_length : -1]) == example.reply
        assert encoded.ids[-1] == tokenizer.eos_token_id


def test_batches_hold_every_example_once_and_stay_within_their_size(tokenizer):
    encoded = encode(tokenizer, [stage().example(i) for i in range(200)])
    cut = list(batches(encoded, random.Random(0)))
    assert sorted(id(e) for rows in cut for e in rows) == sorted(map(id, encoded))
    for rows in cut:
        assert collate(rows)[0].numel() <= BATCH_TOKENS


def test_the_loss_counts_replies_fully_prompts_a_little_and_padding_not_at_all():
    ids, weights = collate([Encoded(ids=[5, 6, 7, 8, 9], prompt_length=3)])
    assert ids.shape == weights.shape == (1, 32)
    assert weights[0, :6].tolist() == pytest.approx([0, PROMPT_WEIGHT, PROMPT_WEIGHT, 1, 1, 0])


def test_a_loss_that_is_not_finite_stops_training(tokenizer, tmp_path):
    model = make_model(TINY, tokenizer)
    with torch.no_grad():
        model.model.embed_tokens.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="nan"):
        StageTrainer(model, tokenizer, tmp_path, device="cpu").run(stage())


def test_initial_weights_follow_from_the_recipe_and_leave_the_global_stream_alone(tokenizer):
    before = torch.random.get_rng_state()
    first, second = (make_model(TINY, tokenizer).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.slow
def test_an_exported_model_answers_sampling_and_its_samples_become_commitments(tokenizer, tmp_path):
    model = make_model(TINY, tokenizer)
    export(model, tokenizer, tmp_path / "solver")
    again = make_model(replace(TINY, number=1), tokenizer)
    load_weights(again, tmp_path / "solver")
    assert torch.equal(
        again.model.embed_tokens.weight, model.model.embed_tokens.weight.half().float()
    )

    path = tmp_path / "samples.jsonl"
    sample_questions(tmp_path / "solver", PROBLEMS, path, n_questions=2, seed=3)
    whole = path.read_text()
    first_line = whole.splitlines(keepends=True)[0]
    path.write_text(first_line + '{"index": 1, "pl')  # as a killed process leaves it
    sample_questions(tmp_path / "solver", PROBLEMS, path, n_questions=2, seed=3)
    assert path.read_text() == whole

    samples = load_samples(path, PROBLEMS)
    assert [s.problem for s in samples] == [PROBLEMS.problem(0), PROBLEMS.problem(1)]
    team = team_stage(TINY, samples)
    replies = [team.example(i) for i in range(60)]
    kinds = {example.messages[0].content.split(":")[0] for example in replies}
    assert kinds == {"plan", "solve", "commit"}


def test_any_text_can_be_encoded_and_forms_of_replies_are_single_tokens(tokenizer):
    text = "Zoë paid €3,50 — 17 × “tickets”\n\t<|end|x 数学 🙂"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    for form in FORMS:
        assert len(tokenizer.encode(form)) == 1
    assert tokenizer.model_max_length == CONTEXT_LIMIT


def test_states_of_another_recipe_are_not_continued(tmp_path):
    require_same_recipe(tmp_path, TINY)
    require_same_recipe(tmp_path, TINY)
    with pytest.raises(SystemExit, match="another recipe"):
        require_same_recipe(tmp_path, replace(TINY, layers=2))


def test_weights_of_another_shape_are_refused(tokenizer, tmp_path):
    export(make_model(TINY, tokenizer), tokenizer, tmp_path / "solver")
    for other in (replace(TINY, layers=2), replace(TINY, hidden_size=64)):
        with pytest.raises(ValueError, match="another model"):
            load_weights(make_model(other, tokenizer), tmp_path / "solver")


def test_nothing_is_compiled_where_a_path_has_spaces(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(torch, "__file__", "/home/me/.venv/torch/__init__.py")
    assert can_compile()
    monkeypatch.setattr(torch, "__file__", "/home/my clone/.venv/torch/__init__.py")
    assert not can_compile()
