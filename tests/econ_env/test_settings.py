"""Every setting of the environment is declared once, and reachable from everywhere it should be."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import Field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import pytest

import econ_env
from benchmarks.comparison.command import main as compare
from benchmarks.comparison.flag_file import read_flags
from benchmarks.comparison.flags import NOT_COMPARED
from econ_env.commands import cli
from econ_env.commands.docstrings import attribute_docstrings
from econ_env.commands.play import Play
from econ_env.config import EnvConfig

ROOT = Path(__file__).parents[2]
SETTINGS: list[Field[Any]] = list(fields(EnvConfig))
NAMES = [setting.name for setting in SETTINGS]
VIEWS: list[Callable[..., Any]] = [
    econ_env.EconParallelEnv,
    econ_env.parallel_env,
    econ_env.raw_env,
    econ_env.env,
    econ_env.batched_parallel_env,
    econ_env.JointEnv,
    econ_env.JointVectorEnv,
]
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__qualname__)

# From the declaration to what users touch


@every_setting
def test_a_setting_has_a_docstring_that_is_also_help(setting: Field[Any]) -> None:
    said = attribute_docstrings(EnvConfig)[setting.name]
    assert said.endswith(".")
    assert re.findall(r"``|:\w+:`", said) == [], "markup, which --help would show as it is"


@every_view
def test_a_view_shows_every_setting_with_its_type_and_default(view: Callable[..., Any]) -> None:
    shown = inspect.signature(view).parameters
    assert {name: shown[name].default for name in NAMES} == {
        setting.name: setting.default for setting in SETTINGS
    }
    assert {name: shown[name].annotation for name in NAMES} == {
        setting.name: setting.type for setting in SETTINGS
    }
    assert [p for p in shown.values() if p.kind is p.VAR_KEYWORD] == []


@every_view
def test_an_unknown_keyword_is_an_error_that_names_the_nearest(view: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="keyword argument 'temprature_min'; did you mean 'temper"):
        view(temprature_min=0.1)


@cache
def help_of(program: Callable[[list[str]], int], *words: str) -> str:
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as ended:
            program([*words, "--help"])
    assert ended.value.code == 0
    return printed.getvalue()


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@every_setting
def test_a_setting_is_a_flag_of_play(setting: Field[Any]) -> None:
    assert re.search(rf"{flag(setting.name)}\b(?!-)", help_of(cli.main, "play"))


@every_setting
def test_a_setting_is_a_flag_of_the_comparison_or_refused_with_a_reason(
    setting: Field[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = re.search(rf"{flag(setting.name)}\b(?!-)", help_of(compare))
    assert bool(shown) != (setting.name in NOT_COMPARED)
    if setting.name in NOT_COMPARED:
        assert compare([flag(setting.name), "3"]) == 2
        assert NOT_COMPARED[setting.name] in capsys.readouterr().err


@pytest.mark.parametrize("command", ["play", "validate", "doctor"])
def test_the_help_of_flags_fits_80_columns_and_fills_them(command: str) -> None:
    _, _, flags = help_of(cli.main, command).partition(" options")
    lines = [line.rstrip() for line in flags.splitlines()]
    assert max(map(len, lines)) <= 80
    # Paragraphs are filled, whatever the line breaks of the source: a word of the next line would
    # not have fitted.
    texts = [line.rstrip(" │|") for line in lines]
    indent = max(len(text) - len(text.lstrip(" │|")) for text in texts)
    for line, following in itertools.pairwise(texts):
        if min(len(each) - len(each.lstrip(" │|")) for each in (line, following)) == indent:
            assert len(line) + 1 + len(following.split()[0]) > 76, line


@every_setting
def test_a_setting_is_in_the_table_of_the_documentation(setting: Field[Any]) -> None:
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = document.partition("<!-- environment: begin -->")[2].partition("<!-- env")[0]
    assert table.count(f"| `{setting.name}` | ") == 1


@pytest.mark.parametrize(
    "typed",
    [
        ["--n-agents", "5", "--reward-weights", "ts=1", "al=0", "cc=0", "--top-p", "0.5"],
        ["--n_agents=5", "--reward_weights", "ts=1", "al=0", "cc=0", "--top_p=0.5"],
    ],
    ids=["dashes", "underscores"],
)
def test_flags_are_spelled_with_dashes_or_underscores(typed: list[str]) -> None:
    play = cli.parse(["play", *typed])
    assert isinstance(play, Play)
    for config in (play.env_config(), read_flags(typed, prog="compare.py").env_config()):
        assert (config.n_agents, config.top_p) == (5, 0.5)
        assert config.weights() == econ_env.EnvConfig(reward_weights=WEIGHTS).weights()


WEIGHTS = {"ts": 1.0, "al": 0.0, "cc": 0.0}


@pytest.mark.parametrize(
    ("command", "name"), [("validate", "max-answer-length"), ("doctor", "repetition-penalty-max")]
)
def test_a_command_with_a_few_settings_takes_these_and_no_other(command: str, name: str) -> None:
    shown = set(re.findall(r"--([a-z][a-z-]*)", help_of(cli.main, command)))
    assert name in shown
    assert "cc-fidelity-weight" not in shown


def test_play_starts_over_only_where_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = len(econ_env.batched_parallel_env(1, dataset="simulated", llm="simulated").questions)
    words = ["play", "--dataset", "simulated", "--llm", "simulated", "--show", "0"]
    assert cli.main([*words, "--questions", str(pool + 3), "--loop"]) == 0
    assert f"{pool + 3} finished" in capsys.readouterr().out


@pytest.mark.parametrize("bounds", [["--temperature-max", "0.5"], ["--temperature-min", "0.9"]])
def test_fixed_actions_are_checked_against_the_bounds_in_use(
    bounds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["play", "--dataset", "simulated", "--llm", "simulated", "--questions", "1", *bounds]
    assert cli.main(words) == 2
    low, high = (0.0, bounds[1]) if "max" in bounds[0] else (bounds[1], 2.0)
    assert f"--temperature must be in [{low}, {high}]" in capsys.readouterr().err
    assert cli.main([*words, "--actions", "random", "--show", "0"]) == 0


# To a use


def reads(tree: ast.AST, owners: set[str]) -> Iterator[str]:
    """The attributes that are read of one of ``owners``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in owners:
            yield node.attr


