"""Conversion of episodes to flat arrays, for files and between processes, exact to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econ_agents.algorithm.episode import Episode

_LONG = ("observations", "states")  # one row more than steps
_STEPS = ("actions", "rewards", "team_rewards")
_SCALARS = ("number", "stream", "seed", "terminated", "failed")


def to_arrays(episodes: Sequence[Episode]) -> dict[str, NDArray[Any]]:
    """Concatenate episodes into one array per field; {} for no episodes.

    An info becomes ``info.<name>``, which holds the rows of the episodes marked in ``has.<name>``:
    environments may report an info in some episodes only.
    """
    if not episodes:
        return {}
    arrays: dict[str, NDArray[Any]] = {
        "steps": np.array([episode.length for episode in episodes], dtype=np.int64),
        "remembered": np.array([len(episode.memory) for episode in episodes], dtype=np.int64),
        "memory": np.concatenate([episode.memory for episode in episodes]),
    }
    for name in _SCALARS:
        arrays[name] = np.array([getattr(episode, name) for episode in episodes], dtype=np.int64)
    for name in (*_LONG, *_STEPS):
        arrays[name] = np.concatenate([getattr(episode, name) for episode in episodes])
    for name in dict.fromkeys(name for episode in episodes for name in episode.infos):
        having = [episode for episode in episodes if name in episode.infos]
        arrays[f"info.{name}"] = np.concatenate([episode.infos[name] for episode in having])
        arrays[f"has.{name}"] = np.array([name in episode.infos for episode in episodes], np.int64)
    return arrays


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[Episode]:
    """Restore the episodes that :func:`to_arrays` was given.

    Raises:
        KeyError, ValueError: the arrays do not describe episodes.
    """
    if not arrays:
        return []
    for name in ("steps", "remembered", *_SCALARS):
        if arrays[name].dtype != np.int64 or arrays[name].shape != arrays["steps"].shape:
            raise ValueError(f"{name} must hold a whole number for each episode")
        if (arrays[name] < (name == "steps")).any():
            raise ValueError(f"{name} is too small")
    for name in ("steps", "remembered"):
        if (arrays[name] > len(arrays["rewards"]) + len(arrays["memory"])).any():
            raise ValueError(f"{name} exceeds what is there")
    ends, memory_ends = arrays["steps"].cumsum(), arrays["remembered"].cumsum()
    infos = _read_infos(arrays)
    episodes = []
    for k, (steps, remembered) in enumerate(
        zip(arrays["steps"].tolist(), arrays["remembered"].tolist(), strict=True)
    ):
        end, memory_end = int(ends[k]), int(memory_ends[k])
        rows = slice(end - steps, end)
        # Each of the k episodes before this one has one observation more than steps.
        long_rows = slice(end - steps + k, end + k + 1)
        episodes.append(
            Episode(
                number=int(arrays["number"][k]),
                stream=int(arrays["stream"][k]),
                seed=int(arrays["seed"][k]),
                terminated=bool(arrays["terminated"][k]),
                failed=bool(arrays["failed"][k]),
                memory=arrays["memory"][memory_end - remembered : memory_end].copy(),
                infos=infos[k],
                observations=arrays["observations"][long_rows].copy(),
                states=arrays["states"][long_rows].copy(),
                actions=arrays["actions"][rows].copy(),
                rewards=arrays["rewards"][rows].copy(),
                team_rewards=arrays["team_rewards"][rows].copy(),
            )
        )
    return episodes


def _read_infos(arrays: Mapping[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Restore the infos of every episode."""
    steps = arrays["steps"].tolist()
    infos: list[dict[str, NDArray[Any]]] = [{} for _ in steps]
    for key in arrays:
        if key.startswith("info."):
            name, start = key.removeprefix("info."), 0
            for k in np.flatnonzero(arrays[f"has.{name}"]).tolist():
                infos[k][name] = arrays[key][start : start + steps[k]].copy()
                start += steps[k]
    return infos
