"""Seconds to wait before a retry."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from econ_env.seeds import derive_seed

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?)ms")
_FIRST_EPOCH_S = 1e9
"""Smallest number that is a time in seconds since 1970 (in 2001); smaller ones are durations."""
_FIRST_EPOCH_MS = 1e12


def asked_wait_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the seconds, >= 0, that a server asks to wait; None if it does not, or unclearly.

    These headers are read, in this order: ``retry-after-ms``, ``Retry-After`` (seconds or an HTTP
    date) and ``x-ratelimit-reset`` (seconds, a duration such as ``6m0s`` or ``20ms``, or a time in
    seconds or milliseconds since 1970).

    Args:
        headers: looked up in lower case, or without regard to case.
        now_s: the time, in seconds since 1970.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    if after is not None:
        seconds = _number(after)
        return _until_date(after, now_s) if seconds is None else seconds
    return _until_reset(headers.get("x-ratelimit-reset"), now_s)


def backoff_s(attempt: int, *, base_s: float, max_s: float, seed: int) -> float:
    """Return the seconds to wait after attempt ``attempt`` (from 1): exponential, with jitter.

    The result lies between half and all of ``min(max_s, base_s · 2^(attempt-1))``. The jitter is a
    function of ``seed`` and ``attempt``: no random state is used, and requests with different seeds
    do not come back at the same moment.
    """
    # Beyond 2^60 the bound has long been reached, and a float would overflow.
    longest = min(max_s, base_s * 2.0 ** min(attempt - 1, 60))
    return longest * (0.5 + 0.5 * jitter(seed, attempt))


def jitter(seed: int, attempt: int) -> float:
    """Return a number in [0, 1) that depends only on the arguments."""
    return derive_seed(seed, attempt, "back-off") / 2**31


def _number(text: str | None) -> float | None:
    """Return a finite number >= 0; None if ``text`` is not one."""
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until_date(text: str, now_s: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def _until_reset(text: str | None, now_s: float) -> float | None:
    if text is None:
        return None
    number = _number(text)
    if number is not None:
        if number >= _FIRST_EPOCH_MS:
            number /= 1000
        return max(0.0, number - now_s) if number >= _FIRST_EPOCH_S else number
    milliseconds = _MILLISECONDS.fullmatch(text.strip())
    if milliseconds is not None:
        return float(milliseconds[1]) / 1000
    duration = _DURATION.fullmatch(text.strip())
    if duration is None or not any(duration.groups()):
        return _until_date(text, now_s)
    hours, minutes, seconds = (float(part or 0) for part in duration.groups())
    return 3600 * hours + 60 * minutes + seconds
