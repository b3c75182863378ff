"""What a trainer remembers, as tensors and plain JSON data for a checkpoint, and back.

Networks need none of this: their ``state_dict()`` is tensors by name already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from econ_agents.config.files import flat_keys
from econ_agents.training.checkpoint import CheckpointError

_NAMED = 3  # differences of each kind that an error names


def optimizer_state(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The state of ``optimizer``: tensors by ``<parameter>.<name>``, and everything else."""
    state = optimizer.state_dict()
    tensors: dict[str, torch.Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                values.setdefault(str(index), {})[name] = value
    return tensors, {"values": values, "groups": state["param_groups"]}


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    state: Mapping[str, Any],
) -> None:
    """Give ``optimizer`` what :func:`optimizer_state` returned for one of the same parameters.

    Its learning rates and other settings become those that were saved.

    Raises:
        CheckpointError: it was of other parameters.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    restored: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        known = index.isdecimal() and int(index) < len(parameters)
        if not known or tensor.shape not in ((), parameters[int(index)].shape):
            raise CheckpointError(
                f"the optimizer of the checkpoint has {key} of shape {tuple(tensor.shape)}, which "
                f"fits to none of the {len(parameters)} parameters here: it was of other networks"
            )
        # A copy, because the optimizer writes into what it is given.
        restored.setdefault(int(index), {})[name] = tensor.clone()
    for index, values in state["values"].items():
        restored.setdefault(int(index), {}).update(values)
    try:
        optimizer.load_state_dict({"state": restored, "param_groups": state["groups"]})
    except ValueError as error:
        raise CheckpointError(f"the optimizer of the checkpoint is another one: {error}") from error


def check_shapes(
    saved: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    *,
    saved_config: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Return if ``saved`` has exactly the names and shapes of ``expected``.

    Args:
        saved: tensors of a checkpoint, by name.
        expected: those they are to replace, ``network.state_dict()`` for example.
        saved_config: the configuration of the checkpoint, as nested plain data.
        config: the configuration now.

    Raises:
        CheckpointError: they differ. The message names the first tensors that do, and every
            setting that does: one of these is the reason.
    """
    differences = [
        f"{name} is {_shape(saved, name)} in the checkpoint and {_shape(expected, name)} here"
        for name in [*expected, *(name for name in saved if name not in expected)]
        if _shape(saved, name) != _shape(expected, name)
    ]
    if not differences:
        return
    settings = differing_settings(saved_config, config)
    raise CheckpointError(
        f"the networks of the checkpoint have other shapes: {first_of(differences)}. "
        + (
            f"Settings that differ: {first_of(settings)}"
            if settings
            else "No setting differs, so the environment has other agents or spaces"
        )
    )


def differing_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Every setting that two configurations disagree on, for people.

    Args:
        then: the earlier one, as nested plain data.
        now: the later one.
    """
    before, after = flat_keys(then), flat_keys(now)
    return [
        f"{key} was {before.get(key)!r} and is {after.get(key)!r}"
        for key in [*after, *(key for key in before if key not in after)]
        if before.get(key) != after.get(key)
    ]


def first_of(texts: list[str]) -> str:
    """The first few texts in one line, and how many more there are."""
    rest = len(texts) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


def _shape(tensors: Mapping[str, torch.Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "missing"
