"""Conversion of an optimiser's state for a checkpoint, and checks that what is restored fits.

Networks need no conversion: their ``state_dict()`` holds tensors by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from econ_agents.algorithm.builders import outline_networks
from econ_agents.algorithm.reward_weighting import RewardWeighting
from econ_agents.config.files import config_mapping, flat_keys
from econ_agents.config.schema import Config
from econ_agents.environments import TeamSpace
from econ_agents.training.checkpoint import Checkpoint, CheckpointError

_NAMED = 3  # differences of each kind that an error names
_TOLERANCE = 1e-4  # of the sum of the weights
LARGEST_NUMBER = 1e15
"""Largest magnitude of a number of a stored episode, or of a setting of the optimizer: its square
is still a float32."""
_ADAM = {"step", "exp_avg", "exp_avg_sq"}


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


@contextmanager
def restoring(checkpoint: Checkpoint, part: str) -> Iterator[None]:
    """Name the file of a checkpoint in whatever goes wrong while its content is restored.

    Args:
        checkpoint: the checkpoint.
        part: name of its file.

    Raises:
        CheckpointError: the content does not fit. It comes from a file, so an exception here is the
            fault of the file.
    """
    try:
        yield
    except CheckpointError as error:
        if str(checkpoint.path) in str(error):
            raise
        raise CheckpointError(f"{checkpoint.path / part}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, MemoryError) as error:
        raise CheckpointError(f"{checkpoint.path / part} does not fit: {error!r}") from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.path / part} does not fit: {error}") from error


def restore_module(
    module: nn.Module,
    saved: Mapping[str, torch.Tensor],
    *,
    saved_config: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Restore the parameters and buffers of ``module``.

    Raises:
        CheckpointError: they have other names, shapes or types, or are not finite.
    """
    expected = module.state_dict()
    check_shapes(saved, expected, saved_config=saved_config, config=config)
    check_numbers(saved, expected)
    module.load_state_dict(saved)


