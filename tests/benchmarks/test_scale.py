"""Tests of the scale study: equal questions and actions, other teams, and continuation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison.econ import SteeredTeam
from benchmarks.comparison.econ_policy import Fixed
from benchmarks.errors import SettingsDiffer
from benchmarks.learning.results import Result
from benchmarks.scale import command as scale
from benchmarks.scale.measuring import Study, measure_scale
from benchmarks.scale.table import table_lines
from econ_agents.algorithm.builders import build_networks
from econ_agents.config.files import config_mapping
from econ_agents.environments import make_teams
from econ_agents.training.checkpoint import save_checkpoint
from econ_env.config import EnvConfig
from econ_env.llm import ChatRequest, Completion
from tests.econ_agents.small_runs import small_config
from tests.support import FlakyModel

SIMULATED = EnvConfig(dataset="simulated", llm="simulated")


class WordyModel(FlakyModel):
    """Model of long responses, of which only a few fit into its context."""

    context_limit = 600

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [
            replace(completion, text=20 * "and so on, " + completion.text)
            if request.role == "execute"
            else completion
            for request, completion in zip(requests, super().generate(requests), strict=True)
        ]


class ShortModel(FlakyModel):
    """Model whose context holds the conclusions of three, but not of nine."""

    context_limit = 320


def study(config: EnvConfig = SIMULATED, **changes: Any) -> Study:
    settings = {"executors": (1, 4), "group_size": 3, "questions": 6, **changes}
    return Study(
        config=config, steering=Fixed(action=(-0.8, -0.4)), sampling="T = 0.3, p = 1", **settings
    )


def of_one_model(model: FlakyModel) -> EnvConfig:
    return replace(SIMULATED, llm=model, prompts="compact", embedder="hashing")


def measured(out: Path, of: Study | None = None, in_flight: int = 6) -> Result:
    return measure_scale(study() if of is None else of, out=out, in_flight=in_flight)


def parts(out: Path) -> dict[str, Result]:
    """Return the results without times."""
    found: dict[str, Result] = json.loads(out.read_text(encoding="utf-8"))["parts"]
    for part in found.values():
        for name in ("seconds", "date", "machine", "versions"):
            del part[name]
    return found


def test_teams_are_flat_and_in_groups_where_that_is_another_team() -> None:
    sizes = [(team.n_agents, team.group_size) for team in study(executors=(1, 3, 9)).teams()]
    assert sizes == [(1, None), (3, None), (9, None), (9, 3)]


def test_the_table_has_a_row_for_every_team(tmp_path: Path) -> None:
    summary = measured(tmp_path / "out.json")
    assert list(summary) == [
        "01 executors, flat", "04 executors, flat", "04 executors, groups of 3"
    ]  # fmt: skip
    one, flat, grouped = summary.values()
    assert {row["questions"] for row in summary.values()} == {6}
    assert one["tokens_per_executor"] == one["tokens_per_question"]
    assert flat["tokens_per_executor"] == pytest.approx(flat["tokens_per_question"] / 4)
    assert flat["longest_prompt_tokens"] > grouped["longest_prompt_tokens"]
    assert grouped["coordinators_share_of_tokens"] > flat["coordinators_share_of_tokens"]
    accuracy = flat["accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["share"] <= accuracy["high"] <= 1
    lines = table_lines(summary)
    assert len(lines) == 4
    assert "groups of 3" in lines[-1]
    assert len({len(line) for line in lines}) == 1


def test_an_interrupted_study_goes_on_to_the_same_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole.json", tmp_path / "stopped.json"
    measured(whole)
    play = SteeredTeam.play
    asked: list[int] = []

    def interrupted(self: SteeredTeam, items: Any, report: Any = None) -> Any:
        for index, played in enumerate(play(self, items, report)):
            asked.append(index)
            if len(asked) == 9:
                raise KeyboardInterrupt
            yield played

    monkeypatch.setattr(SteeredTeam, "play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measured(stopped, in_flight=2)
    kept = {name: len(part["answers"]) for name, part in parts(stopped).items()}
    assert kept == {"01 executors, flat": 6, "04 executors, flat": 2}
    assert measured(stopped, in_flight=2).keys() == measured(whole).keys()
    assert parts(stopped) == parts(whole)
    assert len(asked) == 9 + (6 - 2) + 6


def test_results_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    measured(out, study(executors=(1,)))
    measured(out, study(executors=(2,)))
    assert list(parts(out)) == ["01 executors, flat", "02 executors, flat"]
    with pytest.raises(SettingsDiffer, match="rounds"):
        measured(out, study(replace(SIMULATED, bne_rounds=2)))


def test_prompts_that_are_cut_are_counted(tmp_path: Path) -> None:
    config = of_one_model(WordyModel(lambda request: False))
    summary = measured(tmp_path / "out.json", study(config, executors=(9,), questions=4))
    flat, grouped = summary.values()
    assert (flat["shortened_prompts"], flat["shortened_questions"]) == (4, 4)
    assert grouped["shortened_prompts"] == 0
    assert "4 (of 4 questions)" in table_lines(summary)[1]


def test_a_team_whose_prompts_fit_into_no_context_stays_in_the_table(tmp_path: Path) -> None:
    config = of_one_model(ShortModel(lambda request: False))
    summary = measured(tmp_path / "out.json", study(config, executors=(9,), questions=2))
    assert [row["failed"] for row in summary.values()] == [2, 0]
    lines = table_lines(summary)
    assert lines[1].split()[-2:] == ["2", "0.0%"]
    assert "09 executors, flat: 2 of 2 questions failed" in lines[-1]
    assert "too long for model" in lines[-1]


def test_failed_questions_are_told_and_not_scored(tmp_path: Path) -> None:
    seeds: list[int] = []

    def fails(request: ChatRequest) -> bool:
        if request.role != "strategy":
            return False
        seeds.append(request.seed)
        return len(seeds) == 2

    config = of_one_model(FlakyModel(fails))
    (row,) = measured(tmp_path / "out.json", study(config, executors=(2,))).values()
    assert (row["questions"], row["failed"]) == (6, 1)
    answers = parts(tmp_path / "out.json")["02 executors, flat"]["answers"]
    assert answers[1] == "x"
    assert row["accuracy"]["share"] == answers.count("1") / 5
    assert row["right_of_all_questions"] == answers.count("1") / 6
    assert "the test said so" in row["first_failure"]


@pytest.mark.parametrize("numbers", [{"executors": (0,)}, {"executors": ()}, {"questions": 0}])
def test_numbers_that_mean_nothing_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(numbers))):
        study(**numbers)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., int]:
    def run(*arguments: str) -> int:
        flags = "--llm simulated --dataset simulated --questions 2 --executors 1 4".split()
        return scale.main([*flags, "--out", str(tmp_path / "out.json"), *arguments])

    return run


def test_the_command_prints_the_table_and_writes_the_file(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command() == 0
    said = capsys.readouterr().out
    assert "first-round vote" in said
    settings = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["settings"]
    assert settings["sampling"] == "T = 0.3, p = 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temperature", "3"), "--temperature must be in"),
        (("--llm", "nonsense"), "unknown model 'nonsense'"),
        (("--checkpoint", "nowhere"), "nowhere holds no checkpoint"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert command(*arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("share", [True, False])
def test_a_policy_of_shared_parameters_plays_teams_of_all_sizes(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], share: bool
) -> None:
    config = small_config(f"network.share_parameters={str(share).lower()}")
    played = {"dataset": "simulated", "llm": "simulated"}
    space = make_teams("econ_env:batched_parallel_env", played, 1).space
    arrays = {"networks": build_networks(config, space).state_dict()}
    save_checkpoint(tmp_path, "final", arrays, {"config": config_mapping(config)})
    assert command("--checkpoint", str(tmp_path)) == (0 if share else 2)
    said = capsys.readouterr()
    assert ("written to" in said.out) == share
    assert ("does not fit" in said.err) != share
    assert (tmp_path / "out.json").exists() == share
