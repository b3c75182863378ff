"""Every setting is declared once, and from there reaches flag, file, documentation and use."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

import econ_agents
from econ_agents.commands.flags import parse
from econ_agents.commands.subcommands import Train
from econ_agents.config.base import Settings
from econ_agents.config.files import config_keys, config_mapping, read_config
from econ_agents.config.schema import Config
from econ_agents.config.values import accepts
from econ_agents.config.yaml12 import write_yaml

PACKAGE = Path(econ_agents.__file__).parent
CONFIG = PACKAGE / "config"
WORDS = CONFIG / "environment_kwargs.py"
KEYS = config_keys()

TWICE = {
    "commands/flags.py: Configured.log_dir": "a short flag for logging.log_dir",
    "commands/subcommands.py: Evaluate.episodes": "a short flag for test.episodes",
    "commands/subcommands.py: OfCheckpoint.model_dir": "the checkpoint that is evaluated",
    "commands/subcommands.py: Inspect.model_dir": "the checkpoint that is shown",
    "commands/subcommands.py: Resume.log_dir": "the run that goes on",
    "commands/subcommands.py: Resume.model_dir": "its checkpoints, named again by the user",
    "commands/flags.py: NamedFactory.factory": "its environment, named again by the user",
    "training/inspection.py: stored_config(factory)": "that of the user, not of the file",
    "training/train.py: resume_training(factory)": "that of the user, not of the file",
    "training/train.py: resume_training(model_dir)": "that of the user, not of the file",
    "commands/flags.py: _Sources.model_dir": "reads that of OfCheckpoint before the rest",
    "equilibrium/nash_conv.py: estimate_nash_conv(seed)": "of one measurement, not of the run",
    "equilibrium/regret.py: best_fixed_profile(seed)": "of one measurement, not of the run",
}
"""Declarations with a default that share the name of a setting and are none, and the reasons."""


def sections(cls: type[Settings] = Config) -> Iterator[type[Settings]]:
    yield cls
    for hint in get_type_hints(cls).values():
        if isinstance(hint, type) and issubclass(hint, Settings):
            yield from sections(hint)


PLACES = {cls.__name__: cls.SECTION for cls in sections()}
"""Place of the section of a class in the configuration."""
HINTS = {
    cls.key(item.name): get_type_hints(cls, include_extras=True)[item.name]
    for cls in sections()
    for item in fields(cls)
    if cls.key(item.name) in KEYS
}


# Declaration


def declarations(tree: ast.AST, scope: str = "") -> Iterator[tuple[str, str]]:
    """Every field and parameter with a default: its name, and where it stands in the module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and each.value is not None:
                    name = ast.unparse(each.target)
                    yield name, f"{scope}{node.name}.{name}"
            yield from declarations(node, f"{scope}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args
            plain = [*arguments.posonlyargs, *arguments.args]
            with_default = plain[len(plain) - len(arguments.defaults) :] + [
                argument
                for argument, default in zip(
                    arguments.kwonlyargs, arguments.kw_defaults, strict=True
                )
                if default is not None
            ]
            for argument in with_default:
                yield argument.arg, f"{scope}{node.name}({argument.arg})"
            yield from declarations(node, f"{scope}{node.name}.")


def test_no_setting_is_declared_a_second_time() -> None:
    names = {key.rpartition(".")[2] for key in KEYS}
    found = {
        f"{path.relative_to(PACKAGE)}: {place}"
        for path in PACKAGE.rglob("*.py")
        if CONFIG not in path.parents
        for name, place in declarations(ast.parse(path.read_text(encoding="utf-8")))
        if name in names
    }
    assert found == set(TWICE)


def test_no_module_of_the_algorithm_has_a_number_of_its_own() -> None:
    numbers = [
        f"{path.relative_to(PACKAGE)}: {ast.unparse(statement)}"
        for room in ("algorithm", "networks")
        for path in (PACKAGE / room).glob("*.py")
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, (ast.Assign, ast.AnnAssign))
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, (int, float))
    ]
    assert numbers == []


# Flag, file and documentation


def another(key: str) -> Any:
    """A value of a setting that is not its default, and goes with those of the others."""
    together = {"env.factory": "other:made", "reward.initial_weights.ts": 0.5}
    candidates = (True, False, 3, 40, 0.25, "cuda", "stream", "online", "other", {"a": 1})
    default, hint = attrgetter(key)(Config()), HINTS[key]
    chosen = (each for each in candidates if accepts(each, hint) and each != default)
    return together.get(key) or next(chosen)


OTHERS = {key: another(key) for key in KEYS}


def flat(config: Config) -> dict[str, Any]:
    plain = config_mapping(config)
    return {key: _at(plain, key) for key in KEYS}


def _at(plain: Any, key: str) -> Any:
    for name in key.split("."):
        plain = plain[name]
    return plain


def as_flag(key: str, value: Any) -> list[str]:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        section, dot, last = name.rpartition(".")
        return [f"--{name}" if value else f"--{section}{dot}no-{last}"]
    return [f"--{name}", json.dumps(value) if isinstance(value, Mapping) else str(value)]


def test_every_setting_has_another_value_in_these_tests() -> None:
    default = flat(Config())
    assert [key for key in KEYS if OTHERS[key] == default[key]] == []


