"""The grammar of ``--methods``: all methods, and the keys of each.

A spec is ``NAME`` or ``NAME:key=value,key=value``. Its canonical form, which names a method in
records and tables, leaves out keys with their default value and has the order of the fields below.
A method with a single key takes everything after ``key=`` as its value, so that the value of
``first_round_vote:of=econ:rounds=3,rule=guarded`` may contain commas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, TypeAlias, get_args

from benchmarks.comparison.asking import Asking
from benchmarks.comparison.debate import Debate
from benchmarks.comparison.method import Prompted
from benchmarks.comparison.solvers import BestOfNCommit, SelfConsistency
from benchmarks.errors import BenchmarkError
from econ_env.config import EnvConfig
from econ_env.game.closing_rules import CommitmentRule
from econ_env.llm.models import Models
from econ_env.sampling_action import SamplingAction

TEMPERATURE = 0.7
"""Default temperature of methods without a policy that chooses it."""


class SpecError(BenchmarkError, ValueError):
    """A spec is not valid; the message names the nearest valid one."""


@dataclass(frozen=True, kw_only=True)
class _Spec:
    """A method and its settings; every field is a key of the grammar."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            key = _KEYS[field.name]
            if value != field.default and not key.accepts(value):
                raise SpecError(f"{field.name} must be {key.meaning}, got {value!r}")

    @property
    def canonical(self) -> str:
        """Shortest text of this spec; ``parse_spec`` reads it back."""
        settings = [
            f"{field.name}={_text(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}:{','.join(settings)}" if settings else self.name


@dataclass(frozen=True, kw_only=True)
class GreedySpec(_Spec):
    """One answer at temperature 0, the baseline that a team must beat."""

    name: ClassVar[str] = "greedy"
    model: str | None = None
    """Name of the model; None takes the first executor's."""


@dataclass(frozen=True, kw_only=True)
class ChainOfThoughtSpec(_Spec):
    """One sample with worked steps (chain of thought)."""

    name: ClassVar[str] = "cot"
    model: str | None = None
    """Name of the model; None takes the first executor's."""
    temperature: float = TEMPERATURE
    repetition_penalty: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SelfConsistencySpec(_Spec):
    """Majority of k samples."""

    name: ClassVar[str] = "self_consistency"
    k: int = 5
    model: str | None = None
    """Name of the model; None takes the executors' models in turn."""
    temperature: float = TEMPERATURE
    repetition_penalty: float = 1.0
    checked: bool = False
    """True if samples that were cut off or state a false equation do not vote beside others."""


@dataclass(frozen=True, kw_only=True)
class BestOfNCommitSpec(_Spec):
    """Conclusion of the coordinator from n samples."""

    name: ClassVar[str] = "best_of_n_commit"
    n: int = 3
    model: str | None = None
    """Name of the model; None takes the executors' models in turn."""
    temperature: float = TEMPERATURE
    repetition_penalty: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DebateSpec(_Spec):
    """Debate of agents that see each other's last answers; majority of the last round."""

    name: ClassVar[str] = "debate"
    agents: int = 3
    rounds: int = 3
    """Number of rounds, including the first, in which agents answer independently."""
    temperature: float = TEMPERATURE
    repetition_penalty: float = 1.0


@dataclass(frozen=True, kw_only=True)
class EconUntrainedSpec(_Spec):
    """The game with an untrained policy."""

    name: ClassVar[str] = "econ_untrained"
    rounds: int = 1
    """Rounds of the decision: ``bne_rounds``."""
    rule: CommitmentRule | None = None
    """Commitment rule; None takes the coordinator model's default."""
    group_size: int | None = None
    """Size of groups; None makes a flat team."""


@dataclass(frozen=True, kw_only=True)
class EconSpec(EconUntrainedSpec):
    """The game with the policy of a checkpoint."""

    name: ClassVar[str] = "econ"


@dataclass(frozen=True, kw_only=True)
class EconFixedSpec(EconUntrainedSpec):
    """The game with one sampling action for every executor, round and question: no learning."""

    name: ClassVar[str] = "econ_fixed"
    temperature: float = TEMPERATURE
    repetition_penalty: float = 1.0


@dataclass(frozen=True, kw_only=True)
class EconProfileSpec(EconUntrainedSpec):
    """The game with one sampling action for each executor, in all rounds and questions.

    Lists shorter than the team are dealt out in turn, as models are.
    """

    name: ClassVar[str] = "econ_profile"
    temperatures: tuple[float, ...] = (TEMPERATURE,)
    repetition_penalties: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, kw_only=True)
