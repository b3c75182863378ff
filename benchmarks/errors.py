"""The errors of the benchmarks' own; those of both packages are passed on as they are."""

from __future__ import annotations

from typing import ClassVar


class BenchmarkError(Exception):
    """The root of all errors of the benchmarks; the message is for people and says what to do."""

    exit_code: ClassVar[int] = 2
    """Exit code of a program that ends by it: 2 after a mistake of the user."""


class SettingsDiffer(BenchmarkError):
    """A file or folder holds results of other settings, beside which new ones mean nothing."""
