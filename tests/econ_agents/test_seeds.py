"""Seeds and generators that depend on their parts and on nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.seeds import derive_seed, numpy_generator, torch_generator

parts = st.lists(st.integers() | st.text("abz:/-. äλ0"), min_size=1)


@given(parts)
def test_seeds_lie_where_every_library_takes_them(some: list[int | str]):
    assert 0 <= derive_seed(*some) < 2**31


@given(parts)
def test_equal_parts_give_equal_streams(some: list[int | str]):
    assert numpy_generator(*some).random() == numpy_generator(*some).random()
    first, second = (torch.rand(2, generator=torch_generator(*some)) for _ in range(2))
    assert torch.equal(first, second)


def test_different_parts_give_different_seeds():
    names = [(run, kind, n) for run in range(4) for kind in ("play", "learn") for n in range(50)]
    assert len({derive_seed(*name) for name in names}) == len(names)


def test_where_one_part_ends_matters():
    assert derive_seed("ab", "c") != derive_seed("a", "bc")
    assert derive_seed(1, 23) != derive_seed(12, 3)


def test_another_process_derives_the_same(repository: Path):
    code = "from econ_agents.seeds import derive_seed; print(derive_seed(7, 'episode', 3))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository
    )
    assert int(other.stdout) == derive_seed(7, "episode", 3)


def test_generators_leave_the_global_states_alone():
    torch_before, numpy_before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    torch.rand(3, generator=torch_generator(1))
    numpy_generator(1).random(3)
    assert torch.equal(torch_before, torch.get_rng_state())
    assert numpy_before == repr(np.random.get_state())  # noqa: NPY002
