"""Sampling from a wide vocabulary draws what sampling from a small one draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from econ_env.llm.local.decode_loop import sampler_for
from econ_env.llm.local.sampler import DecodeRow, Sampler
from econ_env.llm.local.wide_sampler import WIDE, WideSampler, draw

pytestmark = pytest.mark.slow

VOCABULARY = 1000  # no whole number of blocks


def rows_of(count: int, rng: np.random.Generator, **settings: Any) -> list[DecodeRow]:
    return [
        DecodeRow(
            prompt=tuple(rng.integers(VOCABULARY, size=8).tolist()),
            temperature=settings.get("temperature", float(rng.choice([0.0, 0.2, 0.7, 1.0, 2.0]))),
            repetition_penalty=settings.get("penalty", float(rng.choice([0.8, 1.0, 1.3]))),
            top_p=settings.get("top_p", float(rng.choice([0.3, 0.9, 1.0]))),
            max_tokens=30,
            seed=int(rng.integers(2**31)),
        )
        for _ in range(count)
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), spread=st.sampled_from([0.05, 1.0, 4.0, 12.0]))
def test_both_samplers_draw_the_same_tokens(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rows_of(6, rng)
    wide, full = WideSampler(VOCABULARY), Sampler(VOCABULARY, torch.device("cpu"))
    wide.enter(rows)
    full.enter(rows)
    for step in range(6):
        if step == 2:
            more = rows_of(2, rng)
            wide.enter(more)
            full.enter(more)
        if step == 4:
            index = torch.tensor([7, 0, 3, 3])
            wide.select(index)
            full.select(index)
        count = {0: 6, 1: 6, 2: 8, 3: 8}.get(step, 4)
        logits = torch.from_numpy(rng.normal(0.0, spread, size=(count, VOCABULARY)))
        assert wide.sample(logits).tolist() == full.sample(logits).tolist()


def test_rows_that_were_copied_go_on_apart() -> None:
    row = rows_of(1, np.random.default_rng(0), temperature=0.0, penalty=1.5)[0]
    sampler = WideSampler(VOCABULARY)
    sampler.enter([row])
    sampler.select(torch.tensor([0, 0]))
    logits = torch.zeros(2, VOCABULARY)
    logits[0, 500], logits[1, 600] = 9.0, 9.0
    assert sampler.sample(logits).tolist() == [500, 600]
    logits[:, 500], logits[:, 600] = 9.0, 8.9
    assert sampler.sample(logits).tolist() == [600, 500]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    temperature=st.floats(0.1, 2.0),
    penalty=st.floats(0.8, 1.5),
    top_p=st.floats(0.05, 0.999) | st.just(1.0),
)
def test_drawn_tokens_are_as_frequent_as_the_processors_of_transformers_say(
    seed: int, temperature: float, penalty: float, top_p: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0.0, 3.0, size=(1, 128)))
    present = torch.from_numpy(rng.integers(128, size=(1, 10)))
    expected: Any = RepetitionPenaltyLogitsProcessor(penalty)(present, logits.clone())
    expected = TemperatureLogitsWarper(temperature)(present, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(present, expected)
    expected = expected.softmax(dim=-1)[0]

    # The weights that the sampler hands to draw, and the whole of its inverse CDF.
    held = torch.ones_like(logits).scatter_(1, present, penalty)
    scores = torch.where(logits < 0, logits * held, logits / held)[0]
    weights = torch.exp((scores - scores.max()) / temperature)
    count = 2000
    drawn = [draw(weights, top_p, (i + 0.5) / count) for i in range(count)]
    frequency = np.bincount(drawn, minlength=128) / count
    assert np.abs(frequency - expected.numpy()).max() <= 2 / count + 1e-6
    assert not frequency[expected.numpy() == 0].any()


@pytest.mark.parametrize("top_p", [0.9, 1.0])
def test_the_largest_uniform_number_draws_a_token_that_has_weight(top_p: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = torch.from_numpy(rng.random(256)).float()
        weights[200:] = 0.0
        weights[0] = 1.0
        assert draw(weights, top_p, 1 - 2.0**-53) < 200


def test_equally_probable_tokens_at_the_border_all_stay() -> None:
    weights = torch.full((64,), 1e-9)
    weights[:3] = torch.tensor([1.0, 0.4, 0.4])
    assert {draw(weights, 0.6, (i + 0.5) / 100) for i in range(100)} == {0, 1, 2}


def test_the_smallest_temperature_takes_the_largest_logit() -> None:
    row = rows_of(1, np.random.default_rng(1), temperature=5e-324, penalty=1.0, top_p=0.9)[0]
    sampler = WideSampler(VOCABULARY)
    sampler.enter([row])
    logits = torch.full((1, VOCABULARY), -900.0)
    logits[0, 77] = 900.0
    assert sampler.sample(logits).tolist() == [77]


def test_a_row_that_is_not_finite_still_gives_an_id() -> None:
    sampler = WideSampler(VOCABULARY)
    sampler.enter(rows_of(2, np.random.default_rng(2), temperature=1.0))
    logits = torch.zeros(2, VOCABULARY)
    logits[0, 5], logits[1, 5] = torch.nan, torch.inf
    assert all(0 <= token < VOCABULARY for token in sampler.sample(logits).tolist())


def test_16_bit_logits_are_read_as_they_are() -> None:
    rows = rows_of(8, np.random.default_rng(3))
    one, other = WideSampler(VOCABULARY), WideSampler(VOCABULARY)
    one.enter(rows)
    other.enter(rows)
    logits = torch.randn(8, VOCABULARY, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert one.sample(logits).tolist() == other.sample(logits.float()).tolist()


def test_the_vocabulary_decides_who_draws() -> None:
    assert isinstance(sampler_for(torch.zeros(1, WIDE)), WideSampler)
    assert isinstance(sampler_for(torch.zeros(1, 1024)), Sampler)
