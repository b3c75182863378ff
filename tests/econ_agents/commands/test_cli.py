"""The command line of the learner as a user meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_agents.commands import nash
from econ_agents.commands.cli import main
from econ_agents.config.files import config_keys, config_mapping, read_config, write_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.evaluation import evaluate
from econ_agents.rollouts.placement import Placement
from econ_agents.training import train
from econ_agents.training.checkpoint import save_checkpoint
from econ_agents.training.run import TrainingStopped
from econ_env import ModelError
from econ_env.llm import BudgetExceeded

SECRET = "sk-3141"


class Calls(list[tuple[Any, ...]]):
    """Requests of the command line; ``error`` is its end."""

    error: BaseException | None = None

    def __call__(self, *arguments: Any, **named: Any) -> int:
        self.append((*arguments, *named.values()))
        if self.error is not None:
            raise self.error
        return 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Records instead of training, testing and measuring."""
    recorded = Calls()
    monkeypatch.setattr(train, "run_training", recorded)
    monkeypatch.setattr(train, "resume_training", recorded)
    monkeypatch.setattr(evaluate, "run_evaluation", recorded)
    monkeypatch.setattr(nash, "run_nash", recorded)
    return recorded


def checkpoint(folder: Path, name: str, config: Config) -> Path:
    arrays = {"networks": {"w": np.zeros((2, 3), np.float32)}}
    state = {"config": config_mapping(config), "episodes": 12}
    return save_checkpoint(folder, name, arrays, state)


# What commands are told


def test_train_starts_from_the_quickstart(calls: Calls) -> None:
    assert main(["train"]) == 0
    assert calls == [(read_config("quickstart"), Path("runs/quickstart"), Placement())]


def test_where_episodes_are_played_is_told_beside_the_configuration(
    calls: Calls, tmp_path: Path
) -> None:
    write_config(Config(), tmp_path / "config.yaml")
    checkpoint(tmp_path, "final", Config())
    flags = ["--rollout", "ray", "--rollout-workers", "5", "--ray-address", "head:6379"]
    for command in (["train"], ["test", "--model-dir", str(tmp_path)], ["resume"]):
        assert main([*command, "--log-dir", str(tmp_path), *flags]) == 0
    asked = Placement(rollout="ray", rollout_workers=5, ray_address="head:6379")
    assert [told[-1] for told in calls] == [asked] * 3


def test_flags_go_over_assignments_and_assignments_over_the_file(calls: Calls) -> None:
    flags = ["--train.episodes", "3", "--train.no-use-replay", "--log-dir", "x"]
    assignments = ["--set", "train.episodes=2", "seed=5", "--set", "n_agents=2"]
    assert main(["train", "--config", "p0.yaml", *flags, *assignments]) == 0
    [(config, log_dir, _)] = calls
    assert (config.train.episodes, config.train.use_replay, config.seed) == (3, False, 5)
    assert (config.n_agents, config.coordinator_model) == (2, read_config("p0").coordinator_model)
    assert log_dir == config.log_dir == Path("x")


def test_a_flag_has_the_name_of_its_key_with_underscores_or_dashes(calls: Calls) -> None:
    for flag in ("--early_stopping.min_delta", "--early-stopping.min-delta"):
        assert main(["train", flag, "0.25", "--belief_dim=8"]) == 0
    assert {config.early_stopping.min_delta for config, *_ in calls} == {0.25}
    assert {config.belief_dim for config, *_ in calls} == {8}


def test_lists_and_mappings_are_flags_too(calls: Calls) -> None:
    arguments = ["--executor-model", "a", "b", "--env.kwargs", "{prices: {'a:b': [1, 2]}}"]
    assert main(["train", *arguments]) == 0
    [(config, *_)] = calls
    assert config.executor_model == ("a", "b")
    assert config.env.kwargs == {"prices": {"a:b": [1, 2]}}


def test_every_argument_of_the_environment_is_a_flag_of_its_own(calls: Calls) -> None:
    whole = ["--env.kwargs", "{cache: off, top_p: 0.5, prices: {a: 1}}"]
    single = ["--env.kwargs.top-p", "0.8", "--env.kwargs.prices.b=[-1, 2]"]
    assert main(["train", *single, *whole, "--env.test_kwargs.split", "other"]) == 0
    [(config, *_)] = calls
    expected = {"cache": "off", "top_p": 0.8, "prices": {"a": 1, "b": [-1, 2]}}
    assert config.env.kwargs == expected
    assert config.env.test_kwargs == {"split": "other"}


