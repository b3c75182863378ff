"""Tests of the learning benchmark: it runs at a tiny size, continues, and measures correctly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.errors import SettingsDiffer
from benchmarks.learning import bundled, bundled_nash, early_stopping, looped, update
from benchmarks.learning import command as learning
from benchmarks.learning.answers import accuracy_difference
from benchmarks.learning.exact import Yardstick
from benchmarks.learning.mpe import measure_mpe
from benchmarks.learning.results import Result, ResultFile, over_seeds
from benchmarks.learning.simulated import marks, measure_simulated, preset
from econ_agents.config.files import read_config
from econ_agents.training.checkpoint import latest_checkpoint
from econ_agents.training.run_folder import model_dir, read_run_config
from econ_env.llm.simulated.model import equilibria

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def yardstick() -> Yardstick:
    return Yardstick(preset(10), 2, starts=1)


def test_finished_parts_stay_and_carry_where_they_were_made(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    one, other = ResultFile(path, {"n": 1}), ResultFile(path, {"n": 1})
    one.put("a", {"x": 1})
    other.put("b", {"x": 2})
    other.summarise({"sum": 3})
    parts = ResultFile(path, {"n": 1}).parts()
    assert {name: part["x"] for name, part in parts.items()} == {"a": 1, "b": 2}
    assert {"date", "machine", "versions"} <= parts["a"].keys()
    assert json.loads(path.read_text(encoding="utf-8"))["summary"] == {"sum": 3}


def test_results_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    ResultFile(tmp_path / "out.json", {"n": 1}).put("a", {})
    with pytest.raises(SettingsDiffer, match=r"\(n differ\).*--fresh"):
        ResultFile(tmp_path / "out.json", {"n": 2})


def test_fresh_results_replace_the_old_ones_only_once_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    ResultFile(path, {"n": 1}).put("a", {})
    anew = ResultFile(path, {"n": 2}, fresh=True)
    assert anew.parts() == {}
    assert list(ResultFile(path, {"n": 1}).parts()) == ["a"]
    anew.put("b", {})
    anew.put("c", {})
    assert list(ResultFile(path, {"n": 2}).parts()) == ["b", "c"]


def log_of_a_run(learns_until: int) -> list[dict[str, float]]:
    """Rewards that grow and commitments that change up to an episode, and then no more."""
    return [
        {
            "step": step,
            "collection/reward_per_decision": min(step, learns_until) / learns_until,
            "train/loss_total": max(learns_until - step, 0) / 10.0,
            "stopping/commitment_change": 0.5 if step < learns_until else 0.01,
        }
        for step in range(10, 1510, 10)
    ]


def test_early_stopping_ends_a_run_that_learns_no_more_and_no_other() -> None:
    found = early_stopping.judged(log_of_a_run(600))
    assert 600 < found["stops_after"] < 1500
    assert found["early"] < found["before"] <= found["after"] == 1.0
    never = early_stopping.judged(log_of_a_run(1500))
    assert never["stops_after"] is None
    assert (never["before"], never["after"]) == (pytest.approx(0.937, abs=0.01), None)


def test_one_seed_has_no_interval() -> None:
    assert over_seeds([1.0]) == {"mean": 1.0, "values": [1.0]}


def test_few_seeds_have_students_interval_which_is_wide() -> None:
    found = over_seeds([1.0, 2.0, 3.0])
    assert (found["low"], found["high"]) == (
        pytest.approx(-0.484, abs=1e-3),
        pytest.approx(4.484, abs=1e-3),
    )


def test_an_exact_equilibrium_measures_as_one(yardstick: Yardstick) -> None:
    [best, *_] = equilibria(yardstick.game, type_aware=True, starts=1)
    low, high = np.array([0.0, 0.8]), np.array([2.0, 1.5])
    by_kind = 2 * (best.profile - low) / (high - low) - 1
    worth = yardstick.worth(np.concatenate([by_kind, by_kind]))
    assert worth.team_reward == pytest.approx(best.rewards.team)
    assert worth.accuracy == pytest.approx(best.rewards.accuracy)
    assert worth.nash_conv < 1e-5
    # Another kind's actions on every question: worse, and worth deviating from.
    confused = yardstick.worth(np.roll(np.concatenate([by_kind, by_kind]), 1, axis=0))
    assert confused.team_reward < worth.team_reward
    assert confused.nash_conv > 0.01


def test_exact_values_need_the_simulated_team() -> None:
    with pytest.raises(ValueError, match="simulated"):
        Yardstick(read_config("quickstart"))


def test_a_run_is_measured_at_its_marks_and_its_end() -> None:
    assert marks(1500) == [100, 250, 500, 750, 1000, 1250, 1500]
    assert marks(300) == [100, 250, 300]


@pytest.mark.slow
def test_the_simulator_part_trains_once_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"

    def measure(seeds: list[int]) -> Result:
        return measure_simulated(
            seeds=seeds,
            episodes=20,
            sampled_questions=0,
            work=tmp_path / "runs",
            out=out,
            questions_per_kind=2,
            starts=1,
        )

    measure([0])
    summary = measure([0, 1])
    assert "seed 0: finished before" in capsys.readouterr().out
    assert summary["seeds"] == 2
    parts = json.loads(out.read_text(encoding="utf-8"))["parts"]
    # Half of them are uniform actions; the others teach a little.
    [point] = parts["seed 0"]["curve"]
    assert point["episodes"] == 20
    assert point.keys() == {"episodes", *parts["seed 0"]["untrained"]}
    assert parts["seed 0"]["untrained"] != parts["seed 1"]["untrained"]
    assert not summary["promises"]["team reward >= 95% of the optimum"]
    best = summary["landmarks"]["optimum_type_aware"]
    assert summary["share_of_gap_closed"]["values"] == pytest.approx(
        [
            (part["curve"][-1]["team_reward"] - part["untrained"]["team_reward"])
            / (best - part["untrained"]["team_reward"])
            for part in (parts["seed 0"], parts["seed 1"])
        ]
    )
    config = read_run_config(tmp_path / "runs" / "simulated_1")
    assert config.seed == 1
    assert latest_checkpoint(model_dir(config, tmp_path / "runs" / "simulated_1")) is not None
    landmarks = summary["landmarks"]
    # As the simulator's own documentation has them.
    assert landmarks["uniform_random"] == pytest.approx(0.639, abs=2e-3)
    assert landmarks["midpoint"] == pytest.approx(0.727, abs=2e-3)
    assert landmarks["uniform_random"] < landmarks["midpoint"] < landmarks["optimum_type_aware"]


def test_the_bundled_part_goes_from_training_to_the_best_fixed_action(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The simulated team in place of the bundled one, which takes seconds to load.
    monkeypatch.setattr(bundled, "PRESET", "simulated")
    monkeypatch.setattr(bundled, "VALIDATION", "train")
    out = tmp_path / "out.json"

    def measure() -> Result:
        return bundled.measure_bundled(
            seeds=[3],
            questions=20,
            references="with",
            assignments=["train.episodes=10", "logging.progress=false"],
            work=tmp_path,
            out=out,
            grid=[(-0.6, -0.4), (1.0, 1.0)],
            screened=20,
            final=20,
        )

    summary = measure()
    assert summary["seeds"] == 1
    # Hot and penalised, nobody is right; the grid has to find that.
    assert summary["fixed, test"]["action"] == [-0.6, -0.4]
    untrained = json.loads(out.read_text(encoding="utf-8"))["parts"]["untrained"]
    assert len(untrained["answers"]) == 20
    assert set(untrained["answers"]) <= set("01")
    assert untrained["accuracy"] == untrained["answers"].count("1") / 20
    capsys.readouterr()
    assert measure() == summary
    assert capsys.readouterr().out == "seed 3: finished before\n"
    # A finished run is not played again, and one of other settings is not taken for it.
    out.unlink()
    monkeypatch.setattr(bundled, "IN_FLIGHT", 10)
    with pytest.raises(SettingsDiffer, match="other settings"):
        bundled.measure_bundled(
            seeds=[3],
            questions=2,
            references="without",
            assignments=["train.episodes=20"],
            work=tmp_path,
            out=out,
        )


@pytest.mark.slow
def test_nash_conv_is_measured_before_and_after_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "PRESET", "simulated")
    monkeypatch.setattr(bundled, "VALIDATION", "train")
    bundled.measure_bundled(
        seeds=[3],
        questions=2,
        references="without",
        assignments=["train.episodes=10", "logging.progress=false"],
        work=tmp_path,
        out=tmp_path / "bundled.json",
    )

    def measure(seed: int) -> Result:
        return bundled_nash.measure_bundled_nash(
            seeds=[seed], questions=8, work=tmp_path, out=tmp_path / "nash.json"
        )

    summary = measure(3)
    # 10 episodes of uniform actions teach nothing: the policy is as it was.
    assert summary["trained_nash_conv"] == summary["untrained_nash_conv"]
    assert summary["fall_of_nash_conv"]["values"] == [0.0]
    parts = json.loads((tmp_path / "nash.json").read_text(encoding="utf-8"))["parts"]
    part = parts["trained, seed 3"]
    assert len(part["agents"]) == 3
    # What chooses a deviation flatters it.
    assert part["in_sample"] >= part["value"]
    assert measure(3) == summary
    with pytest.raises(SettingsDiffer, match="bundled_4"):
        measure(4)


def test_answers_are_paired_by_question_and_failures_left_out() -> None:
    difference = accuracy_difference({"answers": "111x0"}, {"answers": "1001x"})
    assert difference["mean"] == pytest.approx(2 / 3)


def test_the_loop_does_what_the_stack_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found = update.compare_updates(read_config("simulated"), 1)
    assert found["losses_apart"] < 1e-4
    assert found["ratio"] == pytest.approx(found["looped_ms"] / found["stacked_ms"])
    monkeypatch.setattr(looped, "LOSSES_OF_EXECUTORS", ("policy_loss",))
    with pytest.raises(ValueError, match="something else"):
        update.compare_updates(read_config("simulated"), 1)


def test_mpe_is_compared_on_the_same_episodes(tmp_path: Path) -> None:
    pytest.importorskip("mpe2", reason="mpe2 is not installed")
    out = tmp_path / "out.json"
    assignments = ["train.episodes=10", "train.warmup_episodes=10", "train.updates_per_interval=1"]
    summary = measure_mpe(seeds=[0], episodes=3, assignments=assignments, out=out)
    part = json.loads(out.read_text(encoding="utf-8"))["parts"]["seed 0"]
    returns = part["returns"]
    assert returns.keys() == {"trained", "random", "still"}
    assert part["trained_minus_random"]["mean"] == pytest.approx(
        returns["trained"] - returns["random"]
    )
    assert summary["returns"]["random"]["mean"] == returns["random"]


def test_the_command_says_what_to_do_about_other_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    ResultFile(out, {"config": None})
    ResultFile(out, {}).summarise({})
    assert learning.main(["mpe", "--seeds", "--out", str(out)]) == 2
    assert "--fresh" in capsys.readouterr().err
    assert learning.main(["mpe", "--seeds", "--out", str(out), "--fresh"]) == 0
    assert f"written to {out}" in capsys.readouterr().out
