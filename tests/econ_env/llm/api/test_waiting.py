"""Lengths of waits: those that servers ask for, and jittered back-off."""

from __future__ import annotations

import random
from email.utils import formatdate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.api.waiting import asked_wait_s, backoff_s, jitter

NOW_S = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": formatdate(NOW_S + 42, usegmt=True)}, 42.0),
        ({"retry-after": formatdate(NOW_S - 42, usegmt=True)}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "9", "x-ratelimit-reset": "1"}, 9.0),
        ({"x-ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-reset": "6m0s"}, 360.0),
        ({"x-ratelimit-reset": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset": "20ms"}, 0.02),
        ({"x-ratelimit-reset": f"{NOW_S + 5:.0f}"}, 5.0),
        ({"x-ratelimit-reset": f"{(NOW_S + 5) * 1000:.0f}"}, 5.0),
        ({"x-ratelimit-reset": f"{NOW_S - 5:.0f}"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"x-ratelimit-reset": "later"}, None),
        ({"x-ratelimit-reset": ""}, None),
    ],
)
def test_what_a_server_asks_to_wait_is_read_in_every_form(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert asked_wait_s(headers, NOW_S) == (None if wait_s is None else pytest.approx(wait_s))


@given(st.text(max_size=30))
def test_no_header_breaks_the_reading(text: str) -> None:
    for name in ("retry-after", "retry-after-ms", "x-ratelimit-reset"):
        wait_s = asked_wait_s({name: text}, NOW_S)
        assert wait_s is None or wait_s >= 0


@given(attempt=st.integers(1, 2000), seed=st.integers(0, 2**31 - 1))
def test_back_off_doubles_up_to_its_bound_and_keeps_at_least_half(attempt: int, seed: int) -> None:
    longest = min(8.0, 0.5 * 2.0 ** min(attempt - 1, 60))
    assert longest / 2 <= backoff_s(attempt, base_s=0.5, max_s=8.0, seed=seed) < longest


def test_requests_do_not_come_back_at_the_same_moment() -> None:
    waits = {backoff_s(1, base_s=1.0, max_s=8.0, seed=seed) for seed in range(500)}
    assert len(waits) == 500
    assert max(waits) - min(waits) > 0.45


def test_jitter_is_a_function_of_seed_and_attempt_and_touches_no_random_state() -> None:
    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    assert jitter(3, 1) == jitter(3, 1)
    assert jitter(3, 1) != jitter(3, 2)
    assert jitter(3, 1) != jitter(4, 1)
    assert (random.getstate(), str(np.random.get_state())) == before  # noqa: NPY002