def test_a_test_starts_from_the_configuration_of_the_checkpoint(
    calls: Calls, tmp_path: Path
) -> None:
    place = checkpoint(tmp_path, "final", read_config("large", ["seed=7"]))
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 8", encoding="utf-8")
    given = ["--model-dir", str(place), "--episodes", "5", "--log-dir", "x"]
    assert main(["test", *given]) == 0
    assert main(["test", *given, "--config", str(file), "--set", "device=cuda"]) == 0
    (first, *where), (second, *_) = calls
    assert where == [place, Path("x"), Placement()]
    assert (first.seed, first.n_agents, first.test.episodes) == (7, 9, 5)
    assert (second.seed, second.n_agents, second.device) == (8, 9, "cuda")


def test_evaluate_is_another_name_of_test(
    calls: Calls, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checkpoint(tmp_path, "final", Config())
    for name in ("test", "evaluate"):
        assert main([name, "--model-dir", str(tmp_path), "--episodes", "5"]) == 0
    first, second = calls
    assert first == second
    assert main(["evaluate"]) == 2
    assert "econ-agents evaluate: --model-dir is required" in capsys.readouterr().err
    main(["--help"])
    assert "\n  test (evaluate)  Evaluate a trained team" in capsys.readouterr().out


def test_nash_is_told_questions_and_seeds(calls: Calls, tmp_path: Path) -> None:
    place = checkpoint(tmp_path, "final", Config())
    given = ["nash", "--model-dir", str(tmp_path), "--questions", "30", "--seeds", "1", "2"]
    assert main(given) == 0
    assert calls == [(Config(), place, tmp_path, 30, (1, 2))]


def test_resume_is_told_the_folder_of_the_run(calls: Calls, tmp_path: Path) -> None:
    write_config(Config(), tmp_path / "config.yaml")
    assert main(["resume", "--log-dir", str(tmp_path)]) == 0
    assert calls == [(tmp_path, Placement())]


@pytest.mark.parametrize("given", ["run", "run/checkpoints", "run/checkpoints/final"])
def test_a_team_is_found_in_its_run_its_folder_or_itself(
    calls: Calls, tmp_path: Path, given: str
) -> None:
    folder = tmp_path / "run" / "checkpoints"
    final = checkpoint(folder, "final", Config())
    checkpoint(folder, "best", Config())
    assert main(["test", "--model-dir", str(tmp_path / given)]) == 0
    assert calls[0][1] == final


def test_without_a_final_team_the_last_one_is_taken(calls: Calls, tmp_path: Path) -> None:
    checkpoint(tmp_path, "episode_000200", Config())
    best = checkpoint(tmp_path, "best", Config())
    assert main(["test", "--model-dir", str(tmp_path)]) == 0
    assert calls[0][1] == best


def test_inspect_says_what_a_checkpoint_holds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checkpoint(tmp_path, "final", read_config(None, ["train.episodes=7", "env.kwargs.a=b"]))
    assert main(["inspect", "--model-dir", str(tmp_path)]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["episodes", "12"] in lines
    assert ["networks", "1 tensors, 6 numbers"] in lines
    assert ["train.episodes", "7"] in lines
    assert ["env.kwargs.a", "b"] in lines
    assert not [line for line in lines if line and line[0] == "belief_dim"]


# Help


def test_help_shows_every_key_with_its_meaning_and_the_value_of_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as caught:
        main(["train", "--config", "p0", "--set", "seed=77", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for key in config_keys():
        assert f"--{key.replace('_', '-')}" in out
    assert "Seed of everything random in the run, >= 0. (default: 77)" in out
    assert "(default: p0)" in out


@pytest.mark.parametrize("arguments", [["-h"], ["--help"]])
def test_help_without_a_command_lists_the_commands(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    names = ("train", "test", "play", "nash", "resume", "inspect")
    assert all(f"\n  {name} " in out for name in names)


@pytest.mark.parametrize("name", ["test", "evaluate", "play", "nash", "resume", "inspect"])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert f"econ-agents {name}" in capsys.readouterr().out


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "econ-agents: name a command: train, test, play, "),
        (["--seed", "1"], "econ-agents: name a command: train, test, play, "),
        (["trian"], "econ-agents: there is no such command; did you mean 'train'?"),
        (["xyz"], "econ-agents: there is no such command; commands are train, test, play, "),
        (["play", "runs/s60"], "belongs to no flag: name the run with --model-dir RUN;"),
        (["train", "math"], "belongs to no flag: name a configuration with --config NAME; --help"),
        (["resume", "runs/s60"], "belongs to no flag: name the run with --log-dir RUN; --h"),
        (["train", "--config", "nope"], "there is no preset 'nope'"),
        (["train", "--set", "trian=3"], "--set: unknown key 'trian'; did you mean 'train'?"),
        (["train", "--train.episods", "3"], "did you mean '--train.episodes'?"),
        (["train", "--episodes", "3"], "did you mean '--train.episodes' or '--test.episodes'?"),
        (["train", "--model-dir", "x"], "unknown flag --model-dir;"),
        (["train", "--train.use-replay", "true"], "a flag for true or false takes none"),
        (["train", "--env.kwargs.top_p"], "--env.kwargs.top_p needs a value"),
        (["train", "--env.kwargs.top_p", "--seed", "1"], "--env.kwargs.top_p needs a value"),
        (["train", "--env.kwargs.top_p={"], "--env.kwargs.top_p: line 1, column 2"),
        (["train", "--n-agents", "3", "--env.kwargs.n-agents=4"], "two names of one setting"),
        (["resume", "--env.kwargs.top_p", "1"], "unknown flag --env.kwargs.top_p"),
        (
            ["resume", "--train.episodes", "9"],
            "--train.episodes cannot be changed here: resume takes the settings of the run. "
            "econ-agents train --config RUN/config.yaml --train.episodes VALUE begins another run",
        ),
        (["train", "--set", "n_agents=3", "env.kwargs.n_agents=4"], "two names of one setting"),
        (["test"], "--model-dir is required"),
        (["test", "--model-dir", "nowhere"], "nowhere holds no checkpoint"),
        (["nash", "--seeds", "-1"], "--seeds needs at least one seed, each >= 0"),
        (["resume"], "--log-dir is required"),
        (["resume", "--log-dir", "nowhere"], "nowhere is not the folder of a run"),
        (["inspect"], "--model-dir is required"),
    ],
)
def test_a_mistake_is_explained_and_nothing_starts(
    calls: Calls, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train.episodes", "0"], "econ-agents train: train.episodes must be >= 1, got 0"),
        (["--env.factory", "x"], "econ-agents train: env.factory must have the form"),
        (["--train.episodes", "x"], "--train.episodes: 'x' is not a whole number; econ-agents"),
        (["--env.kwargs", "{a: 1, a: 2}"], "the key 'a' is given twice"),
        (["--env.kwargs", "[a]"], "must be a mapping in YAML"),
        (["--seed"], "econ-agents train: --seed needs a value; econ-agents train --help lists"),
    ],
)
def test_a_wrong_value_of_a_flag_is_explained(
    calls: Calls, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["train", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        [SECRET],
        [f"--api-key={SECRET}"],
        ["train", f"--api-key={SECRET}"],
        ["train", "--api-key", SECRET],
        ["train", SECRET],
        ["train", "--set", SECRET],
        ["train", "--set", f"together_api_key={SECRET}"],
        ["train", f"--train.use-replay={SECRET}"],
        ["test", f"--api-key={SECRET}"],
        ["test", SECRET],
        ["resume", SECRET],
        ["inspect", f"--api-key={SECRET}"],
    ],
)
def test_a_pasted_key_is_never_repeated(
    calls: Calls, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    assert calls == []


def test_a_value_after_a_flag_that_takes_none_is_told_by_its_flag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "--config", "simulated", "--logging.plots", "sk-secret"]) == 2
    said = capsys.readouterr().err
    assert "an argument after --logging.plots belongs to no flag" in said
    assert "sk-secret" not in said


