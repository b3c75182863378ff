"""The log of a run holds every number once, and goes on after a kill as if there had been none."""

from __future__ import annotations

import csv
import importlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_agents.logging.metrics_log import (
    CSV,
    JSONL,
    MetricsError,
    MetricsLog,
    deterministic,
    read_metrics,
)


def open_log(folder: Path, resume_at_step: int | None = None) -> MetricsLog:
    return MetricsLog(folder, tensorboard=False, wandb_mode="off", resume_at_step=resume_at_step)


def text_of(folder: Path) -> str:
    return (folder / JSONL).read_text()


def test_a_line_is_on_disk_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(1, {"collection/reward_mean": 0.5, "counters/episodes": 16})
        assert text_of(tmp_path) == (
            '{"step": 1, "collection/reward_mean": 0.5, "counters/episodes": 16.0}\n'
        )
        log.write(1, {"eval/nash_conv": np.float64(0.25)})
        assert read_metrics(tmp_path)[1] == {"step": 1, "eval/nash_conv": 0.25}


@settings(max_examples=20)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_kept_exactly(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    with open_log(folder) as log:
        for step, value in enumerate(values):
            log.write(step, {"train/loss_td": value})
    with (folder / CSV).open(newline="") as file:
        table = [float(row["train/loss_td"]) for row in csv.DictReader(file)]
    read = [line["train/loss_td"] for line in read_metrics(folder)]
    assert [x.hex() for x in read] == [x.hex() for x in table] == [x.hex() for x in values]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_a_number_that_is_none_is_refused_by_its_name(tmp_path: Path, value: float) -> None:
    with open_log(tmp_path) as log:
        with pytest.raises(MetricsError, match=r"train/loss_td is -?(nan|inf) at step 3"):
            log.write(3, {"train/alpha_ts": 1.0, "train/loss_td": value})
        assert text_of(tmp_path) == ""


@pytest.mark.parametrize(
    "name", ["loss", "loss/td", "train", "train/", "trains/loss", "train/a b", "train//x", "step"]
)
def test_a_name_outside_of_the_namespaces_is_refused(tmp_path: Path, name: str) -> None:
    with open_log(tmp_path) as log, pytest.raises(MetricsError, match="is not the name of a"):
        log.write(1, {name: 1.0})


def test_steps_do_not_go_back(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(5, {"counters/episodes": 5})
        with pytest.raises(MetricsError, match="step 4 comes after step 5"):
            log.write(4, {"counters/episodes": 4})
    resumed = open_log(tmp_path, resume_at_step=7)
    with resumed as log, pytest.raises(MetricsError, match="step 4 comes after step 5"):
        log.write(4, {"counters/episodes": 4})


def test_the_table_shows_every_line_and_takes_new_columns(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(1, {"collection/reward_mean": 0.5})
        log.sync()
        assert (tmp_path / CSV).read_text() == "step,collection/reward_mean\n1,0.5\n"
        log.write(2, {"eval/nash_conv": 2, "collection/reward_mean": 0.75})
    assert (tmp_path / CSV).read_text() == (
        "step,collection/reward_mean,eval/nash_conv\n1,0.5,\n2,0.75,2.0\n"
    )


def values_at(step: int) -> dict[str, float]:
    values = {"collection/reward_mean": math.sin(step), "timers/rollout": math.cos(step)}
    return values | ({"eval/nash_conv": 1 / step} if step % 3 == 0 else {})


@settings(max_examples=30)
@given(killed_at=st.integers(0, 12), checkpoint=st.integers(0, 12), torn=st.integers(0, 40))
def test_a_resumed_log_equals_an_uninterrupted_one(
    tmp_path_factory: pytest.TempPathFactory, killed_at: int, checkpoint: int, torn: int
) -> None:
    checkpoint = min(checkpoint, killed_at)
    whole, killed = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")
    with open_log(whole) as log:
        for step in range(1, 13):
            log.write(step, values_at(step))
    with open_log(killed) as log:
        for step in range(1, killed_at + 1):
            log.write(step, values_at(step))
    with (killed / JSONL).open("a") as file:
        file.write(json.dumps({"step": killed_at + 1, **values_at(killed_at + 1)})[:torn])
    with open_log(killed, resume_at_step=checkpoint) as log:
        for step in range(checkpoint + 1, 13):
            log.write(step, values_at(step))
    for name in (JSONL, CSV):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_timers_are_what_differs_between_equal_runs() -> None:
    line = {"step": 3, "collection/reward_mean": 0.5, "timers/rollout": 1.25}
    assert deterministic(line) == {"step": 3, "collection/reward_mean": 0.5}


def test_the_log_of_another_run_is_not_overwritten(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.write(1, {"counters/episodes": 1})
    with pytest.raises(MetricsError, match="holds the metrics of another run"):
        open_log(tmp_path)
    assert len(read_metrics(tmp_path)) == 1


def test_without_a_log_there_is_nothing_to_continue(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"metrics\.jsonl cannot be read"):
        open_log(tmp_path, resume_at_step=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[1]",
        '{"step": "1"}',
        '{"train/x": 1}',
        '{"step": 1, "train/x": null}',
        '{"step": 1, "train/x": NaN}',
    ],
)
def test_a_damaged_line_before_the_end_is_an_error_with_its_place(
    tmp_path: Path, damage: str
) -> None:
    (tmp_path / JSONL).write_text(f'{{"step": 1}}\n{damage}\n{{"step": 2}}\n')
    with pytest.raises(MetricsError, match=r"metrics\.jsonl:2 is damaged"):
        open_log(tmp_path, resume_at_step=2)
    assert damage in text_of(tmp_path)


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_tensorboard_shows_the_same_numbers_and_forgets_what_was_cut_off(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, tensorboard=True, wandb_mode="off", resume_at_step=None) as log:
        for step in (1, 2, 3):
            log.write(step, {"train/loss_td": step})
    with MetricsLog(tmp_path, tensorboard=True, wandb_mode="off", resume_at_step=1) as log:
        log.write(2, {"train/loss_td": 20})
    assert scalars(tmp_path, "train/loss_td") == [(1, 1.0), (2, 20.0)]


def test_without_tensorboard_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MetricsError, match=r"econ-env\[train\].*logging\.tensorboard=false"):
        MetricsLog(tmp_path, tensorboard=True, wandb_mode="off", resume_at_step=None)
    with open_log(tmp_path) as log:
        log.write(1, {"counters/episodes": 1})


class FakeRun:
    """Stand-in for the result of ``wandb.init``, as far as it is used."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, float], int]] = []
        self.finished = False

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        self.logged.append((dict(values), step))

    def finish(self) -> None:
        self.finished = True


def test_wandb_takes_the_same_numbers_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = FakeRun(), {}

    def init(**arguments: Any) -> FakeRun:
        asked.update(arguments)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    folder = tmp_path / "p0"
    with MetricsLog(folder, tensorboard=False, wandb_mode="offline", resume_at_step=None) as log:
        log.write(4, {"train/loss_td": 0.5})
    assert run.logged == [({"train/loss_td": 0.5}, 4)]
    assert run.finished
    assert asked["mode"] == "offline"
    assert asked["group"] == "p0"
    assert asked["dir"] == str(folder)


def test_without_wandb_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MetricsError, match="pip install wandb"):
        MetricsLog(tmp_path, tensorboard=False, wandb_mode="online", resume_at_step=None)
    assert not (tmp_path / JSONL).exists()
