"""Continuous batching: who runs when, that texts do not feel it, and that failures stay alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from econ_env.llm.in_flight import InFlight
from econ_env.llm.incremental import all_at_once
from econ_env.llm.local import loading
from econ_env.llm.local.decode_loop import (
    ALIGNMENT,
    ROW_FLOOR,
    DecodedRow,
    DecodeLoop,
    RunningBatch,
)
from econ_env.llm.local.loading import LoadedModel, fast_format, load_checkpoint
from econ_env.llm.local.memory import available_bytes
from econ_env.llm.local.model import LocalModel
from econ_env.llm.local.sampler import DecodeRow
from econ_env.llm.local.scheduler import Capacity, Scheduler
from econ_env.llm.types import ChatRequest, Completion
from tests.econ_env.llm.local.test_model import (
    ask,
    outcome,
    save_model,
    varied_requests,
)

pytestmark = pytest.mark.slow

ROOMY = Capacity(rows=64, positions=100_000, chunk=512)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: save_model(root / name, name) for name in ("llama", "qwen2")}


@pytest.fixture
def not_small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny models of the tests count as ones that are not small."""
    monkeypatch.setattr(loading, "SMALL", 0)
    loading._loaded.clear()
    yield
    loading._loaded.clear()


@pytest.fixture
def llama(folders: dict[str, Path], not_small: None) -> LocalModel:
    return LocalModel(str(folders["llama"]), name="m", dtype="float32")