@cache
def used() -> set[str]:
    """The settings that the game, or an object that EnvConfig makes for it, is given."""
    found = {
        name
        for path in (ROOT / "econ_env" / "envs").glob("*.py")
        for name in reads(parsed(path), {"config", "self.config"})
    }
    config = parsed(ROOT / "econ_env" / "config.py")
    for method in ast.walk(next(filter(is_env_config, config.body))):
        # A check alone is no use of a setting.
        if isinstance(method, ast.FunctionDef) and method.name != "__post_init__":
            found |= set(reads(method, {"self"}))
    return found


def is_env_config(node: ast.AST) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and node.name == "EnvConfig"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@every_setting
def test_a_setting_is_used(setting: Field[Any]) -> None:
    if setting.name == "max_cycles":
        assert EnvConfig(max_cycles=7).max_rounds == 7
    else:
        assert setting.name in used()


# Once

AGREE = {
    "SamplingBounds": "the box of simulated games that are solved without an environment",
    "ApiSettings": "how a model on a server is asked that is used without an environment",
    "load_questions()": "a data set that is loaded without an environment",
    "ArithmeticQuestions": "likewise",
    "SimulatedQuestions": "likewise",
}
"""Usable below or without the environment; their defaults must be the environment's."""
OTHERS = {
    "reset() seed": "Gymnasium's and PettingZoo's own argument",
    "PlayQuestions loop": "each question is played once unless the user says otherwise",
    "QuestionOrder order": "an order of its own: that of the source",
    "QuestionOrder loop": "as the environment's; it says nothing of the environment",
    "QuestionOrder seed": "likewise",
    "ChatRequest top_p": "a request that leaves it out samples from all tokens",
    "Setting top_p": "what doctor asks with, to see the effect of the others",
    "ServerProfile token_field": "the usual field of a kind of server, which the setting replaces",
    "ServerProfile seed": "a word of the same name: whether a server takes a seed",
    "SimulatedGame embedder": "the only one of which its payoffs are known",
    "solve() embedder": "likewise",
    "Config seed": "the learner's own; it does not import the environment",
    "estimate_nash_conv() seed": "likewise",
    "best_fixed_profile() seed": "likewise",
    "BneSettings convergence_threshold": "the learner's own rule of refinement",
    "_Sources dataset": "read before the flags, only to see whether it is given",
    "_Sources llm": "likewise",
    "About split": "None in files of older versions, which did not keep it",
    "EconUntrainedSpec group_size": "a method of the comparison has groups of its own",
}
"""Names that settings share with something else."""
FLAGS = ("econ_env/commands", "econ_env/envs", "econ_env/econ_v0.py", "benchmarks/comparison")
"""Settings of which None is a default too: elsewhere it says that something is not given."""


