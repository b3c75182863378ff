"""A factory by name: found, called with arguments it has, or refused with a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from econ_agents.environments import EnvironmentMisfit, SyncBatch, load_factory, make_teams
from tests.econ_agents.environments import toy_env

TOY = "tests.econ_agents.environments.toy_env"


def test_a_name_leads_to_its_callable():
    assert load_factory(f"{TOY}:Counter") is toy_env.Counter


@pytest.mark.parametrize(
    "name",
    ["", "econ_env", "econ_env:", ":make", "a:b:c", "a b:c", "a:b()", "a.b:c.d", "a..b:c", ".a:b"],
)
def test_a_malformed_name_is_an_error_that_shows_a_good_one(name: str):
    with pytest.raises(EnvironmentMisfit, match=r"write package\.module:callable"):
        load_factory(name)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("no_such_package.a:make", "'no_such_package'"), (f"{TOY}s:make", f"'{TOY}s'")],
)
def test_a_missing_module_is_named(name: str, missing: str):
    with pytest.raises(EnvironmentMisfit, match=f"no module {missing}.*PYTHONPATH"):
        load_factory(name)


def test_a_module_that_needs_another_is_told_apart_from_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "needs_another_module.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EnvironmentMisfit, match="needs the module 'no_such_package'"):
        load_factory("needs_another_module:make")


def test_an_error_inside_of_a_module_is_no_wrong_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "divides_by_zero.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        load_factory("divides_by_zero:make")


def test_a_missing_callable_is_named_with_the_nearest():
    with pytest.raises(EnvironmentMisfit, match="no 'make_countr'; did you mean 'make_counter'"):
        load_factory(f"{TOY}:make_countr")


def test_what_cannot_be_called_is_no_factory():
    with pytest.raises(EnvironmentMisfit, match="is a int, which cannot be called"):
        load_factory(f"{TOY}:NOT_A_FACTORY")


def test_arguments_reach_every_copy():
    teams = make_teams(f"{TOY}:make_counter", {"length": 1}, 3)
    assert isinstance(teams, SyncBatch)
    assert teams.num_places == 3
    assert teams.reset({2: 0}).active.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("factory", "kwargs", "says"),
    [
        (f"{TOY}:make_counter", {"lenght": 1}, r"no argument 'lenght'; did you mean 'length'\?"),
        (f"{TOY}:make_counter", {"colour": 1}, "'colour'; it takes length, reward"),
        (f"{TOY}:make_any_counter", {"lenght": 1}, "no argument 'lenght'"),
        ("econ_env:batched_parallel_env", {"n_agent": 1}, "no argument 'n_agent'"),
        ("econ_env:parallel_env", {"n_agent": 1}, "did you mean 'n_agents'"),
        ("mpe2.simple_spread_v3:parallel_env", {"n": 1}, "no argument 'n'"),
    ],
)
def test_an_unknown_argument_is_named(factory: str, kwargs: dict[str, Any], says: str):
    with pytest.raises(EnvironmentMisfit, match=says):
        make_teams(factory, kwargs, 2)


def test_a_factory_that_does_not_tell_its_parameters_is_refused():
    with pytest.raises(EnvironmentMisfit, match="does not tell its parameters"):
        make_teams("builtins:dict", {}, 2)


def test_a_missing_argument_is_named():
    with pytest.raises(EnvironmentMisfit, match="'config'"):
        make_teams("econ_env:BatchedEconEnv", {}, 2)


def test_a_refused_value_is_passed_on():
    with pytest.raises(EnvironmentMisfit, match="refuses its arguments: length must be at least"):
        make_teams(f"{TOY}:make_counter", {"length": 0}, 2)


def test_a_mistake_inside_of_the_factory_is_no_mistake_of_its_caller():
    with pytest.raises(TypeError, match="colour"):
        make_teams(f"{TOY}:make_with_a_mistake_inside", {}, 2)


def test_the_batch_size_is_not_an_argument_to_give():
    with pytest.raises(EnvironmentMisfit, match="num_questions must not be given"):
        make_teams("econ_env:batched_parallel_env", {"num_questions": 3}, 2)


def test_an_environment_in_which_agents_take_turns_is_refused():
    with pytest.raises(EnvironmentMisfit, match=r"take turns.*parallel_env"):
        make_teams("mpe2.simple_spread_v3:env", {"continuous_actions": True}, 1)


def test_what_is_no_environment_of_pettingzoo_is_refused():
    with pytest.raises(EnvironmentMisfit, match=r"PendulumEnv has no possible_agents"):
        make_teams("gymnasium.envs.classic_control:PendulumEnv", {}, 1)


def test_there_is_at_least_one_place():
    with pytest.raises(ValueError, match="num_places"):
        make_teams(f"{TOY}:make_counter", {}, 0)


PROBE = """
import sys
import econ_agents
from tests.exceptions import importable
assert importable(econ_agents)
print(*sorted(name for name in sys.modules if name.split(".")[0] in ("econ_env", "mpe2")))
"""


@pytest.mark.slow
def test_the_learner_imports_no_environment(repository: Path):
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, cwd=repository
    )
    assert probe.returncode == 0, probe.stderr
    assert probe.stdout.split() == []