def restore_weighting(weighting: RewardWeighting, saved: Mapping[str, torch.Tensor]) -> None:
    """Restore the learned weights of the reward.

    Raises:
        CheckpointError: they are no weights, each in [0, 1] with the sum 1.
    """
    restore_module(weighting, saved, saved_config={}, config={})
    weights = weighting.as_options().values()
    if min(weights) < 0 or abs(sum(weights) - 1) > _TOLERANCE:
        raise CheckpointError(f"the weights of the reward are {list(weights)}, without the sum 1")


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    state: Mapping[str, Any],
) -> None:
    """Restore in ``optimizer`` the state that :func:`optimizer_state` returned.

    Its learning rates and other settings become the saved ones.

    Raises:
        CheckpointError: the state belongs to other parameters or to another optimizer, or holds
            something else than finite numbers.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    restored: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        known = index.isdecimal() and int(index) < len(parameters)
        if not known or tensor.shape != (() if name == "step" else parameters[int(index)].shape):
            raise CheckpointError(
                f"the optimizer of the checkpoint has {key} of shape {tuple(tensor.shape)}, which "
                f"fits none of the {len(parameters)} parameters here: it belongs to other networks"
            )
        check_numbers({key: tensor}, {key: parameters[int(index)]})
        # Copy, because the optimizer writes into the tensors that it is given.
        restored.setdefault(int(index), {})[name] = tensor.clone()
    for index, values in state["values"].items():
        restored.setdefault(int(index), {}).update(values)
    own = optimizer.state_dict()["param_groups"]
    groups = [_checked_group(*pair) for pair in zip(state["groups"], own, strict=False)]
    try:
        if len(state["groups"]) != len(own):
            raise ValueError(f"it has {len(state['groups'])} groups of parameters, not {len(own)}")
        optimizer.load_state_dict({"state": restored, "param_groups": groups})
    except ValueError as error:
        raise CheckpointError(f"the optimizer of the checkpoint does not fit: {error}") from error


def check_adam(tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Check that Adam can go on from its saved state.

    Args:
        tensors: tensors of :func:`optimizer_state`.
        state: the rest of it.

    Raises:
        CheckpointError: a parameter lacks one of Adam's moments, a second moment is negative, or
            something else than a tensor is saved for a parameter.
    """
    if state["values"] != {}:
        raise CheckpointError(
            f"the optimizer has the values {state['values']!r:.60}, but Adam keeps tensors only"
        )
    names: dict[str, set[str]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        names.setdefault(index, set()).add(name)
        if name != "exp_avg" and bool((tensor < 0).any()):
            raise CheckpointError(f"the optimizer's {key} is negative")
    for index, found in names.items():
        if found != _ADAM:
            raise CheckpointError(
                f"the optimizer has {', '.join(sorted(found))} for parameter {index}, but needs "
                f"{', '.join(sorted(_ADAM))}"
            )


def check_numbers(saved: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    """Check that tensors have the types of those that they are to replace, and are finite.

    Raises:
        CheckpointError: one has another type, or holds NaN or infinity.
    """
    for name, tensor in saved.items():
        if tensor.dtype != expected[name].dtype:
            raise CheckpointError(f"{name} has the type {tensor.dtype}, not {expected[name].dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{name} holds NaN or infinity")


def check_sizes(
    config: Config,
    space: TeamSpace,
    saved: Mapping[str, torch.Tensor],
    saved_config: Mapping[str, Any],
) -> None:
    """Check that saved networks, or parts of them, fit, before networks of this size are made.

    Args:
        config: the present configuration, which may come from the same file.
        space: spaces of the environment.
        saved: tensors of the networks, or of the parts that matter, by name.
        saved_config: the configuration of the checkpoint, as nested plain data.

    Raises:
        CheckpointError: they have other names or shapes.
    """
    if config.network.blocks > len(saved):
        raise CheckpointError(
            f"network.blocks is {config.network.blocks}, more than the checkpoint has tensors"
        )
    parts = {name.partition(".")[0] for name in saved}
    expected = outline_networks(config, space).state_dict()
    check_shapes(
        saved,
        {name: each for name, each in expected.items() if name.partition(".")[0] in parts},
        saved_config=saved_config,
        config=config_mapping(config),
    )


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


def _checked_group(saved: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a saved group of parameters, with the present settings where it has none."""
    for name, value in saved.items():
        fits = name in own and _alike(value, own[name])
        if not fits or (name == "betas" and max(value) >= 1):
            raise CheckpointError(
                f"the optimizer of the checkpoint does not fit: it has {name} = {value!r:.60}"
            )
    return {**own, **saved}


def _alike(value: object, own: object) -> bool:
    """Return True for values of the same kind; numbers are in [0, LARGEST_NUMBER].

    A flag must be the same: with another one, an optimizer needs a state of another kind.
    """
    if isinstance(own, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(own):
            return False
        return all(map(_alike, value, own))
    if isinstance(own, (bool, type(None))):
        return value is own
    return type(value) in (int, float) and 0 <= cast("float", value) <= LARGEST_NUMBER


def check_array(
    name: str, array: NDArray[Any], shape: tuple[int | None, ...], *, finite: bool = True
) -> None:
    """Check an array that was read from a file.

    Args:
        name: of the array, for the message.
        array: the array.
        shape: its shape; None stands for any size.
        finite: True if NaN and infinity are refused.

    Raises:
        ValueError: it has another shape or type, or numbers that are not finite.
    """
    fits = array.ndim == len(shape) and all(
        size in (None, own) for own, size in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.float32 or not fits:
        raise ValueError(
            f"{name} has the type {array.dtype} and the shape {array.shape}; it should be float32 "
            f"of shape {shape} (None: any size)"
        )
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity")
    if finite and np.abs(array).max(initial=0.0) > LARGEST_NUMBER:
        raise ValueError(f"{name} holds numbers above {LARGEST_NUMBER:g}, which sums overflow at")
