"""Settings as keywords: functions that take ``**settings`` get the signature of EnvConfig."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import ParamSpec, TypeVar

from econ_env.config import EnvConfig

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def takes_settings(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Decorate a function whose ``**settings`` are fields of :class:`~econ_env.config.EnvConfig`.

    ``inspect.signature`` and ``help`` show the fields, with their types and defaults, instead of
    ``**settings``. A call with an unknown keyword is a ``TypeError`` that names the keyword and
    the closest known one.
    """
    signature = _with_settings(inspect.signature(function))
    known = list(signature.parameters)

    @functools.wraps(function)
    def checked(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        for name in kwargs:
            if name not in known:
                raise TypeError(
                    f"{function.__qualname__}() got an unexpected keyword argument {name!r}"
                    f"{_nearest(name, known)}"
                )
        return function(*args, **kwargs)

    checked.__signature__ = signature  # type: ignore[attr-defined]
    return checked


def _with_settings(written: inspect.Signature) -> inspect.Signature:
    """``written`` with the fields of EnvConfig that it lacks in the place of ``**settings``."""
    named = [p for p in written.parameters.values() if p.kind is not p.VAR_KEYWORD]
    taken = {parameter.name for parameter in named}
    settings = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=field.type,
        )
        for field in fields(EnvConfig)
        if field.name not in taken
    ]
    # Keyword-only parameters that are no settings (render_mode, view) come last.
    first = [p for p in named if p.kind is not p.KEYWORD_ONLY]
    last = [p for p in named if p.kind is p.KEYWORD_ONLY]
    return written.replace(parameters=[*first, *settings, *last])


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; see help(econ_env.EnvConfig)"