def test_every_setting_is_a_flag() -> None:
    arguments = [word for key, value in OTHERS.items() for word in as_flag(key, value)]
    assert flat(parse(Train(), "train", arguments).resolved()) == OTHERS


def test_every_setting_is_a_key_of_files(tmp_path: Path) -> None:
    tree: dict[str, Any] = {}
    for key, value in OTHERS.items():
        *places, name = key.split(".")
        section = tree
        for place in places:
            section = section.setdefault(place, {})
        section[name] = value
    path = tmp_path / "others.yaml"
    path.write_text(write_yaml(tree), encoding="utf-8")
    assert flat(read_config(path)) == OTHERS


def test_every_setting_stands_once_in_the_documentation(repository: Path) -> None:
    text = (repository / "docs" / "configuration.md").read_text(encoding="utf-8")
    tables = text.partition("<!-- learner: begin -->")[2].partition("<!-- learner: end -->")[0]
    shown = Counter(re.findall(r"^\| `([\w.]+)` \|", tables, re.MULTILINE))
    assert shown == Counter(KEYS)


# Use


class Uses(ast.NodeVisitor):
    """Collects the settings that a module reads, by their full keys.

    Follows what a name stands for: a parameter with the type of a section, ``self`` in a section,
    ``self.settings = settings``, ``train = config.train``, and any attribute ``config``.
    """

    def __init__(self, constants: set[str]) -> None:
        self.found: set[str] = set()
        self._constants = constants
        self._names: dict[str, str] = {}
        self._attributes: dict[str, str] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer = self._names, self._attributes
        self._attributes = {
            ast.unparse(each.target): place
            for each in node.body
            if isinstance(each, ast.AnnAssign)
            and (place := _annotated(each.annotation)) is not None
        }
        self._names = {**self._names, **_place("self", node.name)}
        self.generic_visit(node)
        self._names, self._attributes = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name == "__post_init__":  # checking a setting is no use of it
            return
        outer = self._names
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        self._names = dict(outer)
        for argument in arguments:
            place = None if argument.annotation is None else _annotated(argument.annotation)
            if place is not None:
                self._names[argument.arg] = place
        self.generic_visit(node)
        self._names = outer

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        (target,) = node.targets[:1]
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=True))
        for each, value in pairs:
            place = self._section(value)
            if place is None:
                continue
            if isinstance(each, ast.Name):
                self._names[each.id] = place
            elif isinstance(each, ast.Attribute) and ast.unparse(each.value) == "self":
                self._attributes[each.attr] = place

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        place = self._section(node.value)
        if place is not None and isinstance(node.ctx, ast.Load):
            self.found |= {_inside(place, node.attr)} & set(KEYS)

    def visit_Call(self, node: ast.Call) -> None:
        """Follow ``getattr(config.losses, name)``: the names stand in the module."""
        self.generic_visit(node)
        if ast.unparse(node.func) == "getattr":
            place = self._section(node.args[0])
            if place is not None:
                self.found |= {_inside(place, name) for name in self._constants} & set(KEYS)

    def _section(self, node: ast.expr) -> str | None:
        """The place of the section that an expression stands for; None: it is none."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        outer = self._section(node.value)
        if outer is not None:
            place = _inside(outer, node.attr)
            return place if place in PLACES.values() else None
        if ast.unparse(node.value) == "self" and node.attr in self._attributes:
            return self._attributes[node.attr]
        return "" if node.attr == "config" else None


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _place(name: str, cls: str) -> dict[str, str]:
    return {name: PLACES[cls]} if cls in PLACES else {}


def _annotated(annotation: ast.expr) -> str | None:
    """The place of the section that a type names, as in ``Config`` or ``Config | None``."""
    names = {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)} & set(PLACES)
    return PLACES[names.pop()] if len(names) == 1 else None


def uses(source: str) -> set[str]:
    """The settings that a module reads."""
    tree = ast.parse(source)
    visitor = Uses(_constants(tree))
    visitor.visit(tree)
    return visitor.found


def _constants(tree: ast.AST) -> set[str]:
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {value for value in values if isinstance(value, str)}


def test_every_setting_is_read_somewhere() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    read = {key for source in sources for key in uses(source)}
    # The specification's words become arguments of the environment, by their keys.
    read |= _constants(ast.parse(WORDS.read_text(encoding="utf-8")))
    assert [key for key in KEYS if key not in read] == []


def test_a_use_is_found_under_every_name_that_a_section_has() -> None:
    source = """
class Learner:
    memory: MemorySettings

    def __init__(self, config: Config, bne: BneSettings | None) -> None:
        self._tests = config.test
        train, other = config.train, 3
        print(train.gamma, bne.enabled, other.batch_size)

    def update(self) -> None:
        print(self._tests.streams, self.memory.scope, self.learner.config.losses.policy)
        print(getattr(self.config.losses, "local" "_td"))
        self.config.train.episodes = 3


class RewardSettings(Settings):
    def __post_init__(self) -> None:
        print(self.ts_floor)

    def start(self) -> None:
        print(self.dynamic)
"""
    assert uses(source) == {
        *("train.gamma", "bne.enabled", "test.streams", "memory.scope", "losses.policy"),
        *("losses.local_td", "reward.dynamic"),
    }