def test_a_key_is_asked_for_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--api-key", SECRET])
    assert "TOGETHER_API_KEY" in capsys.readouterr().err


# How a run ends


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelError("no such model"), 2),
        (BudgetExceeded("nothing is left"), 1),
        (ConfigError("no such setting"), 2),
        (TrainingStopped("the loss is nan"), 1),
        (OSError("disk is full"), 2),
    ],
)
def test_what_the_learner_the_environment_or_the_system_says_is_passed_on(
    calls: Calls, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    calls.error = error
    assert main(["train"]) == code
    assert capsys.readouterr().err == f"econ-agents train: {error}\n"


def test_a_resumed_run_passes_on_what_its_environment_says(
    calls: Calls, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_config(Config(), tmp_path / "config.yaml")
    calls.error = ModelError("no such model")
    assert main(["resume", "--log-dir", str(tmp_path)]) == 2
    assert "no such model" in capsys.readouterr().err


class Fault(Exception):
    """An error of an environment that does not say how a program ends by it."""


class Odd(Fault):
    exit_code = "2"


@pytest.mark.parametrize("error", [ValueError("a bug"), Fault("a bug"), Odd("a bug")])
def test_a_bug_keeps_its_traceback(calls: Calls, error: Exception) -> None:
    calls.error = error
    with pytest.raises(type(error), match="a bug"):
        main(["train"])


def test_ctrl_c_ends_with_130(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    calls.error = KeyboardInterrupt()
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "econ-agents train: interrupted\n"
