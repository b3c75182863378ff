"""Moves stay in the box, candidates cover it, and the search climbs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from econ_agents.algorithm.episode import FloatArray
from econ_agents.equilibrium.deviations import (
    Deviation,
    Move,
    Search,
    grid_candidates,
    shift_candidates,
)

joint_actions = arrays.arrays(np.float32, (4, 3, 2), elements=st.floats(-1, 1, width=32))
constants = st.builds(Move, kind=st.just("constant"), values=st.tuples(*[st.floats(-1, 1)] * 2))
shifts = st.builds(Move, kind=st.just("shift"), values=st.tuples(*[st.floats(-2, 2)] * 2))


@given(joint_actions, st.integers(0, 2), constants | shifts)
def test_a_deviation_changes_one_agent_and_stays_in_the_box(
    actions: FloatArray, agent: int, move: Move
) -> None:
    before = actions.copy()
    played = Deviation(agent=agent, move=move).apply(actions)
    others = [other for other in range(3) if other != agent]
    np.testing.assert_array_equal(actions, before)
    np.testing.assert_array_equal(played[:, others], actions[:, others])
    assert np.all(np.abs(played) <= 1)
    assert played.dtype == np.float32


def test_a_constant_replaces_the_action_and_a_shift_moves_it_up_to_the_side() -> None:
    actions = np.array([[0.5, 0.5], [-0.5, 0.0]], np.float32)
    constant = Move(kind="constant", values=(0.25, -1.0)).apply(actions)
    shift = Move(kind="shift", values=(0.75, -0.25)).apply(actions)
    assert constant.tolist() == [[0.25, -1.0]] * 2
    assert shift.tolist() == [[1.0, 0.25], [0.25, -0.25]]


def test_a_deviation_works_on_one_team_as_on_many() -> None:
    deviation = Deviation(agent=1, move=Move(kind="shift", values=(0.5,)))
    assert deviation.apply(np.zeros((2, 1), np.float32)).tolist() == [[0.0], [0.5]]


def test_moves_outside_of_the_box_are_refused() -> None:
    Move(kind="shift", values=(-2.0,))
    for kind, value in (("constant", 1.5), ("shift", 2.5), ("constant", float("nan"))):
        with pytest.raises(ValueError, match=f"a {kind} has values in"):
            Move(kind=kind, values=(0.0, value))  # type: ignore[arg-type]


def test_a_move_of_another_size_than_the_action_is_refused() -> None:
    with pytest.raises(ValueError, match="the move has 1 values and the action 2"):
        Move(kind="constant", values=(0.0,)).apply(np.zeros((1, 2), np.float32))


def test_the_grid_reaches_the_corners_and_one_point_is_the_middle() -> None:
    points = [move.values for move in grid_candidates(3, 2)]
    assert len(set(points)) == 9
    assert {(-1.0, -1.0), (0.0, 0.0), (1.0, -1.0)} <= set(points)
    assert [move.values for move in grid_candidates(1, 2)] == [(0.0, 0.0)]
    with pytest.raises(ValueError, match="points_per_axis must be at least 1, got 0"):
        grid_candidates(0, 2)


def test_shifts_go_up_and_down_along_every_axis() -> None:
    shifts = {move.values for move in shift_candidates((0.1, 0.5), 2)}
    assert len(shifts) == 8
    assert {(0.1, 0.0), (-0.5, 0.0), (0.0, -0.1)} <= shifts


def test_neighbours_end_at_the_side_of_the_box() -> None:
    corner = Move(kind="constant", values=(1.0, -0.9))
    assert [near.values for near in corner.neighbours(0.25)] == [
        (0.75, -0.9),
        (1.0, -1.0),
        (1.0, -0.65),
    ]


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_search_climbs_to_the_top_of_a_smooth_hill(x: float, y: float) -> None:
    search = Search(candidates=grid_candidates(3, 2), refinements=40, step=0.5)
    best, top = search.best(lambda move: -((move.values[0] - x) ** 2) - (move.values[1] - y) ** 2)
    assert best.values == pytest.approx((x, y), abs=0.01)
    assert top == pytest.approx(0, abs=1e-3)


def test_the_search_tries_every_move_once_and_keeps_the_first_of_equals() -> None:
    tried: list[Move] = []

    def flat(move: Move) -> float:
        tried.append(move)
        return 1.0

    search = Search(candidates=grid_candidates(3, 1) * 2, refinements=3)
    assert search.best(flat) == (search.candidates[0], 1.0)
    assert len(tried) == len(set(tried)) == 3 + 3


def test_an_impossible_search_is_refused() -> None:
    some = grid_candidates(2, 1)
    with pytest.raises(ValueError, match="at least one candidate"):
        Search(candidates=())
    with pytest.raises(ValueError, match="refinements=-1"):
        Search(candidates=some, refinements=-1)
    with pytest.raises(ValueError, match="step=0"):
        Search(candidates=some, step=0)
