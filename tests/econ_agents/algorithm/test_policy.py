"""The policy acts from beliefs, refines between rounds, and repeats itself exactly when settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.policy import TeamPolicy, seen_columns
from econ_agents.environments import TeamSpace
from econ_agents.networks import TeamNetworks
from tests.econ_agents.builders import TEAM, a_policy, normal, shaken, tiny_networks

STREAMS = 2
SPACE = TeamSpace(
    agents=TEAM,
    observation_size=5,
    action_size=2,
    state_size=15,
    layout={"commitment": slice(0, 2), "response": slice(2, 4), "round": slice(4, 5)},
)
A, B = (1.0, 0.0), (0.0, 1.0)
NOTHING = (0.0, 0.0)


def networks(*, move: tuple[float, float] | None = None) -> TeamNetworks:
    """Networks that refine as they like, or all by the same move."""
    made = shaken(tiny_networks(seen_size=4), 0, scale=0.5)
    if move is not None:
        last = list(made.refine.move)[-1]
        assert isinstance(last, torch.nn.Linear)
        with torch.no_grad():
            last.weight.zero_()
            last.bias.copy_(torch.atanh(torch.tensor(move) / made.refine.max_delta))
    return made


def policy(made: TeamNetworks, *, refine: bool = True, **rules: Any) -> TeamPolicy:
    return a_policy(SPACE, made, streams=STREAMS, refine=refine, **rules)


def seen(
    round_share: float, commitment: tuple[float, float] = NOTHING, seed: int = 0
) -> FloatArray:
    """Observations of all streams and agents after some rounds."""
    observations = normal(seed, STREAMS, len(TEAM), 5).numpy()
    observations[..., 0:2] = commitment
    observations[..., 4] = round_share
    return observations


def play(
    team: TeamPolicy,
    *steps: tuple[float, tuple[float, float]],
    around: float | None = None,
    periods: tuple[int, ...] | None = None,
) -> list[FloatArray]:
    """Actions of each step; with ``around``, the first actions are all this.

    ``periods`` are what the environment says of the commitments.
    """
    done = []
    for stream in range(STREAMS):
        team.begin(stream)
    for number, (round_share, commitment) in enumerate(steps):
        observations = seen(round_share, commitment, seed=number)
        said = None if periods is None else np.full(STREAMS, periods[number])
        actions = team.act(observations, said)
        if number == 0 and around is not None:
            actions = np.full_like(actions, around)
        for stream in range(STREAMS):
            team.played(stream, observations[stream], actions[stream])
        done.append(actions)
    return done


def test_the_first_round_is_the_belief_networks_action():
    made = networks()
    team, observations = policy(made), seen(0.0)
    moments, known = team.memory.windows(observations)
    beliefs = made.beliefs(
        torch.from_numpy(moments.transpose(2, 0, 1, 3).copy()), torch.from_numpy(known)
    )
    expected = made.beliefs.actions(beliefs).detach().transpose(0, 1).numpy()
    np.testing.assert_array_equal(team.act(observations), expected)


def test_a_later_round_refines_the_last_action_by_what_was_seen_of_it():
    made = networks()
    team = policy(made, update_rate=0.5, convergence_threshold=0.0)
    first, second = play(team, (0, NOTHING), (0.5, A))
    team = policy(made, update_rate=0.5, convergence_threshold=0.0)
    play(team, (0, NOTHING))
    observations = seen(0.5, A, seed=1)
    moments, known = team.memory.windows(observations)
    with torch.no_grad():
        beliefs = made.beliefs(
            torch.from_numpy(moments.transpose(2, 0, 1, 3).copy()), torch.from_numpy(known)
        )
        refined = made.refine(
            beliefs,
            torch.from_numpy(observations[..., [2, 3, 0, 1]].swapaxes(0, 1).copy()),
            made.encoder(beliefs),
            torch.from_numpy(first.swapaxes(0, 1).copy()),
            0.5,
        )
    np.testing.assert_array_equal(second, refined.transpose(0, 1).numpy())
    assert np.abs(second - first).max() > 0.01


def test_who_would_move_less_than_the_threshold_repeats_itself_exactly():
    for move, moves in (((0.04, -0.04), False), ((0.04, 0.06), True), ((-0.06, 0.0), True)):
        team = policy(networks(move=move), convergence_threshold=0.05)
        first, second = play(team, (0, NOTHING), (0.5, A))
        assert (second != first).any(axis=-1).all() == moves
        assert (first.tobytes() == second.tobytes()) == (not moves)


def test_everybody_settles_for_himself():
    team = policy(networks(move=(0.1, 0.1)), convergence_threshold=0.05)
    observations = seen(0.0)
    actions = np.zeros((STREAMS, 3, 2), np.float32)
    actions[:, 1] = 1.0  # no way to move on, at the wall
    for stream in range(STREAMS):
        team.begin(stream)
        team.played(stream, observations[stream], actions[stream])
    moved = (team.act(seen(0.5, A)) != actions).any(axis=-1)
    assert moved.tolist() == [[True, False, True]] * STREAMS


@pytest.mark.parametrize(
    ("commitments", "settles"),
    [
        ((A, A), True),
        ((A, (0.9999, 0.001)), True),
        ((A, B), False),
        ((A, (0.9, 0.3)), False),
        ((A, B, A), True),
        ((A, B, B), True),
        ((A, B, (-1.0, 0.0)), False),
        ((NOTHING, NOTHING), False),
    ],
)
def test_a_commitment_that_repeats_or_oscillates_settles_a_decision(
    commitments: tuple[tuple[float, float], ...], settles: bool
):
    rounds = [(0.25 * (k + 1), commitment) for k, commitment in enumerate(commitments)]
    team = policy(networks(move=(0.1, 0.1)), convergence_threshold=0.05)
    *_, before, last = play(team, (0, NOTHING), *rounds, around=-0.5)
    assert (before.tobytes() == last.tobytes()) == settles


def test_oscillation_may_be_ignored():
    team = policy(networks(move=(0.1, 0.1)), detect_oscillation=False)
    *_, before, last = play(team, (0, NOTHING), (0.25, A), (0.5, B), (0.75, A), around=-0.5)
    assert (before != last).all()


@pytest.mark.parametrize(
    ("commitments", "periods", "settles"),
    [
        ((A, B), (0, 1), True),
        ((A, A), (0, 0), False),
        ((A, B, (-1.0, 0.0)), (0, 0, 2), True),
        ((A, B, A), (0, 0, 0), False),
    ],
)
def test_what_the_environment_says_of_its_commitments_stands_above_their_embeddings(
    commitments: tuple[tuple[float, float], ...], periods: tuple[int, ...], settles: bool
):
    rounds = [(0.25 * (k + 1), commitment) for k, commitment in enumerate(commitments)]
    team = policy(networks(move=(0.1, 0.1)), convergence_threshold=0.05)
    *_, before, last = play(team, (0, NOTHING), *rounds, around=-0.5, periods=(0, *periods))
    assert (before.tobytes() == last.tobytes()) == settles


def test_oscillation_that_the_environment_reports_may_be_ignored():
    team = policy(networks(move=(0.1, 0.1)), detect_oscillation=False)
    steps = ((0, NOTHING), (0.25, A), (0.5, B), (0.75, A))
    *_, before, last = play(team, *steps, around=-0.5, periods=(0, 0, 0, 2))
    assert (before != last).all()


def test_the_first_round_of_a_decision_is_never_a_repetition():
    team = policy(networks(), convergence_threshold=10.0)
    first, second, fresh = play(team, (0, NOTHING), (0.5, A), (0, A))
    assert first.tobytes() == second.tobytes()
    assert (fresh != second).all()


def test_what_an_earlier_decision_came_to_does_not_settle_the_next():
    team = policy(networks(move=(0.1, 0.1)), convergence_threshold=0.05)
    *_, before, last = play(team, (0, NOTHING), (0.5, A), (0, A), (0.5, A))
    assert (before != last).any(axis=-1).all()


def test_a_new_episode_knows_no_commitment_of_the_last():
    team = policy(networks(move=(0.1, 0.1)), convergence_threshold=0.05)
    play(team, (0, NOTHING), (0.5, A))
    before, last = play(team, (0, A), (0.5, A))
    assert (before != last).any(axis=-1).all()


def test_without_refinement_later_rounds_act_anew():
    made = networks(move=(0.1, 0.1))
    team = policy(made, refine=False, convergence_threshold=0.0)
    _, second = play(team, (0, NOTHING), (0.5, A))
    other = policy(made, refine=False, convergence_threshold=0.0)
    play(other, (0, NOTHING))
    moments, known = other.memory.windows(seen(0.5, A, seed=1))
    beliefs = made.beliefs(
        torch.from_numpy(moments.transpose(2, 0, 1, 3).copy()), torch.from_numpy(known)
    )
    expected = made.beliefs.actions(beliefs).detach().transpose(0, 1).numpy()
    np.testing.assert_array_equal(second, expected)


def test_where_rounds_are_not_named_every_step_is_a_decision():
    space = TeamSpace(agents=TEAM, observation_size=5, action_size=2, state_size=15, layout=None)
    made = shaken(tiny_networks(), 0, scale=0.5)
    team = a_policy(space, made, streams=STREAMS, convergence_threshold=10.0)
    first, second = play(team, (0, NOTHING), (0.5, A))
    assert (first != second).any(axis=-1).all()


def test_a_stream_does_not_feel_the_others_to_the_last_bit():
    one, other = policy(networks()), policy(networks())
    observations = seen(0.0)
    changed = observations.copy()
    changed[1] = 100.0
    assert one.act(observations)[0].tobytes() == other.act(changed)[0].tobytes()


def test_what_was_played_is_remembered_and_what_failed_is_not():
    team, observations = policy(networks()), seen(0.0)
    known = team.begin(0)
    team.played(0, observations[0], np.full((3, 2), 0.5, np.float32))
    team.ended(0, observations[1])
    moments = team.memory.moments[0][team.memory.filled[0]]
    assert moments[..., 5:].tolist() == [[[0.5, 0.5, 1.0]] * 3, [[0.0, 0.0, 0.0]] * 3]
    np.testing.assert_array_equal(moments[..., :5], observations)
    team.forget(0, known)
    assert not team.memory.filled[0].any()


def test_refinement_reads_response_and_commitment_where_they_are_named():
    assert seen_columns(SPACE).tolist() == [2, 3, 0, 1]
    for layout in (None, {"commitment": slice(0, 2)}, {"response": slice(0, 2)}):
        space = TeamSpace(
            agents=TEAM, observation_size=5, action_size=2, state_size=15, layout=layout
        )
        assert seen_columns(space).tolist() == [0, 1, 2, 3, 4]