def declarations(path: Path) -> Iterator[tuple[str, str, ast.expr]]:
    """Owner, name and default of every field and parameter that is called as a setting."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef) and not is_env_config(node):
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and (value := default_of(each)) is not None:
                    yield node.name, ast.unparse(each.target), value
                elif isinstance(each, ast.FunctionDef) and each.name == "__init__":
                    yield from ((node.name, *rest) for rest in parameters(each))
        elif isinstance(node, ast.FunctionDef) and node.name != "__init__":
            yield from ((f"{node.name}()", *rest) for rest in parameters(node))


def default_of(field: ast.AnnAssign) -> ast.expr | None:
    """The default of a field, also where ``field(default=...)`` gives it; None for a factory."""
    value = field.value
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "field":
        return value
    return next((word.value for word in value.keywords if word.arg == "default"), None)


def parameters(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """The parameters with a default."""
    listed = [*function.args.posonlyargs, *function.args.args]
    given = function.args.defaults
    pairs = [*zip(listed[len(listed) - len(given) :], given, strict=True)]
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    for argument, default in [*pairs, *keywords]:
        if default is not None:
            yield argument.arg, default


def second_declarations() -> Iterator[tuple[str, str, str, ast.expr]]:
    for top in ("econ_env", "econ_agents", "benchmarks/comparison"):
        for path in sorted((ROOT / top).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            for owner, name, default in declarations(path):
                absent = isinstance(default, ast.Constant) and (
                    default.value is None or default.value is False
                )
                is_shared = ast.unparse(default) == f"EnvConfig.{name}"
                if name in NAMES and not is_shared and not (absent and not where.startswith(FLAGS)):
                    yield where, owner, name, default


def test_no_setting_is_declared_twice() -> None:
    again = [
        f"{where}: {owner} {name} = {ast.unparse(default)}"
        for where, owner, name, default in second_declarations()
        if owner not in AGREE and f"{owner} {name}" not in OTHERS
    ]
    assert again == [], "take EnvConfig's, or say in OTHERS why it is something else"


def test_what_works_without_an_environment_has_its_defaults() -> None:
    found = {
        (owner, name): ast.literal_eval(default)
        for _, owner, name, default in second_declarations()
        if owner in AGREE
    }
    assert {owner for owner, _ in found} == set(AGREE)
    assert found == {(owner, name): getattr(EnvConfig, name) for owner, name in found}


def test_every_exception_is_still_needed() -> None:
    found = {f"{owner} {name}" for _, owner, name, _ in second_declarations()}
    assert set(OTHERS) - found == set()
