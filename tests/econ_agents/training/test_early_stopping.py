"""Training ends when there is nothing left to learn, and not before."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.config.schema import Config, EarlyStoppingSettings, TrainSettings
from econ_agents.training.early_stopping import (
    EarlyStopping,
    Measurement,
    PlateauStopping,
    Smoothed,
    Stopping,
    earliest_stop,
)


def measured(
    reward: float = 0.8, loss: float = 1.0, change: float | None = 0.0, episodes: int = 1
) -> Measurement:
    return Measurement(
        episodes=episodes,
        reward_per_decision=reward,
        loss=loss,
        metric=reward,
        commitment_change=change,
    )


def paper(patience: int = 3, warmup: int = 0, smoothing: float = 0.0) -> EarlyStopping:
    return EarlyStopping(
        commitment_threshold=0.01,
        reward_threshold=0.7,
        loss_threshold=1e-4,
        patience=patience,
        warmup=warmup,
        smoothing=smoothing,
    )


def plateau(
    patience: int = 3, warmup: int = 0, min_delta: float = 0.01, smoothing: float = 0.0
) -> PlateauStopping:
    return PlateauStopping(
        metric="accuracy",
        min_delta=min_delta,
        patience=patience,
        warmup=warmup,
        smoothing=smoothing,
    )


def ends_at(stopping: Stopping, series: Iterable[Measurement], interval: int = 1) -> int | None:
    """Number of episodes after which training ends, with a measurement every ``interval``."""
    for number, one in enumerate(series, start=1):
        if stopping.update(replace(one, episodes=interval * number)):
            return interval * number
        assert stopping.reason == ""
    return None


def test_a_converged_series_ends_after_patience() -> None:
    # The first has no loss before it, so the change of the loss is not known.
    stopping = paper(patience=3)
    assert ends_at(stopping, [measured()] * 10) == 4
    assert "3 episodes in a row" in stopping.reason


@pytest.mark.parametrize(
    ("late", "why"),
    [
        (measured(change=0.011), "the commitment moves"),
        (measured(reward=0.69), "the reward is low"),
        (measured(loss=1.0002), "the loss changes"),
    ],
)
def test_each_criterion_alone_keeps_training_going(late: Measurement, why: str) -> None:
    assert ends_at(paper(), [measured(), late] * 10) is None, why


def test_values_at_the_thresholds_fulfil_them() -> None:
    stopping = EarlyStopping(
        commitment_threshold=0.5,
        reward_threshold=0.7,
        loss_threshold=0.25,
        patience=2,
        warmup=0,
        smoothing=0.0,
    )
    series = [measured(0.7, loss, 0.5) for loss in (1.0, 1.25, 1.0)]
    assert ends_at(stopping, series) == 3


def test_an_interruption_begins_the_count_again() -> None:
    series = [measured()] * 3 + [measured(reward=0.0)] + [measured()] * 10
    assert ends_at(paper(patience=3), series) == 4 + 3


def test_a_noisy_descent_ends_when_it_has_settled() -> None:
    settled = 40
    series = [
        measured(
            reward=1 - math.exp(-t / 8),
            loss=math.exp(-t / 3) if t < settled else 0.0,
            change=math.exp(-t / 5),
        )
        for t in range(100)
    ]
    end = ends_at(paper(patience=5), series)
    assert end is not None
    assert 20 < end < settled + 6


@pytest.mark.parametrize("make", [paper, plateau])
@given(warmup=st.integers(0, 8), patience=st.integers(1, 6))
def test_nothing_ends_before_warmup_and_patience(
    make: Callable[[int, int], Stopping], warmup: int, patience: int
) -> None:
    end = ends_at(make(patience, warmup), [measured()] * 30)
    assert end is not None
    # One more is needed for the loss before the first, or for a best reward to compare with.
    first = warmup if make is paper and warmup > 0 else warmup + 1
    assert end == first + patience


MEASUREMENTS = st.lists(
    st.builds(
        measured,
        reward=st.sampled_from([0.0, 0.5, 0.7, 0.705, 0.8, 0.9]),
        loss=st.sampled_from([1.0, 1.00005, 2.0]),
        change=st.sampled_from([0.0, 0.01, 0.5]),
    ),
    max_size=30,
)


@given(series=MEASUREMENTS, patience=st.integers(1, 3), warmup=st.integers(0, 5))
def test_it_ends_exactly_where_the_definition_says(
    series: list[Measurement], patience: int, warmup: int
) -> None:
    holds = [
        number > warmup
        and before is not None
        and one.commitment_change is not None
        and one.commitment_change <= 0.01
        and one.reward_per_decision >= 0.7
        and abs(one.loss - before.loss) <= 1e-4
        for number, (before, one) in enumerate(zip([None, *series], series, strict=False), start=1)
    ]
    ends = [end for end in range(patience, len(holds) + 1) if all(holds[end - patience : end])]
    assert ends_at(paper(patience, warmup), series) == (ends[0] if ends else None)


@pytest.mark.parametrize("make", [paper, plateau])
@given(series=MEASUREMENTS, cut=st.integers(0, 30))
def test_a_restored_stopper_decides_like_the_one_that_was_saved(
    make: Callable[[], Stopping], series: list[Measurement], cut: int
) -> None:
    stopping, resumed = make(), make()
    series = [replace(one, episodes=2 * k) for k, one in enumerate(series, start=1)]
    for one in series[:cut]:
        stopping.update(one)
    resumed.restore(json.loads(json.dumps(stopping.state())))
    assert resumed.reason == stopping.reason
    assert resumed.measured == stopping.measured
    for one in series[cut:]:
        assert resumed.update(one) == stopping.update(one)
    assert resumed.state() == stopping.state()


def test_a_reward_that_stalls_ends_training() -> None:
    rising = [measured(reward=t / 10) for t in range(10)]
    stopping = plateau(patience=4)
    assert ends_at(stopping, rising + [measured(reward=0.9)] * 10) == 10 + 4
    assert "accuracy has not grown by more than 0.01 above 0.9" in stopping.reason


def test_growth_within_min_delta_is_none_until_it_adds_up() -> None:
    slow = [measured(reward=0.5 + 0.004 * t) for t in range(40)]
    assert ends_at(plateau(patience=3, min_delta=0.01), slow) is None
    assert ends_at(plateau(patience=2, min_delta=0.01), slow) == 3


@given(rewards=st.lists(st.floats(-1, 1), min_size=1), patience=st.integers(1, 5))
def test_the_best_reward_lies_before_the_patience_that_ended(
    rewards: list[float], patience: int
) -> None:
    end = ends_at(plateau(patience, min_delta=0.0), [measured(reward=r) for r in rewards])
    if end is not None:
        before, after = rewards[: end - patience], rewards[end - patience : end]
        assert max(after) <= max(before)


def test_a_lucky_reward_in_warmup_is_no_best() -> None:
    series = [measured(reward=5.0), *(measured(reward=t / 10) for t in range(8))]
    assert ends_at(plateau(patience=2, warmup=1), series) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    for name in ("reward_per_decision", "metric", "loss", "commitment_change"):
        with pytest.raises(ValueError, match="needs a finite number"):
            replace(measured(), **{name: value})  # type: ignore[arg-type]


def test_commitments_that_are_not_known_to_stay_are_no_convergence() -> None:
    assert ends_at(paper(), [measured(change=None)] * 9) is None
    assert ends_at(plateau(), [measured(change=None)] * 9) == 4


@pytest.mark.parametrize("make", [paper, plateau])
@pytest.mark.parametrize("interval", [1, 4, 10])
def test_patience_and_warm_up_are_episodes_whatever_the_interval(
    make: Callable[[int, int], Stopping], interval: int
) -> None:
    end = ends_at(make(40, 20), [measured()] * 200, interval)
    assert end is not None
    # The measurement after the warm-up is the first that counts, or that others are compared with.
    assert 60 <= end < 60 + 2 * interval


def test_smoothing_tells_a_settled_loss_from_the_noise_of_its_batches() -> None:
    rng = np.random.default_rng(0)
    noisy = [measured(loss=1 + 0.01 * rng.standard_normal()) for _ in range(300)]
    falling = [measured(loss=3 - 0.01 * k) for k in range(300)]

    def rule(smoothing: float) -> EarlyStopping:
        return EarlyStopping(
            commitment_threshold=1.0,
            reward_threshold=0.0,
            loss_threshold=1e-3,
            patience=20,
            warmup=0,
            smoothing=smoothing,
        )

    assert ends_at(rule(0.0), noisy) is None
    assert ends_at(rule(50.0), noisy) is not None
    assert ends_at(rule(50.0), falling) is None


def test_a_smoothed_number_forgets_by_episodes_and_not_by_measurements() -> None:
    often, seldom = Smoothed(30.0), Smoothed(30.0)
    for one in (often, seldom):
        one.update(1.0, 10)
    for _ in range(5):
        often.update(0.0, 2)
    assert often.value == pytest.approx(seldom.update(0.0, 10)) == pytest.approx(math.exp(-1 / 3))
    assert Smoothed(0.0).update(0.25, 1) == 0.25


@pytest.mark.parametrize(
    "thresholds",
    [{}, {"commitment_threshold": 0.01, "loss_threshold": 1e-4, "reward_threshold": 0.7}],
)
def test_the_earliest_stop_is_where_a_run_without_any_change_ends(
    thresholds: dict[str, float],
) -> None:
    counts = EarlyStoppingSettings(patience=50, warmup=20, smoothing=0.0)
    early = replace(counts, **thresholds)  # type: ignore[arg-type]
    config = Config(early_stopping=early, train=TrainSettings(episodes=100, warmup_episodes=16))
    # Learned from after 20 episodes, counted after 30.
    assert earliest_stop(config) == (80 if not thresholds else 70)


@pytest.mark.parametrize(("patience", "warmup"), [(0, 0), (1, -1)])
def test_counts_out_of_range_are_refused(patience: int, warmup: int) -> None:
    for make in (paper, plateau):
        with pytest.raises(ValueError, match="patience must be >= 1"):
            make(patience, warmup)
