"""Episodes as pictures: of one shape, whatever the texts, and different when something happened."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo, RenderCollection
from gymnasium.wrappers.vector import RecordVideo as RecordVectorVideo

from econ_env import EconParallelEnv, JointVectorEnv
from econ_env.envs.frame import FRAME_SHAPE, DrawingUnavailable, draw_frame
from econ_env.game.transcript import Transcript
from tests.support import FlakyModel

pytest.importorskip("PIL", reason="Pillow is not installed")


def played(steps: int = 2, **settings: Any) -> list[Transcript]:
    """The transcripts after the reset and after every step."""
    base: dict[str, Any] = {"dataset": "simulated", "llm": "simulated", "bne_rounds": 2}
    env = EconParallelEnv(**{**base, **settings})
    env.reset(seed=2)
    seen = [env.transcript]
    for step in range(steps):
        if env.agents:
            env.step(dict.fromkeys(env.agents, np.array([0.3 * step, -0.5])))
            seen.append(env.transcript)
    return seen


def assert_a_frame(frame: Any) -> None:
    assert isinstance(frame, np.ndarray)
    assert (frame.shape, frame.dtype) == (FRAME_SHAPE, np.uint8)


@pytest.mark.parametrize(
    "settings", [{}, {"n_agents": 27, "group_size": 4}, {"max_rounds": 2}, {"strategy": False}]
)
def test_every_moment_of_an_episode_is_a_frame_of_its_own(settings: dict[str, Any]) -> None:
    frames = [draw_frame(transcript) for transcript in played(4, **settings)]
    for frame in frames:
        assert_a_frame(frame)
    assert len({frame.tobytes() for frame in frames}) == len(frames) > 1


def test_answers_rewards_and_the_verdict_are_in_the_picture() -> None:
    transcript = played()[-1]
    decision = transcript.decisions[-1]
    rewards, round_ = decision.rewards, decision.rounds[-1]
    assert rewards is not None
    shown = draw_frame(transcript).tobytes()

    def changed(**parts: Any) -> bytes:
        other = replace(decision, **parts)
        return draw_frame(replace(transcript, decisions=(other,))).tobytes()

    assert changed() == shown
    paid = replace(rewards, agents=(0.123, *rewards.agents[1:]))
    assert changed(rewards=paid) != shown
    right = rewards.team_components["TS"]
    verdict = {**rewards.team_components, "TS": 1 - right}
    assert changed(rewards=replace(rewards, team_components=verdict)) != shown
    executors = (replace(round_.executors[0], answer="12345"), *round_.executors[1:])
    rounds = (*decision.rounds[:-1], replace(round_, executors=executors))
    assert changed(rounds=rounds) != shown
    commitments = (*round_.commitments[:-1], replace(round_.commitments[-1], value="54321"))
    rounds = (*decision.rounds[:-1], replace(round_, commitments=commitments))
    assert changed(rounds=rounds) != shown


def test_hostile_and_endless_texts_are_drawn_too() -> None:
    transcript = played()[-1]
    hostile = "\x1b[2J\x00\u202e 字 😀 \n" * 50_000
    question = replace(transcript.question, text=hostile, id=hostile, gold=hostile)
    decision = transcript.decisions[0]
    round_ = decision.rounds[0]
    executors = tuple(replace(each, agent="x", answer=hostile) for each in round_.executors)
    rounds = (replace(round_, executors=executors),)
    decisions = (replace(decision, rounds=rounds),)
    assert_a_frame(
        draw_frame(
            replace(
                transcript, question=question, decisions=decisions, failed=hostile, strategies=()
            )
        )
    )


def test_a_failed_episode_says_so() -> None:
    model = FlakyModel(lambda request: request.role == "execute")
    failed = played(1, llm=model, prompts="compact", embedder="hashing")[-1]
    assert failed.failed is not None
    without = draw_frame(replace(failed, failed=None))
    assert (draw_frame(failed) != without).any()


def test_render_returns_frames_in_all_views() -> None:
    mode: dict[str, Any] = {"render_mode": "rgb_array"}
    env = EconParallelEnv("simulated", "simulated", **mode)
    env.reset(seed=0)
    assert_a_frame(env.render())
    single = gymnasium.make("econ_env:econ/Simulated-v0", **mode)
    single.reset(seed=0)
    assert_a_frame(single.render())
    vector = JointVectorEnv(2, dataset="simulated", llm="simulated", **mode)
    vector.reset(seed=0)
    frames = vector.render()
    assert frames is not None
    assert len(frames) == 2
    for frame in frames:
        assert_a_frame(frame)
    assert_a_frame(vector.call("render")[1])


def test_gymnasium_collects_the_frames_of_an_episode() -> None:
    env = RenderCollection(gymnasium.make("econ_env:econ/Simulated-v0", render_mode="rgb_array"))
    env.reset(seed=0)
    env.step(np.zeros(6, dtype=np.float32))
    frames = env.render()
    assert len(frames) == 2
    assert not np.array_equal(frames[0], frames[1])


@pytest.mark.slow
@pytest.mark.parametrize("teams", [1, 2])
def test_gymnasium_makes_a_film(teams: int, tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="needs moviepy: pip install moviepy")
    name = "econ_env:econ/Simulated-v0"
    mode: dict[str, Any] = {"render_mode": "rgb_array"}
    folder = tmp_path / "films"
    film: Any = (
        RecordVideo(gymnasium.make(name, **mode), str(folder))
        if teams == 1
        else RecordVectorVideo(gymnasium.make_vec(name, teams, **mode), str(folder))
    )
    film.reset(seed=0)
    film.step(film.action_space.sample())
    film.close()
    assert [path.suffix for path in folder.iterdir() if path.stat().st_size > 0] == [".mp4"]


def test_without_pillow_the_environment_runs_and_only_a_picture_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without_pillow(name: str, *arguments: Any, **settings: Any) -> Any:
        if name.split(".")[0] == "PIL":
            raise ImportError("no Pillow in this test")
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    env = EconParallelEnv("simulated", "simulated", render_mode="rgb_array")
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, np.zeros(2)))
    with pytest.raises(DrawingUnavailable, match=r"pip install \"econ-env\[render\]\""):
        env.render()
