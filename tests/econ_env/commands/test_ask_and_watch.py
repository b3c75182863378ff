"""``econ-env ask`` and ``watch`` as a user meets them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from econ_console import waiting_line
from econ_console.waiting_line import WaitingLine
from econ_env.commands.cli import main
from econ_env.game.transcript import Transcript
from econ_env.llm import ChatRequest, Completion
from econ_env.llm.simulated.model import SimulatedModel
from econ_env.questions import load_questions

QUESTION = load_questions("simulated")[0].text
WATCH = ["watch", "--dataset", "simulated", "--llm", "simulated"]


def test_a_question_of_ones_own_is_played_and_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "asked.jsonl"
    flags = ["--llm", "simulated", "--temperature", "0.4", "--out", str(out)]
    assert main(["ask", QUESTION, *flags]) == 0
    said = capsys.readouterr().out
    for part in (QUESTION, "strategy of coordinator", "executor_2", "T=0.40 p=1.00 ->", "tokens"):
        assert part in said
    for judging in ("gold", "correct", "wrong", "reward", "accuracy"):
        assert judging not in said
    asked = Transcript.from_json(json.loads(out.read_text(encoding="utf-8")))
    assert asked.strategies[0].messages
    assert QUESTION in asked.decisions[0].rounds[0].messages_of(2)[-1].content
    assert main(["view", str(out)]) == 0
    assert "(1 game)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([" ", "--llm", "simulated"], "the question is empty"),
        (["Why?", "--llm", "simulated"], "answer their own questions only"),
        (["Why?", "--llm", "gpt-9"], "unknown model 'gpt-9'"),
        ([QUESTION, "--llm", "simulated", "--temperature", "9"], "--temperature must be in"),
        ([QUESTION, "--llm", "simulated", "--out", "/no/such/x.jsonl"], "/no/such"),
    ],
)
def test_a_mistake_in_asking_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("econ-env ask: ")
    assert message in err


def test_a_game_that_fails_is_said_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [Completion.failure("out of order") for _ in requests]

    monkeypatch.setattr(SimulatedModel, "generate", nothing)
    assert main(["ask", QUESTION, "--llm", "simulated"]) == 1
    assert "the episode was abandoned" in capsys.readouterr().out


def test_games_are_printed_as_they_unfold_each_text_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[str] = []
    answer = SimulatedModel.generate

    def watched(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        if requests[0].role == "commit":
            before.append(capsys.readouterr().out)
        return answer(self, requests)

    monkeypatch.setattr(SimulatedModel, "generate", watched)
    assert main([*WATCH, "--questions", "2"]) == 0
    rest = capsys.readouterr().out
    # When the coordinator is asked to conclude, strategy and responses are on the screen already.
    assert before[0].startswith("=== game 1 · question")
    assert before[0].count("T=0.70") == 3
    assert "commitment of coordinator" not in before[0]
    assert "commitment of coordinator" in before[1]
    said = "".join([*before, rest])
    assert (said.count("=== game"), said.count("T=0.70")) == (2, 6)
    assert "2 finished, 0 failed" in rest


def test_a_slow_model_does_not_look_like_a_hang(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting_line, "PLAIN_INTERVAL_S", 0.01)
    answer = SimulatedModel.generate
    said: list[str] = []

    def slow(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        until_s = time.monotonic() + 20
        while not said or (said[-1] == "" and time.monotonic() < until_s):
            said.append(capsys.readouterr().err)
            time.sleep(0.005)
        return answer(self, requests)

    monkeypatch.setattr(SimulatedModel, "generate", slow)
    assert main([*WATCH, "--questions", "1"]) == 0
    lines = "".join(said).splitlines()
    assert lines[0].startswith("game 1 of 1: the coordinator plans; 1 request in flight")


def test_nothing_is_said_while_nothing_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[int] = []

    def nothing() -> str:
        asked.append(1)
        return ""

    with WaitingLine(nothing, interval_s=0.001) as line:
        while not asked:
            time.sleep(0.001)
        line.write("a text that stays\n")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a text that stays\n", "")