class FirstRoundVoteSpec(_Spec):
    """Majority of ECON's first-round responses, without a conclusion."""

    name: ClassVar[str] = "first_round_vote"
    of: str = EconSpec.name
    """Canonical spec of the method whose records it uses."""


PromptedSpec: TypeAlias = (
    GreedySpec | ChainOfThoughtSpec | SelfConsistencySpec | BestOfNCommitSpec | DebateSpec
)
"""Spec of a method made of prompts and rules alone."""

Spec: TypeAlias = (
    PromptedSpec
    | EconUntrainedSpec
    | EconFixedSpec
    | EconProfileSpec
    | EconSpec
    | FirstRoundVoteSpec
)

_METHODS: dict[str, type[Spec]] = {kind.name: kind for kind in get_args(Spec)}


def method_names() -> tuple[str, ...]:
    """Return the names of all methods."""
    return tuple(_METHODS)


def parse_spec(text: str) -> Spec:
    """Return the spec that ``text`` describes.

    Raises:
        SpecError: the text is not valid; the message lists names or keys, the nearest first.
    """
    name, colon, settings = text.strip().partition(":")
    if name not in _METHODS:
        raise SpecError(f"there is no method {name!r}{_choices(name, list(_METHODS), 'methods')}")
    kind = _METHODS[name]
    known = [field.name for field in fields(kind)]
    values: dict[str, Any] = {}
    # A single key needs no separator, and its value may itself be a spec with commas.
    pieces = settings.split(",") if len(known) > 1 else [settings]
    for piece in pieces if colon else ():
        key, equals, value = (part.strip() for part in piece.partition("="))
        if key not in known:
            raise SpecError(f"{text!r}: {name} has no key {key!r}{_choices(key, known, 'keys')}")
        if not equals or not value:
            raise SpecError(f"{text!r}: {key!r} lacks a value: write {key}=... there")
        if key in values:
            raise SpecError(f"{text!r}: {key!r} is given twice")
        values[key] = _read(text, key, value)
    try:
        return kind(**values)
    except SpecError as problem:
        raise SpecError(f"{text!r}: {problem}") from None


def build_prompted(spec: PromptedSpec, config: EnvConfig, models: Models) -> Prompted:
    """Build the method of ``spec`` for the team and the prompts of ``config``.

    Args:
        spec: the method and its settings.
        config: the team, its prompts, top-p and commitment rule.
        models: the models of ``config``, which tell their context limits. None is loaded before a
            question is answered.

    Raises:
        SpecError: ``model=`` names none of the team's models, or baselines have no prompts that go
            with the prompt set of ``config``.
    """
    try:
        asking = Asking.of(config, models)
    except ValueError as problem:
        raise SpecError(f"{spec.canonical!r}: {problem}") from None
    if isinstance(spec, GreedySpec):
        sampling = SamplingAction(temperature=0.0, repetition_penalty=1.0)
    else:
        sampling = SamplingAction(
            temperature=spec.temperature, repetition_penalty=spec.repetition_penalty
        )
    shared: dict[str, Any] = {
        "spec": spec.canonical,
        "asking": asking,
        "models": models_of(spec, config),
        "sampling": sampling,
    }
    match spec:
        case SelfConsistencySpec():
            return SelfConsistency(checked=spec.checked, **shared)
        case DebateSpec():
            return Debate(rounds=spec.rounds, **shared)
        case BestOfNCommitSpec():
            return BestOfNCommit(**shared)
        case _:
            return SelfConsistency(**shared)


