"""Episodes survive the way into a checkpoint and back to the last bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_arrays import from_arrays, to_arrays
from tests.econ_agents.builders import ACTION, OBSERVATION, an_episode, same_episodes


@st.composite
def episodes(draw: st.DrawFn) -> list[Episode]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        steps = draw(st.integers(1, 4))
        rng = np.random.default_rng(number)
        infos = {
            name: rng.random((steps, 3), dtype=np.float32)
            for name in draw(st.sets(st.sampled_from(["ts", "steps", "memory", "goal"])))
        }
        made.append(
            an_episode(
                number,
                steps,
                infos=infos,
                memory=rng.random(
                    (draw(st.integers(0, 3)), 3, OBSERVATION + ACTION + 1), dtype=np.float32
                ),
                terminated=draw(st.booleans()),
                failed=draw(st.booleans()),
                seed=draw(st.integers(0, 2**31 - 1)),
                stream=draw(st.integers(0, 9)),
            )
        )
    return made


@given(episodes())
@settings(max_examples=60)
def test_episodes_come_back_to_the_last_bit(played: list[Episode]):
    assert same_episodes(from_arrays(to_arrays(played)), played)


def test_what_comes_back_is_its_own():
    arrays = to_arrays([an_episode(0), an_episode(1)])
    first, _ = from_arrays(arrays)
    arrays["observations"][:] = 0
    assert first.observations.any()
