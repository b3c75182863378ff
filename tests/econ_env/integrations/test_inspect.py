"""A team solves tasks of Inspect with Inspect's models, and our games become Inspect's logs."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="needs inspect-ai: pip install 'econ-env[inspect]'")

from inspect_ai import Task, eval as evaluate  # noqa: I001
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice, match

from econ_env.commands.cli import main
from econ_env.game.transcript import Transcript
from econ_env.integrations.inspect import TRANSCRIPT, econ_solver

pytestmark = [
    pytest.mark.slow,  # Inspect takes seconds to import
    # Those of Inspect's own dependencies.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def saying(answer: Callable[[str], str], name: str) -> Model:
    """A mock model of Inspect that answers by its last message, and counts 7 and 3 tokens."""

    def generate(messages: Any, *_: Any) -> ModelOutput:
        output = ModelOutput.from_content(name, answer(messages[-1].text))
        output.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
        return output

    return get_model(f"mockllm/{name}", custom_outputs=generate, memoize=False)


def commits(value: str) -> Callable[[str], str]:
    return lambda _: json.dumps({"reason": "They add up.", "value": value, "confidence": 0.9})


def solved(tmp_path: Path, task: Task, **roles: Model) -> EvalLog:
    (log,) = evaluate(
        task,
        model="mockllm/model",
        model_roles=dict(roles),
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def test_a_team_of_inspects_models_solves_a_task(tmp_path: Path) -> None:
    executor = saying(lambda _: "2 + 3 = 5. The answer is \\boxed{5}", "executor")
    odd = saying(lambda _: "I say \\boxed{6}", "odd")
    log = solved(
        tmp_path,
        Task(
            dataset=[Sample(input="What is 2 + 3?", target="5")],
            solver=econ_solver(temperature=0.25),
            scorer=match(),
        ),
        executor=executor,
        executor_2=odd,
        coordinator=saying(commits("5"), "coordinator"),
    )
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1
    assert log.samples is not None
    (sample,) = log.samples
    assert sample.output.completion == "They add up.\n\nANSWER: 5"
    calls = [event for event in sample.events if isinstance(event, ModelEvent)]
    # A strategy, three responses, a commitment: asked and counted by Inspect.
    asked = ["coordinator", "executor", "executor", "odd", "coordinator"]
    assert [call.model.removeprefix("mockllm/") for call in calls] == asked
    assert [call.config.temperature for call in calls[1:4]] == [0.25] * 3
    assert len({call.config.seed for call in calls}) == 5
    assert sum(usage.total_tokens for usage in sample.model_usage.values()) == 50
    record = Transcript.from_json(sample.store[TRANSCRIPT])
    assert [one.answer for one in record.decisions[0].rounds[0].executors] == ["5", "5", "6"]
    assert record.usage.total_tokens == 50


def test_choices_are_asked_and_marked(tmp_path: Path) -> None:
    executor = saying(lambda text: "It is \\boxed{B}" if "B) green" in text else "?", "executor")
    log = solved(
        tmp_path,
        Task(
            dataset=[Sample(input="Which is grass?", choices=["red", "green"], target="B")],
            solver=econ_solver(n_agents=2),
            scorer=choice(),
        ),
        executor=executor,
        coordinator=saying(commits("B"), "coordinator"),
    )
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cache": "off"}, "no setting 'cache'"),
        ({"temperature": -1.0}, "temperature must be >= 0"),
        ({"executors": ["mockllm/a"], "n_agents": 2}, "1 models for n_agents=2"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        econ_solver(**settings)


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_games_become_a_log_with_every_call_commitment_and_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    games = tmp_path / "games.jsonl"
    team = ["--dataset", "simulated", "--llm", "simulated", "--questions", "3", "--show", "0"]
    assert main(["play", *team, "--out", str(games)]) == 0
    capsys.readouterr()
    out = tmp_path / "logs"
    assert main(["export", "inspect", str(games), "--out", str(out), "--format", kind]) == 0
    (path,) = out.iterdir()
    assert str(path) in capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log = read_eval_log(str(path), resolve_attachments=True)
    lines = [json.loads(line) for line in games.read_text().splitlines()]
    records = {line["question"]["id"]: line for line in lines}
    assert log.eval.viewer is not None
    assert log.eval.viewer.trust_content is False
    assert log.samples is not None
    assert {sample.id for sample in log.samples} == records.keys()
    for sample in log.samples:
        record = records[str(sample.id)]
        calls = [event for event in sample.events if isinstance(event, ModelEvent)]
        played = record["decisions"][0]["rounds"][0]
        written = [*record["strategies"], *played["executors"], *played["commitments"]]
        assert [call.output.completion for call in calls] == [one["text"] for one in written]
        assert [call.role for call in calls] == [one["agent"] for one in written]
        asked = [one["messages"] for one in written]
        first, *others = (i for i, one in enumerate(written) if one in played["executors"])
        for i in others:  # the transcript keeps a shared prompt once
            asked[i] = asked[i] or asked[first]
        assert all(asked)
        assert [[(message.role, message.text) for message in call.input] for call in calls] == [
            [(one["role"], one["content"]) for one in messages] for messages in asked
        ]
        assert sample.scores is not None
        rewards = record["decisions"][0]["rewards"]
        right = sample.scores["commitment"]
        assert right.value == ("C" if rewards["team_components"]["TS"] == 1 else "I")
        assert right.answer == played["commitments"][-1]["value"]
        assert sample.scores["reward"].as_dict()["team"] == pytest.approx(rewards["team"])
    # Again: the same log in the same place.
    assert main(["export", "inspect", str(games), "--out", str(out), "--format", kind]) == 0
    assert [one.name for one in out.iterdir()] == [path.name]


def test_prompts_of_a_transcript_that_has_them_are_shown(tmp_path: Path) -> None:
    games = tmp_path / "games.jsonl"
    team = ["--dataset", "simulated", "--llm", "simulated", "--questions", "1", "--show", "0"]
    assert main(["play", *team, "--out", str(games)]) == 0
    record = json.loads(games.read_text())
    record["decisions"][0]["rounds"][0]["executors"][0]["messages"] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 2 + 3? \ud800"},
    ]
    games.write_text(json.dumps(record))
    assert main(["export", "inspect", str(games), "--out", str(tmp_path / "logs")]) == 0
    (path,) = (tmp_path / "logs").iterdir()
    samples = read_eval_log(str(path)).samples
    assert samples is not None
    calls = [event for event in samples[0].events if isinstance(event, ModelEvent)]
    (shown,) = [call.input for call in calls if call.role == "executor_0"]
    assert [(one.role, one.text) for one in shown] == [
        ("system", "Be brief."),
        ("user", "What is 2 + 3? ?"),
    ]


def test_a_file_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "games.jsonl"
    path.write_text('{"question": {"id": "a"}, "decisions": []}\n')
    assert main(["export", "inspect", str(path), "--out", str(tmp_path / "logs")]) == 2
    assert "edited, or written by another version" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
