"""Measure tasks in turn, so that all of them meet the same load of the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.throughput.settings import WARM_UP_SEED, Result


def in_turn(
    tasks: Mapping[str, Callable[[int], int]],
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the rates of tasks that run in turn, ``repeats`` times each after a warm-up.

    A task takes the number of the repeat and returns how many items it processed.
    """
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task(WARM_UP_SEED)
    for repeat in range(1, repeats + 1):
        for name, task in tasks.items():
            start = clock()
            count = task(repeat)
            rates[name].append(count / (clock() - start))
    return rates


def spread(name: str, values: Sequence[float]) -> Result:
    """Return the median under ``name``, and the smallest and largest value under ``name_range``."""
    return {name: statistics.median(values), f"{name}_range": [min(values), max(values)]}


def spreads(name: str, values: Mapping[str, Sequence[float]]) -> Result:
    """Return medians and ranges of several tasks, each under its own name."""
    return {
        name: {one: statistics.median(values[one]) for one in values},
        f"{name}_range": {one: [min(values[one]), max(values[one])] for one in values},
    }


def machine() -> Result:
    """Return processor, cores, system and load of this machine."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_at_start": load,
    }