@pytest.fixture(scope="module")
def checkpoint(folders: dict[str, Path]) -> LoadedModel:
    return load_checkpoint(str(folders["llama"]), dtype="float32", device="cpu")


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows and new positions of every forward pass."""
    shapes: list[tuple[int, int]] = []
    forward = DecodeLoop.forward

    def counted(self: DecodeLoop, ids: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        shapes.append((ids.shape[0], ids.shape[1]))
        return forward(self, ids, *args, **kwargs)

    monkeypatch.setattr(DecodeLoop, "forward", counted)
    return shapes


def row(prompt: Sequence[int], *, seed: int = 0, max_tokens: int = 12, **others: Any) -> DecodeRow:
    base: dict[str, Any] = {"temperature": 1.0, "repetition_penalty": 1.0, "top_p": 0.9}
    return DecodeRow(prompt=tuple(prompt), seed=seed, max_tokens=max_tokens, **(base | others))


def finish(scheduler: Scheduler) -> dict[int, DecodedRow | Exception]:
    done: dict[int, DecodedRow | Exception] = {}
    while scheduler.busy:
        done.update(scheduler.step())
    return done


def tokens(outcome: DecodedRow | Exception) -> tuple[int, ...]:
    assert isinstance(outcome, DecodedRow)
    return outcome.tokens


# Who runs when


def test_waiting_rows_enter_when_others_leave(
    checkpoint: LoadedModel, forwards: list[tuple[int, int]]
) -> None:
    # Four rows at a time. One of each four is long: in batches that are cut beforehand everybody
    # waits for it.
    loop = DecodeLoop(checkpoint.model, end_tokens=frozenset(), source="m")
    rows = [row([5 + i] * 4, seed=i, max_tokens=60 if i % 4 == 0 else 6) for i in range(12)]
    for start in range(0, 12, 4):
        loop.run(rows[start : start + 4])
    in_batches = sum(new == 1 for _, new in forwards)
    forwards.clear()

    scheduler = Scheduler(loop, Capacity(rows=4, positions=10_000, chunk=512))
    for key, one in enumerate(rows):
        scheduler.submit(key, one)
    done = finish(scheduler)

    assert sorted(done) == list(range(12))
    assert sum(new == 1 for _, new in forwards) < 0.7 * in_batches


def test_rows_that_come_later_run_beside_those_that_run(
    checkpoint: LoadedModel, forwards: list[tuple[int, int]]
) -> None:
    loop = DecodeLoop(checkpoint.model, end_tokens=frozenset(), source="m")
    scheduler = Scheduler(loop, ROOMY)
    scheduler.submit(0, row([7, 8, 9], max_tokens=50))
    for _ in range(5):
        assert scheduler.step() == []
    scheduler.submit(1, row([9, 8], max_tokens=3))
    done = []
    while scheduler.busy:
        done += [key for key, _ in scheduler.step()]
    assert done == [1, 0]
    assert sum(new == 1 for _, new in forwards) == 49


def test_the_number_of_rows_is_bounded(llama: LocalModel, folders: dict[str, Path]) -> None:
    seen: list[int] = []
    narrow = LocalModel(str(folders["llama"]), dtype="float32", max_batch_rows=3)
    requests = varied_requests(11, seed=3)
    step = RunningBatch.step

    def counted(self: RunningBatch) -> Any:
        seen.append(self.running)
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunningBatch, "step", counted)
        found = narrow.generate(requests)
    assert max(seen) == 3
    assert [outcome(c) for c in found] == [outcome(c) for c in llama.generate(requests)]


def test_memory_bounds_what_runs_side_by_side(checkpoint: LoadedModel) -> None:
    loop = DecodeLoop(checkpoint.model, end_tokens=frozenset(), source="m")
    # Each row takes 16 + 40 positions in the end, so three fit and four do not.
    capacity = Capacity(rows=64, positions=200, chunk=512)
    scheduler = Scheduler(loop, capacity)
    for key in range(10):
        scheduler.submit(key, row([3 + key] * 5, max_tokens=40))
    most = 0
    while scheduler.busy:
        scheduler.step()
        running, width = scheduler._batch.running, scheduler._batch.width
        most = max(most, running)
        assert running * width <= capacity.positions
    assert most == 3


def test_rows_of_one_prompt_that_never_fit_together_run_one_after_the_other(
    checkpoint: LoadedModel,
) -> None:
    scheduler = Scheduler(checkpoint.loop, Capacity(rows=8, positions=10, chunk=512))
    for key in range(3):
        scheduler.submit(key, row([4] * 5, seed=key))
    assert sorted(finish(scheduler)) == [0, 1, 2]


def test_memory_for_keys_and_values_decides_how_many_positions_fit(
    llama: LocalModel, folders: dict[str, Path]
) -> None:
    # 2 layers, 2 heads of 8 numbers, keys and values, 4 bytes each.
    assert llama._open().checkpoint.loop.bytes_per_position == 2 * 2 * 8 * 2 * 4
    small = LocalModel(str(folders["llama"]), dtype="float32", cache_bytes=256 * 1000)
    assert small._open().capacity.positions == 1000
    half = available_bytes(torch.device("cpu")) // 2 // 256
    assert llama._open().capacity.positions == pytest.approx(half, rel=0.5)


@pytest.mark.parametrize("setting", ["cache_bytes", "max_batch_rows"])
def test_bounds_below_1_are_refused(folders: dict[str, Path], setting: str) -> None:
    settings: dict[str, Any] = {setting: 0}
    with pytest.raises(ValueError, match=f"{setting} must be at least 1"):
        LocalModel(str(folders["llama"]), **settings)


# Prompts


def test_executors_share_the_computation_of_their_prompt(
    llama: LocalModel, forwards: list[tuple[int, int]]
) -> None:
    prompts = ("tom has", "sam sells twice more than each")
    batch = [ask(content, seed=seed) for content in prompts for seed in range(3)]
    usages = [completion.usage for completion in llama.generate(batch)]
    assert sum(rows * new for rows, new in forwards if new > 1) <= 2 * 32
    assert sorted(u.cached_tokens / u.prompt_tokens for u in usages) == [0, 0, 1, 1, 1, 1]


def test_a_shared_prompt_gives_the_same_texts_as_separate_ones(llama: LocalModel) -> None:
    batch = [ask("tom has 12 apples", seed=seed, temperature=0.4 * seed) for seed in range(4)]
    together = [outcome(completion) for completion in llama.generate(batch)]
    assert together == [outcome(llama.generate([request])[0]) for request in batch]


def test_long_prompts_are_computed_in_chunks_between_steps(
    checkpoint: LoadedModel, forwards: list[tuple[int, int]]
) -> None:
    loop = DecodeLoop(checkpoint.model, end_tokens=frozenset(), source="m")
    long = [3 + i % 200 for i in range(150)]
    whole = tokens(finish_one(loop, ROOMY, row(long)))
    forwards.clear()

    scheduler = Scheduler(loop, Capacity(rows=64, positions=10_000, chunk=32))
    scheduler.submit(0, row([9] * 20, max_tokens=80))
    scheduler.step()
    scheduler.submit(1, row(long))
    done = finish(scheduler)

    assert max(new for _, new in forwards) == 32
    at = [i for i, (_, new) in enumerate(forwards) if new > 1]
    assert len(at) == 6  # one for the short prompt, five for the long one
    assert all(forwards[i + 1][1] == 1 for i in at)  # a step of the other row after every chunk
    assert tokens(done[1]) == whole


def finish_one(loop: DecodeLoop, capacity: Capacity, one: DecodeRow) -> DecodedRow | Exception:
    scheduler = Scheduler(loop, capacity)
    scheduler.submit(0, one)
    return finish(scheduler)[0]


@pytest.mark.parametrize("length", [1, 15, 16, 17, 100, 129])
def test_chunks_give_the_logits_of_one_pass(checkpoint: LoadedModel, length: int) -> None:
    loop = checkpoint.loop
    prompts = [tuple(5 + i % 99 for i in range(length)), (7, 8)]
    with torch.inference_mode():
        _, _, whole = loop.prefill(prompts)
        *_, last = loop.prefill_in_chunks(prompts, chunk=16)
    assert last is not None
    assert torch.allclose(last[2], whole, atol=1e-4)


# What a text depends on


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_texts_do_not_depend_on_who_runs_beside_them(
    folders: dict[str, Path], not_small: None, architecture: str
) -> None:
    # The layers of qwen2 with a window cannot take rows that enter later: it goes batch by batch.
    model = LocalModel(str(folders[architecture]), dtype="float32", max_batch_rows=6)
    requests = varied_requests(20, seed=9)
    among = [outcome(completion) for completion in model.generate(requests)]
    assert among == [outcome(model.generate([request])[0]) for request in requests]
    assert [outcome(c) for c in reversed(model.generate(requests[::-1]))] == among


def test_in_float32_rows_enter_only_where_their_place_in_the_lanes_is_their_own(
    folders: dict[str, Path], not_small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: dict[str, set[int]] = {"float32": set(), "bfloat16": set()}
    enter = RunningBatch.enter
    formats: tuple[loading.DtypeName, ...] = ("float32", "bfloat16")
    for dtype in formats:

        def seen(self: RunningBatch, *args: Any, dtype: str = dtype) -> None:
            if self.running:
                at[dtype].add(self.width % ALIGNMENT)
            enter(self, *args)

        monkeypatch.setattr(RunningBatch, "enter", seen)
        model = LocalModel(str(folders["llama"]), dtype=dtype, max_batch_rows=6)
        model.generate(varied_requests(30, seed=9))
    assert at["float32"] == {0}
    assert len(at["bfloat16"]) > 1


def test_texts_are_those_of_batches_cut_beforehand(llama: LocalModel) -> None:
    requests = varied_requests(20, seed=10)
    in_batches = {i: outcome(c) for i, c in llama._in_batches(requests)}
    assert {i: outcome(c) for i, c in llama.generate_each(requests)} == in_batches


def test_every_completion_comes_once_and_short_ones_come_first(llama: LocalModel) -> None:
    requests = [ask("tom", seed=i, max_tokens=30 if i % 2 else 1) for i in range(8)]
    order = [index for index, _ in llama.generate_each(requests)]
    assert sorted(order) == list(range(8))
    assert order[:4] == [0, 2, 4, 6]


def test_requests_may_follow_from_the_first_answers(llama: LocalModel) -> None:
    first, then = [ask("tom", max_tokens=1), ask("sam", max_tokens=40)], [ask("box", max_tokens=2)]
    waiting = [first]

    def feed() -> list[ChatRequest]:
        return waiting.pop() if waiting else []

    answered: list[tuple[int, Completion]] = []
    for position, completion in llama.answer(feed):
        answered.append((position, completion))
        if position == 0:
            waiting.append(then)
    assert [position for position, _ in answered] == [0, 2, 1]
    alone = llama.generate([*first, *then])
    assert [outcome(c) for _, c in sorted(answered, key=lambda pair: pair[0])] == [
        outcome(c) for c in alone
    ]


def test_what_is_generated_and_what_waits_for_a_place_is_told(
    folders: dict[str, Path], not_small: None
) -> None:
    model = LocalModel(str(folders["llama"]), max_batch_rows=4)
    lengths = (1, 30, 30, 30, 30, 30)
    requests = [ask(f"tom {i}", seed=i, max_tokens=n) for i, n in enumerate(lengths)]
    assert model.in_flight() == InFlight()
    answers = model.generate_each(requests)
    assert next(answers)[0] == 0
    told = model.in_flight()
    assert (told.sent, told.waiting) == (3, 2)
    assert told.slowest_s > 0
    assert len(list(answers)) == 5
    assert model.in_flight() == InFlight()
    stopped = model.generate_each(requests)
    next(stopped)
    stopped.close()
    assert model.in_flight() == InFlight()


@pytest.mark.parametrize(("asked", "used"), [("3", 3), ("", None), ("many", None), ("0", None)])
def test_a_model_that_is_not_small_uses_all_processors_beside_a_learner_that_uses_one(
    llama: LocalModel, monkeypatch: pytest.MonkeyPatch, asked: str, used: int | None
) -> None:
    during: list[int] = []
    step = Scheduler.step

    def watched(self: Scheduler) -> list[tuple[int, Any]]:
        during.append(torch.get_num_threads())
        return step(self)

    monkeypatch.setattr(Scheduler, "step", watched)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        llama.generate([ask("tom")])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert set(during) == {used or len(os.sched_getaffinity(0))}


# Failures


def test_a_row_on_which_the_model_fails_fails_alone(
    llama: LocalModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requests = [ask("tom has", seed=i, max_tokens=9) for i in range(5)]
    expected = [outcome(completion) for completion in llama.generate(requests)]
    step = RunningBatch.step

    def stumbles(self: RunningBatch) -> Any:
        if any(one.row.seed == 3 and len(one.tokens) == 4 for one in self._rows):
            raise RuntimeError("kernel exploded")
        return step(self)

    monkeypatch.setattr(RunningBatch, "step", stumbles)
    completions = llama.generate(requests)
    assert completions[3].error is not None
    assert "RuntimeError: kernel exploded" in completions[3].error
    del completions[3], expected[3]
    assert [outcome(completion) for completion in completions] == expected
    assert "kernel exploded" in caplog.text


def test_a_prompt_on_which_the_model_fails_does_not_take_others_with_it(
    checkpoint: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefill = DecodeLoop.prefill_in_chunks

    def stumbles(self: DecodeLoop, prompts: Any, **kwargs: Any) -> Any:
        if any(len(prompt) == 3 for prompt in prompts):
            raise RuntimeError("no room")
        yield from prefill(self, prompts, **kwargs)

    monkeypatch.setattr(DecodeLoop, "prefill_in_chunks", stumbles)
    scheduler = Scheduler(checkpoint.loop, ROOMY)
    for key, length in enumerate((2, 3, 4)):
        scheduler.submit(key, row([9] * length))
    done = finish(scheduler)
    assert isinstance(done[1], RuntimeError)
    assert isinstance(done[0], DecodedRow)
    assert isinstance(done[2], DecodedRow)


def test_requests_that_cannot_run_fail_at_once_beside_others(llama: LocalModel) -> None:
    requests = [ask("tom"), ask("apples " * 700, max_tokens=9), ask("tom", temperature=-1.0)]
    fine, too_long, wrong = llama.generate(requests)
    assert fine.error is None
    assert too_long.error is not None
    assert "640" in too_long.error
    assert wrong.error is not None
    assert "temperature" in wrong.error


def test_an_interrupt_loses_nothing_that_is_finished(
    llama: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [ask("tom", seed=i, max_tokens=2 if i < 3 else 30) for i in range(6)]
    whole = [outcome(completion) for completion in llama.generate(requests)]
    steps = 0
    step = Scheduler.step

    def interrupted(self: Scheduler) -> Any:
        nonlocal steps
        steps += 1
        if steps == 10:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Scheduler, "step", interrupted)
    kept: dict[int, Completion] = {}
    with pytest.raises(KeyboardInterrupt):
        kept.update(one for one in _noting(kept, llama, requests))
    assert {0, 1, 2} <= set(kept)
    assert all(outcome(completion) == whole[i] for i, completion in kept.items())
    # Nothing of it stays: the next call is a new one.
    monkeypatch.setattr(Scheduler, "step", step)
    assert [outcome(completion) for completion in llama.generate(requests)] == whole


def _noting(
    kept: dict[int, Completion], model: LocalModel, requests: list[ChatRequest]
) -> Iterator[tuple[int, Completion]]:
    for position, completion in model.answer(all_at_once(requests)):
        kept[position] = completion
        yield position, completion


# Formats


def test_a_model_that_is_not_small_runs_in_the_format_that_is_fastest(
    folders: dict[str, Path], not_small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = torch.device("cpu")
    for has_it, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(loading, "_multiplies_in_bfloat16", lambda has_it=has_it: has_it)
        assert fast_format(cpu, stored=torch.float16) is expected
        model = LocalModel(str(folders["llama"]))
        assert model._open().checkpoint.model.dtype is expected
        assert all(c.error is None for c in model.generate(varied_requests(20, seed=2)))
        loading._loaded.clear()
    gpu = torch.device("cuda")
    assert fast_format(gpu, stored=torch.float16) is torch.float16
    assert fast_format(gpu, stored=torch.float32) is torch.bfloat16


def test_nothing_is_kept_for_gradients(llama: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    needed: list[bool] = []
    forward = DecodeLoop.forward

    def seen(self: DecodeLoop, *args: Any, **kwargs: Any) -> torch.Tensor:
        logits = forward(self, *args, **kwargs)
        needed.append(logits.requires_grad)
        return logits

    monkeypatch.setattr(DecodeLoop, "forward", seen)
    llama.generate([ask("tom")])
    assert not any(needed)


def test_small_models_keep_their_format_and_their_batches(folders: dict[str, Path]) -> None:
    model = LocalModel(str(folders["llama"]))
    assert model._open().checkpoint.model.dtype in (torch.float32, torch.float64)
    assert not model.streams
    assert model._open().capacity.rows == 64


def test_a_batch_in_float32_never_has_fewer_rows_than_keep_sums_in_order(
    llama: LocalModel, forwards: list[tuple[int, int]]
) -> None:
    llama.generate(varied_requests(20, seed=5))
    assert min(rows for rows, new in forwards if new == 1) >= ROW_FLOOR
