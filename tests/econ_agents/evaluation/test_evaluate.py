"""Testing a trained team: the same questions, without refinement and with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from econ_agents.algorithm.builders import build_teams
from econ_agents.commands.cli import main
from econ_agents.environments import NativeBatch
from econ_agents.evaluation.evaluate import live_options, load_networks, play_questions
from econ_agents.training.checkpoint import CheckpointError
from tests.econ_agents.builders import same_episodes
from tests.econ_agents.small_runs import checkpoint_path, small_config, train

MOVING = (
    "bne.max_iterations_train=3 bne.convergence_threshold=0 memory.scope=stream memory.length=2 "
    "test.streams=10"
).split()
"""Refinement that does not come to rest at once."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), *MOVING)


def test_the_command_prints_and_keeps_its_report_and_its_traces(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model-dir", str(run), "--episodes", "7", "--log-dir", str(tmp_path)]
    assert main(["test", *flags]) == 0
    said = capsys.readouterr().out.splitlines()
    report = json.loads((tmp_path / "test_report.json").read_text(encoding="utf-8"))
    correct = report["baseline"]["correct"]
    assert said[0].startswith(f"Baseline (no BNE): {correct}/7 = {100 * correct / 7:.1f}%")
    assert said[1].startswith("P0 BNE (3 rounds): ")
    assert said[2].startswith("P0 Metadata: JSON=")
    one_round = tmp_path / "llm_traces_test_bne_1rounds.json"
    traces = tmp_path / "llm_traces_test_bne_3rounds.json"
    assert said[-3:] == [
        f"report: {tmp_path / 'test_report.json'}",
        f"traces: {one_round}",
        f"traces: {traces}",
    ]
    before = json.loads(one_round.read_text(encoding="utf-8"))
    assert {trace["arm"] for trace in before} == {"one round"}
    scores = [each["transcript"]["decisions"][-1]["rewards"]["judged"][-1] for each in before]
    assert sum(score["verdict"] == "correct" for score in scores) == correct
    assert all(each["transcript"]["strategies"][0]["messages"] for each in before)
    kept = json.loads(traces.read_text(encoding="utf-8"))
    assert {trace["arm"] for trace in kept} == {"refined"}
    assert [trace["number"] for trace in kept] == list(range(7))
    assert len({trace["seed"] for trace in kept}) == 7
    rounds = [len(trace["transcript"]["decisions"][0]["rounds"]) for trace in kept]
    assert max(rounds) <= 3
    assert np.mean(rounds) == pytest.approx(report["bne"]["rounds_per_question"])
    assert report["baseline"]["rounds_per_question"] == 1
    assert sum(report["bne"]["closed_by"].values()) == 7


def test_a_test_plays_no_question_twice_and_says_when_it_starts_over(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model-dir", str(run), "--bne.no-enabled", "--log-dir", str(tmp_path)]
    assert main(["test", *flags, "--episodes", "40"]) == 0
    traces = next(tmp_path.glob("llm_traces_*.json"))
    kept = json.loads(traces.read_text(encoding="utf-8"))
    assert len({trace["transcript"]["question"]["id"] for trace in kept}) == 40
    assert "note:" not in capsys.readouterr().out


def test_a_test_on_the_questions_of_training_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(tmp_path / "run", "env.test_kwargs.split=train", "train.episodes=10")
    assert "training and test play the same questions" in capsys.readouterr().err
    assert main(["resume", "--log-dir", str(run)]) == 0
    assert "training and test play the same questions" in capsys.readouterr().err
    monkeypatch.setattr(NativeBatch, "num_questions", lambda *_: 6)
    flags = ["--model-dir", str(run), "--episodes", "8", "--bne.no-enabled"]
    assert main(["test", *flags, "--log-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "note: training and test play the same questions" in said
    assert "note: the data set has 6 questions, so the 8 episodes start over after 6" in said
    few = ["--questions", "4", "--log-dir", str(tmp_path)]
    assert main(["nash", "--model-dir", str(run), *few]) == 0
    assert "note: training and test play the same questions" in capsys.readouterr().out


def test_of_a_team_that_was_never_updated_nothing_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = train(tmp_path / "begun", *MOVING, "train.episodes=20")
    flags = ["--model-dir", str(checkpoint_path(begun, "episode_000000")), "--episodes", "5"]
    assert main(["test", *flags, "--log-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "note: nothing was learned: warm-up is 10 episodes" in said
    assert "minus" not in said
    assert "flipped" not in said
    report = json.loads((tmp_path / "test_report.json").read_text(encoding="utf-8"))
    assert (report["difference"], report["learned"]) == (None, None)
    flags = [*flags[:2], "--questions", "4", "--log-dir", str(tmp_path)]
    assert main(["nash", *flags]) == 0
    assert "note: nothing was learned: warm-up is 10 episodes" in capsys.readouterr().out


@pytest.mark.slow
def test_a_test_repeats_to_the_same(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = []
    for places in (16, 2):
        flags = ["--train.in-flight", str(places), "--log-dir", str(tmp_path)]
        assert main(["test", "--model-dir", str(run), "--episodes", "13", *flags]) == 0
        kept.append([path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir())])
    assert kept[0] == kept[1]


def test_without_refinement_the_questions_are_played_once(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model-dir", str(run), "--episodes", "3", "--log-dir", str(tmp_path)]
    assert main(["test", *flags, "--bne.no-enabled"]) == 0
    said = capsys.readouterr().out
    assert "Baseline (no BNE): " in said
    assert "P0 BNE" not in said
    assert "flipped" not in said


def test_an_evaluation_begins_with_an_empty_memory_and_follows_the_policy(run: Path) -> None:
    config = small_config(*MOVING)
    teams = build_teams(config, "test")
    try:
        networks = load_networks(config, checkpoint_path(run), teams.space)
        once = play_questions(config, networks, teams, range(12), description="")
        again = play_questions(config, networks, teams, range(12), description="")
        assert same_episodes(once, again)
        assert not any(len(episode.memory) for episode in once[:10])
        # Ten streams: the last two go on with the first two.
        assert all(len(episode.memory) for episode in once[10:])
    finally:
        teams.close()


def test_initial_weights_given_to_a_test_override_those_that_were_learned(tmp_path: Path) -> None:
    learned = ("reward.dynamic=true", "reward.eta_alpha=0.5", "train.episodes=30")
    checkpoint = checkpoint_path(train(tmp_path, *learned))
    kept = live_options(small_config(*learned), checkpoint)
    assert kept is not None
    assert kept["reward_weights"]["ts"] != pytest.approx(0.4, abs=1e-4)
    given = ("ts=1.0", "al=0.0", "cc=0.0")
    chosen = small_config(*learned, *(f"reward.initial_weights.{each}" for each in given))
    assert live_options(chosen, checkpoint) == {"reward_weights": {"ts": 1.0, "al": 0.0, "cc": 0.0}}
    fixed = small_config(*learned, "reward.dynamic=false")
    assert live_options(fixed, checkpoint) is None


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_played(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    bad = str(tmp_path / "file" / "folder")
    assert main(["test", "--model-dir", str(run), "--log-dir", bad]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_a_team_of_another_size_is_refused(run: Path) -> None:
    config = small_config(*MOVING, "n_agents=2")
    teams = build_teams(config, "test")
    try:
        with pytest.raises(CheckpointError, match="n_agents was 3 and is 2"):
            load_networks(config, checkpoint_path(run), teams.space)
    finally:
        teams.close()
