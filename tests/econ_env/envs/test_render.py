"""Episodes as text: complete, readable, and harmless to a terminal."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from econ_env import EconParallelEnv
from econ_env.envs.render import render_transcript, use_colour
from econ_env.game.transcript import Transcript


def played(steps: int = 2, **settings: Any) -> list[Transcript]:
    """The transcripts after the reset and after every step."""
    env = EconParallelEnv("simulated", "simulated", bne_rounds=3, **settings)
    env.reset(seed=2)
    seen = [env.transcript]
    for step in range(steps):
        point = np.array([0.2 * step, -0.5])
        if env.agents:
            env.step(dict.fromkeys(env.agents, point))
            seen.append(env.transcript)
    return seen


def test_everything_a_person_asks_about_is_there() -> None:
    transcript = played(3)[-1]
    text = render_transcript(transcript)
    round_ = transcript.decisions[0].rounds[0]
    assert transcript.question.text in text
    assert f"gold answer: {transcript.question.gold}" in text
    assert transcript.strategies[0].strategy in text
    for executor in round_.executors:
        assert executor.text in text
        assert f"T={executor.temperature:.2f} p={executor.repetition_penalty:.2f}" in text
    rewards = transcript.decisions[0].rewards
    assert rewards is not None
    assert f"team reward {rewards.team:.3f}" in text
    usage = transcript.usage
    assert f"{usage.prompt_tokens} prompt + {usage.completion_tokens} completion" in text


def test_equations_that_do_not_hold_stand_below_their_response() -> None:
    transcript = played()[-1]
    decision = transcript.decisions[0]
    round_ = decision.rounds[0]
    executors = (
        replace(round_.executors[0], false_equations=("2*3 = 7",)),
        *round_.executors[1:],
    )
    rounds = (replace(round_, executors=executors), *decision.rounds[1:])
    text = render_transcript(replace(transcript, decisions=(replace(decision, rounds=rounds),)))
    assert "it does not hold that 2*3 = 7" in text
    assert text.count("it does not hold") == 1


@pytest.mark.parametrize("settings", [{}, {"n_agents": 4, "group_size": 2}, {"max_rounds": 2}])
def test_the_text_of_an_episode_only_grows_at_its_end(settings: dict[str, Any]) -> None:
    texts = [render_transcript(transcript) for transcript in played(5, **settings)]
    for shorter, longer in pairwise(texts):
        assert longer.startswith(shorter)
        assert longer != shorter


def test_control_characters_of_a_model_never_reach_the_terminal() -> None:
    transcript = played()[-1]
    hostile = "\x1b[2J\x1b]0;owned\x07 fine\r\nsecond line \u202e"
    decision = transcript.decisions[0]
    round_ = decision.rounds[0]
    executors = (replace(round_.executors[0], text=hostile), *round_.executors[1:])
    question = replace(transcript.question, text=hostile, id=hostile, gold=hostile)
    rounds = (replace(round_, executors=executors), *decision.rounds[1:])
    changed = replace(transcript, question=question, decisions=(replace(decision, rounds=rounds),))
    text = render_transcript(changed)
    assert set(text) & set("\x1b\x07\r\u202e") == set()
    assert "second line" in text


def test_colour_changes_no_words() -> None:
    transcript = played()[-1]
    plain, coloured = render_transcript(transcript), render_transcript(transcript, colour=True)
    assert "\x1b[" in coloured
    for code in ("1", "2", "31", "32", "36", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_colour_needs_a_terminal_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not use_colour()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert use_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_colour()
