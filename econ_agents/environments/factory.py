"""Making the environment from the name of its factory, by import alone: no code is evaluated."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pettingzoo import AECEnv

from econ_agents.environments.native import NativeBatch
from econ_agents.environments.protocol import Teams
from econ_agents.environments.space import EnvironmentMisfit, describe
from econ_agents.environments.sync import SyncBatch

Factory: TypeAlias = Callable[..., Any]

BATCH_PARAMETER = "num_questions"
"""Parameter that marks a factory of environments with a batch axis."""

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


def make_teams(factory: str, kwargs: Mapping[str, Any], num_places: int) -> Teams:
    """Make B places in which the environment of a factory is played.

    Args:
        factory: ``"package.module:callable"``. If it has a parameter ``num_questions``, it is
            called once and must return a :class:`~econ_agents.environments.BatchedParallelEnv`;
            else it is called B times and must return a PettingZoo parallel environment.
        kwargs: arguments of the factory by name.
        num_places: B, at least 1.

    Raises:
        EnvironmentMisfit: the factory cannot be found or called, or its environment does not fit.
    """
    if num_places < 1:
        raise ValueError(f"num_places must be at least 1, got {num_places}")
    make = load_factory(factory)
    if BATCH_PARAMETER in kwargs:
        raise EnvironmentMisfit(
            f"{BATCH_PARAMETER} must not be given to {factory}: the learner sets it to the number "
            "of episodes that it plays side by side; take it out"
        )
    if BATCH_PARAMETER in _parameters(make):
        return NativeBatch(_call(factory, make, {**kwargs, BATCH_PARAMETER: num_places}))
    envs = [_call(factory, make, kwargs) for _ in range(num_places)]
    if isinstance(envs[0], AECEnv):
        raise EnvironmentMisfit(
            f"{factory} makes {describe(envs[0])}, in which agents take turns:"
            " name the parallel one, usually parallel_env of the same module, or convert it with "
            "pettingzoo.utils.conversions.aec_to_parallel"
        )
    return SyncBatch(envs)


def arguments_of(factory: str) -> tuple[str, ...]:
    """Names of the arguments of a factory; ``EnvironmentMisfit`` if there is none of this name."""
    return tuple(_parameters(load_factory(factory)))


def load_factory(name: str) -> Factory:
    """Import the callable that ``"package.module:callable"`` names.

    Raises:
        EnvironmentMisfit: the name is malformed, or there is no such module or callable.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise EnvironmentMisfit(
            f"{name!r} names no factory: write package.module:callable, for example "
            "mpe2.simple_spread_v3:parallel_env"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise EnvironmentMisfit(
                f"there is no module {error.name!r}, which {name!r} names: install it, or put the "
                "folder that holds it on PYTHONPATH"
            ) from error
        raise EnvironmentMisfit(
            f"{module_name!r} needs the module {error.name!r}, which is not installed: install it"
        ) from error
    if not hasattr(module, attribute):
        raise EnvironmentMisfit(
            f"the module {module_name!r} has no {attribute!r}{_nearest(attribute, dir(module))}"
        )
    found = getattr(module, attribute)
    if not callable(found):
        raise EnvironmentMisfit(
            f"{name!r} is a {type(found).__name__}, which cannot be called: name a class or a "
            "function that makes an environment"
        )
    return found  # type: ignore[no-any-return]


def _call(name: str, make: Factory, kwargs: Mapping[str, Any]) -> Any:
    """Call a factory; a mistake in its arguments becomes an :class:`EnvironmentMisfit`."""
    _check_arguments(name, make, kwargs)
    try:
        return make(**kwargs)
    except ValueError as error:
        raise EnvironmentMisfit(f"{name} refuses its arguments: {error}") from error
    except TypeError as error:
        # A factory with **kwargs passes them on, so that only the call inside refuses a wrong one.
        unexpected = _UNEXPECTED.search(str(error))
        if unexpected is None or unexpected[1] not in kwargs:
            raise
        raise EnvironmentMisfit(
            f"{name} has no argument {unexpected[1]!r} ({error}): correct its name, or take it out"
        ) from error


def _check_arguments(name: str, make: Factory, kwargs: Mapping[str, Any]) -> None:
    """Raise :class:`EnvironmentMisfit` if the factory's signature does not take ``kwargs``."""
    parameters = _parameters(make)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = [
        key for key, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    unknown = [key for key in kwargs if key not in known]
    if unknown and not takes_any:
        raise EnvironmentMisfit(
            f"{name} has no argument {unknown[0]!r}{_nearest(unknown[0], known)}; it takes "
            f"{', '.join(known) or 'none'}"
        )
    try:
        inspect.Signature(list(parameters.values())).bind(**kwargs)
    except TypeError as error:
        raise EnvironmentMisfit(f"{name} cannot be called: {error}") from error


def _parameters(make: Factory) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(make).parameters
    except ValueError as error:
        raise EnvironmentMisfit(
            f"{make!r} does not tell its parameters: name a class or a function written in Python"
        ) from error


def _nearest(name: str, known: list[str]) -> str:
    """End of a message that suggests the nearest known name; empty if none is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
