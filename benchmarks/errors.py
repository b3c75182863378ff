"""Errors of the benchmarks themselves; errors of both packages are passed on unchanged."""

from __future__ import annotations

from typing import ClassVar


class BenchmarkError(Exception):
    """Base class of the benchmarks' errors; the message tells the user what to do."""

    exit_code: ClassVar[int] = 2
    """Exit code of a program that this error ends: 2, a mistake of the user."""


class SettingsDiffer(BenchmarkError):
    """A file or folder holds results of other settings; new results do not belong with them."""
