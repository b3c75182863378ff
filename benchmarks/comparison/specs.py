"""The grammar of ``--methods``: which methods there are, and the keys of each.

A spec is ``NAME`` or ``NAME:key=value,key=value``. Its canonical form leaves out keys that have
their default, in the order of the fields below: that is what records and tables call a method. A
method that has one key only takes everything behind ``key=`` as its value, so that
``first_round_vote:of=econ:rounds=3,rule=guarded`` says what it seems to say.
"""

from __future__ import annotations

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

TEMPERATURE = 0.7
"""Of everything that is sampled without anybody deciding how."""


class SpecError(BenchmarkError, ValueError):
    """A spec that means nothing; the message names the nearest that does."""


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
        """The shortest text that means this spec; ``parse_spec`` gives it back."""
        settings = [
            f"{field.name}={_text(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}:{','.join(settings)}" if settings else self.name


@dataclass(frozen=True, kw_only=True)
class GreedySpec(_Spec):
    """One answer at temperature 0: what a team must beat."""

    name: ClassVar[str] = "greedy"
    model: str | None = None
    """None: the first executor's."""


@dataclass(frozen=True, kw_only=True)
class ChainOfThoughtSpec(_Spec):
    """One sample."""

    name: ClassVar[str] = "cot"
    model: str | None = None
    """None: the first executor's."""
    temperature: float = TEMPERATURE


@dataclass(frozen=True, kw_only=True)
class SelfConsistencySpec(_Spec):
    """The majority of k samples."""

    name: ClassVar[str] = "self_consistency"
    k: int = 5
    model: str | None = None
    """None: sample j is of the model of executor j, in turn."""
    temperature: float = TEMPERATURE


@dataclass(frozen=True, kw_only=True)
class BestOfNCommitSpec(_Spec):
    """The coordinator concludes from n samples of one model."""

    name: ClassVar[str] = "best_of_n_commit"
    n: int = 3
    model: str | None = None
    """None: the first executor's."""
    temperature: float = TEMPERATURE


@dataclass(frozen=True, kw_only=True)
class DebateSpec(_Spec):
    """Agents that are shown each other's last answers; the majority of the last round."""

    name: ClassVar[str] = "debate"
    agents: int = 3
    rounds: int = 3
    """The first one, in which nobody has seen anything, included."""
    temperature: float = TEMPERATURE


@dataclass(frozen=True, kw_only=True)
class EconUntrainedSpec(_Spec):
    """The game with the policy as it is before any training."""

    name: ClassVar[str] = "econ_untrained"
    rounds: int = 1
    """``bne_rounds``."""
    rule: CommitmentRule | None = None
    """None: the coordinator model's own default."""
    group_size: int | None = None
    """None: a flat team."""


@dataclass(frozen=True, kw_only=True)
class EconSpec(EconUntrainedSpec):
    """The game with the policy of a checkpoint."""

    name: ClassVar[str] = "econ"


@dataclass(frozen=True, kw_only=True)
class FirstRoundVoteSpec(_Spec):
    """The majority of ECON's own first-round responses, without any conclusion."""

    name: ClassVar[str] = "first_round_vote"
    of: str = EconSpec.name
    """Canonical spec of the method whose records it is made of."""


PromptedSpec: TypeAlias = (
    GreedySpec | ChainOfThoughtSpec | SelfConsistencySpec | BestOfNCommitSpec | DebateSpec
)
"""A method that is nothing but prompts and rules."""

Spec: TypeAlias = PromptedSpec | EconUntrainedSpec | EconSpec | FirstRoundVoteSpec

_METHODS: dict[str, type[Spec]] = {kind.name: kind for kind in get_args(Spec)}


def method_names() -> tuple[str, ...]:
    """The name of every method."""
    return tuple(_METHODS)


def parse_spec(text: str) -> Spec:
    """The spec that ``text`` means.

    Raises:
        SpecError: it means none; the message names the nearest name or key and lists what there is.
    """
    name, colon, settings = text.strip().partition(":")
    if name not in _METHODS:
        raise SpecError(f"there is no method {name!r}{_choices(name, list(_METHODS), 'methods')}")
    kind = _METHODS[name]
    known = [field.name for field in fields(kind)]
    values: dict[str, Any] = {}
    # With one key there is nothing to separate, and its value may itself be a spec.
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
    """The method that ``spec`` means, for the team and the prompts of ``config``.

    Args:
        spec: which method.
        config: the team, its prompts, top-p and commitment rule.
        models: those of ``config``, asked for how much text they take. Nothing is loaded before a
            question is answered.

    Raises:
        SpecError: ``model=`` names none of the team's models, or the prompts of ``config`` are of
            a kind that baselines have none for.
    """
    try:
        asking = Asking.of(config, models)
    except ValueError as problem:
        raise SpecError(f"{spec.canonical!r}: {problem}") from None
    temperature = 0.0 if isinstance(spec, GreedySpec) else spec.temperature
    shared: dict[str, Any] = {
        "spec": spec.canonical,
        "asking": asking,
        "models": models_of(spec, config),
        "temperature": temperature,
    }
    match spec:
        case DebateSpec():
            return Debate(rounds=spec.rounds, **shared)
        case BestOfNCommitSpec():
            return BestOfNCommit(**shared)
        case _:
            return SelfConsistency(**shared)


def models_of(spec: PromptedSpec, config: EnvConfig) -> tuple[str, ...]:
    """The name of the model that gives each response of one round, in order.

    Raises:
        SpecError: ``model=`` names none of the team's models.
    """
    team = config.team()
    match spec:
        case DebateSpec():
            return _dealt(team.executors, spec.agents)
        case SelfConsistencySpec(model=None):
            return _dealt(team.executors, spec.k)
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
    """The value of ``key`` from its text; whether it is in range is for the spec to say."""
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
    """What was probably meant, if anything is near, and all that there is."""
    near = get_close_matches(name, known, n=1)
    question = f"; did you mean {near[0]!r}?" if near else "."
    return f"{question} The {what}: {', '.join(known)}"


@dataclass(frozen=True)
class _Key:
    """What the value of one key may be; the same wherever a method has that key."""

    meaning: str
    read: Callable[[str], Any]
    """From text; ``ValueError`` where it is not even of the right type."""
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


_KEYS = {
    "k": _whole(1),
    "n": _whole(1),
    "rounds": _whole(1),
    "agents": _whole(2),
    "group_size": _whole(2),
    "model": _Key("the name of a model", str, lambda value: isinstance(value, str) and value != ""),
    "temperature": _Key(
        "a number from 0 to 2",
        float,
        lambda value: isinstance(value, (int, float)) and 0 <= value <= 2,
    ),
    "rule": _Key(
        " or ".join(get_args(CommitmentRule)), str, lambda value: value in get_args(CommitmentRule)
    ),
    "of": _Key("econ or econ_untrained, with its keys if any", _canonical_econ, _is_canonical_econ),
}


def _text(value: object) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
