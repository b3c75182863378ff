"""Memory available to a model for the text it generates.

This module imports torch; import it only where a model runs.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

_UNKNOWN = 4 * 2**30
"""Taken to be free where a system tells nothing."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> int:
    """Return the bytes that are free on ``device`` now and that this process may use."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(filter(None, (_of_machine(), _of_container())))


def _of_machine() -> int:
    if _MEMINFO.is_file():
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            name, _, amount = line.partition(":")
            if name == "MemAvailable":
                return int(amount.split()[0]) * 1024
    if not hasattr(os, "sysconf"):
        return _UNKNOWN
    # Other systems do not report free memory; half of the memory is assumed to be free.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_container() -> int | None:
    """Return the memory left below the limit of a container; None: there is no limit."""
    try:
        limit = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = (_CGROUP / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if limit == "max" else max(1, int(limit) - int(used))
