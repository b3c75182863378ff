"""All networks of a team come from one seed, and shared ones serve another number of agents."""

from __future__ import annotations

import torch

from econ_agents.environments import TeamSpace
from tests.econ_agents.builders import a_policy, normal, shaken, tiny_networks, tiny_shapes, uniform


def test_networks_are_a_function_of_their_seed_and_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    one, same, other = tiny_networks(1), tiny_networks(1), tiny_networks(2)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert any(
        not torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items()
    )


def test_executors_start_with_parameters_of_their_own():
    weight = tiny_networks().beliefs.action_head.weight
    assert not torch.equal(weight[0], weight[1])


def test_a_moment_holds_observation_action_and_whether_there_was_one():
    assert tiny_shapes(observation_size=7, action_size=2).moment_size == 10


def test_mixing_is_of_the_local_values_of_the_actions():
    networks = shaken(tiny_networks(), 0, scale=0.3)
    beliefs, actions = normal(0, 3, 4, 8), uniform(0, 3, 4, 2)
    team, state = networks.encoder(beliefs), normal(0, 4, 15)
    values = networks.beliefs.values(beliefs, actions)
    expected = networks.mixer(values, actions, team, state)
    mixed = networks.mix(beliefs, actions, team, state)
    assert torch.equal(mixed.total, expected.total)
    assert torch.equal(mixed.features, expected.features)


def test_what_three_agents_learned_together_five_can_play():
    trained = shaken(tiny_networks(network={"share_parameters": True}), 0, scale=0.3)
    used = tiny_networks(1, network={"share_parameters": True}, n_agents=5, state_size=25)
    for part in ("beliefs", "encoder", "refine"):
        getattr(used, part).load_state_dict(getattr(trained, part).state_dict())
    layout = {"round": slice(4, 5)}
    teams = [
        TeamSpace(
            agents=tuple(f"agent_{k}" for k in range(n)),
            observation_size=5,
            action_size=2,
            state_size=5 * n,
            layout=layout,
        )
        for n in (3, 5)
    ]
    few, many = (
        a_policy(space, networks, streams=2)
        for space, networks in zip(teams, (trained, used), strict=True)
    )
    first = normal(0, 2, 5, 5).numpy()
    first[..., 4] = 0
    three, five = few.act(first[:, :3]), many.act(first)
    assert five.shape == (2, 5, 2)
    torch.testing.assert_close(torch.from_numpy(five[:, :3]), torch.from_numpy(three))
    for stream in range(2):
        many.played(stream, first[stream], five[stream])
    later = normal(1, 2, 5, 5).numpy()
    later[..., 4] = 0.5
    assert (many.act(later) != five).any()