def models_of(spec: PromptedSpec, config: EnvConfig) -> tuple[str, ...]:
    """Return the name of the model of each response of one round, in order.

    Raises:
        SpecError: ``model=`` names none of the team's models.
    """
    team = config.team()
    match spec:
        case DebateSpec():
            return _dealt(team.executors, spec.agents)
        case SelfConsistencySpec(model=None):
            return _dealt(team.executors, spec.k)
        case BestOfNCommitSpec(model=None):
            return _dealt(team.executors, spec.n)
        case SelfConsistencySpec():
            count = spec.k
        case BestOfNCommitSpec():
            count = spec.n
        case _:
            count = 1
    model = team.executors[0] if spec.model is None else spec.model
    if model not in team.names:
        near = _choices(model, list(team.names), "models of this team")
        raise SpecError(f"{spec.canonical!r}: the team has no model {model!r}{near}")
    return (model,) * count


def _read(text: str, key: str, value: str) -> Any:
    """Return the value of ``key`` from its text; the spec checks its range."""
    try:
        return _KEYS[key].read(value)
    except ValueError as problem:
        why = f" ({problem})" if isinstance(problem, SpecError) else ""
        raise SpecError(
            f"{text!r}: {key} must be {_KEYS[key].meaning}, got {value!r}{why}"
        ) from None


def _dealt(executors: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple([executors[index % len(executors)] for index in range(count)])


def _choices(name: str, known: list[str], what: str) -> str:
    """Return the end of an error message: the nearest name, if any, and all names."""
    near = get_close_matches(name, known, n=1)
    question = f"; did you mean {near[0]!r}?" if near else "."
    return f"{question} The {what}: {', '.join(known)}"


@dataclass(frozen=True)
class _Key:
    """Parser and check of the values of one key, equal for all methods that have the key."""

    meaning: str
    read: Callable[[str], Any]
    """Function from text to value; ``ValueError`` if the text is not of the right type."""
    accepts: Callable[[Any], bool]


def _whole(least: int) -> _Key:
    return _Key(
        f"a whole number >= {least}",
        int,
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least,
    )


def _canonical_econ(text: str) -> str:
    spec = parse_spec(text)
    if not isinstance(spec, EconUntrainedSpec):
        raise ValueError(text)
    return spec.canonical


def _is_canonical_econ(value: Any) -> bool:
    try:
        return isinstance(value, str) and _canonical_econ(value) == value
    except ValueError:
        return False


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _several(one: _Key, meaning: str) -> _Key:
    """Return the key of several values of ``one``, with a slash between them."""
    return _Key(
        meaning,
        lambda text: tuple(one.read(piece) for piece in text.split("/")),
        lambda values: isinstance(values, tuple) and bool(values) and all(map(one.accepts, values)),
    )


_TEMPERATURE = _Key(
    "a number from 0 to 2",
    float,
    lambda value: isinstance(value, (int, float)) and 0 <= value <= 2,
)
_PENALTY = _Key(
    "a number above 0",
    float,
    lambda value: isinstance(value, (int, float)) and 0 < value < math.inf,
)
_KEYS = {
    "k": _whole(1),
    "n": _whole(1),
    "rounds": _whole(1),
    "agents": _whole(2),
    "group_size": _whole(2),
    "model": _Key("the name of a model", str, lambda value: isinstance(value, str) and value != ""),
    "temperature": _TEMPERATURE,
    "repetition_penalty": _PENALTY,
    "temperatures": _several(_TEMPERATURE, "numbers from 0 to 2 with slashes between, as 0.6/1"),
    "repetition_penalties": _several(_PENALTY, "numbers above 0 with slashes between, as 1/1.1"),
    "rule": _Key(
        " or ".join(get_args(CommitmentRule)), str, lambda value: value in get_args(CommitmentRule)
    ),
    "checked": _Key("true or false", _truth, lambda value: isinstance(value, bool)),
    "of": _Key(
        "econ, econ_fixed, econ_profile or econ_untrained, with its keys if any",
        _canonical_econ,
        _is_canonical_econ,
    ),
}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
