"""Conversion of an optimiser's state for a checkpoint, and checks that a checkpoint fits.

Networks need no conversion: their ``state_dict()`` holds tensors by name.
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
    """State of ``optimizer``: tensors by ``<parameter>.<name>``, and the rest as plain data."""
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
    """Restore in ``optimizer`` the state that :func:`optimizer_state` returned.

    Its learning rates and other settings become the saved ones.

    Raises:
        CheckpointError: the state belongs to other parameters.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    restored: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        known = index.isdecimal() and int(index) < len(parameters)
        if not known or tensor.shape not in ((), parameters[int(index)].shape):
            raise CheckpointError(
                f"the optimizer of the checkpoint has {key} of shape {tuple(tensor.shape)}, which "
                f"fits none of the {len(parameters)} parameters here: it belongs to other networks"
            )
        # Copy, because the optimizer writes into the tensors that it is given.
        restored.setdefault(int(index), {})[name] = tensor.clone()
    for index, values in state["values"].items():
        restored.setdefault(int(index), {}).update(values)
    try:
        optimizer.load_state_dict({"state": restored, "param_groups": state["groups"]})
    except ValueError as error:
        raise CheckpointError(f"the optimizer of the checkpoint does not fit: {error}") from error


def check_shapes(
    saved: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    *,
    saved_config: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Check that ``saved`` has exactly the names and shapes of ``expected``.

    Args:
        saved: tensors of a checkpoint, by name.
        expected: tensors that they are to replace, for example ``network.state_dict()``.
        saved_config: the configuration of the checkpoint, as nested plain data.
        config: the present configuration, as nested plain data.

    Raises:
        CheckpointError: they differ. The message names the first tensors and the first settings
            that differ, since one of the settings is the reason.
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
    """Describe every setting on which two configurations differ.

    Args:
        then: the earlier configuration, as nested plain data.
        now: the later configuration, as nested plain data.
    """
    before, after = flat_keys(then), flat_keys(now)
    return [
        f"{key} was {before.get(key)!r} and is {after.get(key)!r}"
        for key in [*after, *(key for key in before if key not in after)]
        if before.get(key) != after.get(key)
    ]


def first_of(texts: list[str]) -> str:
    """Join the first few texts in one line, followed by the number of further ones."""
    rest = len(texts) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


def _shape(tensors: Mapping[str, torch.Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "missing"
