"""A trainer that was saved and loaded goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from econ_agents.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from econ_agents.training.checkpoint_state import (
    check_shapes,
    optimizer_state,
    restore_optimizer,
)

Make = Callable[[nn.Module], torch.optim.Optimizer]


def network(width: int = 4) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    made = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(generator=generator)
    return made


def train(net: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.randn(8, 3, generator=generator)).square().mean().backward()
        optimizer.step()


OPTIMIZERS: list[Make] = [
    lambda net: torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.8, 0.9)),
    lambda net: torch.optim.AdamW(
        [{"params": [p], "lr": 0.1 / n} for n, p in enumerate(net.parameters(), start=1)]
    ),
    lambda net: torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9),
]


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("steps_before", [0, 1])
def test_training_goes_on_to_the_same_bits(tmp_path: Path, make: Make, steps_before: int) -> None:
    net = network()
    optimizer = make(net)
    for seed in range(steps_before):
        train(net, optimizer, seed)
    tensors, state = optimizer_state(optimizer)
    arrays = {"networks": net.state_dict(), "optimizers": tensors}
    loaded = load_checkpoint(save_checkpoint(tmp_path, "final", arrays, {"optimizer": state}))

    resumed = network()
    resumed.load_state_dict(loaded.arrays["networks"])
    again = make(resumed)
    for group in again.param_groups:
        group["lr"] = 123.0
    restore_optimizer(again, loaded.arrays["optimizers"], loaded.state["optimizer"])
    assert [group["lr"] for group in again.param_groups] == [
        group["lr"] for group in optimizer.param_groups
    ]
    train(net, optimizer, seed=9)
    train(resumed, again, seed=9)
    for ours, theirs in zip(net.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_restored_optimizer_leaves_the_checkpoint_as_it_is() -> None:
    net = network()
    optimizer = OPTIMIZERS[0](net)
    train(net, optimizer, seed=0)
    tensors, state = optimizer_state(optimizer)
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    restored = OPTIMIZERS[0](net)
    restore_optimizer(restored, kept, state)
    before = {name: tensor.clone() for name, tensor in kept.items()}
    train(net, restored, seed=1)
    assert all(torch.equal(kept[name], before[name]) for name in kept)


def test_the_optimizer_of_other_networks_is_refused() -> None:
    net = network()
    optimizer = OPTIMIZERS[0](net)
    train(net, optimizer, seed=0)
    tensors, state = optimizer_state(optimizer)
    with pytest.raises(CheckpointError, match="belongs to other networks"):
        restore_optimizer(OPTIMIZERS[0](network(width=5)), tensors, state)
    with pytest.raises(CheckpointError, match="belongs to other networks"):
        restore_optimizer(OPTIMIZERS[0](nn.Linear(3, 4)), tensors, state)
    with pytest.raises(CheckpointError, match="does not fit"):
        restore_optimizer(OPTIMIZERS[1](net), tensors, state)


def test_equal_shapes_pass_whatever_the_settings() -> None:
    saved, expected = network().state_dict(), network().state_dict()
    check_shapes(saved, expected, saved_config={"a": 1}, config={"a": 2})
    with pytest.raises(CheckpointError, match="a was 1 and is 2"):
        check_shapes(
            saved, expected | {"more": saved["0.weight"]}, saved_config={"a": 1}, config={"a": 2}
        )


def test_other_shapes_are_named_with_the_settings_that_differ() -> None:
    with pytest.raises(CheckpointError) as caught:
        check_shapes(
            network(4).state_dict(),
            network(6).state_dict(),
            saved_config={"network": {"belief_dim": 4, "heads": 2}, "gone": 1},
            config={"network": {"belief_dim": 6, "heads": 2}},
        )
    message = str(caught.value)
    assert "0.weight is (4, 3) in the checkpoint and (6, 3) here" in message
    assert "network.belief_dim was 4 and is 6" in message
    assert "gone was 1 and is None" in message
    assert "heads" not in message


def test_missing_and_additional_tensors_are_other_shapes() -> None:
    whole = network().state_dict()
    part = {name: tensor for name, tensor in whole.items() if name != "2.bias"}
    with pytest.raises(CheckpointError, match=r"2\.bias is missing in the checkpoint"):
        check_shapes(part, whole, saved_config={}, config={})
    with pytest.raises(CheckpointError, match=r"missing here\. No setting differs"):
        check_shapes(whole, part, saved_config={}, config={})
