"""Every setting of the environment, declared once and shared by all its views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from econ_env.embeddings import DEFAULT_MODEL, Embedder
from econ_env.game.closing_rules import CommitmentRule, check_groups
from econ_env.game.prompts import COMPACT, DEFAULT, PLAIN, PromptSet, TokenLimits
from econ_env.llm.api import ApiSettings, ReplicaRouting, SecondAction, TokenField
from econ_env.llm.api.secret import MASK
from econ_env.llm.budget.limits import Budget, BudgetLimits
from econ_env.llm.budget.prices import find_prices, read_prices
from econ_env.llm.cache.recording_model import CacheMode
from econ_env.llm.cache.store import default_cache_path
from econ_env.llm.models import Models
from econ_env.llm.registry import (
    BUNDLED_COORDINATOR,
    SIMULATED_COORDINATOR,
    Family,
    Team,
    resolve_models,
)
from econ_env.llm.types import ChatModel, ModelError
from econ_env.questions.base import OrderName, QuestionSource
from econ_env.questions.load import load_questions
from econ_env.questions.table import Limits
from econ_env.rewards import FIDELITY_WEIGHT, RewardWeights
from econ_env.sampling_action import SamplingBounds

MAX_AGENTS = 10_000
"""Largest number of executors: each needs memory before anything is played."""


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """The settings that suit a family of models where a user gives none."""

    prompts: PromptSet
    strategy: bool
    commitment_rule: CommitmentRule
    """Rule for a coordinator of this family."""
    embedder: str
    commitment_rule_of_groups: CommitmentRule | None = None
    """Rule for its coordinators if the team has groups; None: the same."""


_DEFAULTS: dict[Family, _Defaults] = {
    "bundled": _Defaults(
        prompts=COMPACT, strategy=True, commitment_rule="guarded", embedder="hashing"
    ),
    "simulated": _Defaults(
        prompts=COMPACT, strategy=True, commitment_rule="coordinator", embedder="hashing"
    ),
    # What benchmarks found best for them (docs/local_models.md), and what needs no download.
    "catalogue": _Defaults(
        prompts=PLAIN,
        strategy=False,
        commitment_rule="casting_vote",
        commitment_rule_of_groups="majority",
        embedder="hashing",
    ),
    "instruct": _Defaults(
        prompts=DEFAULT, strategy=True, commitment_rule="coordinator", embedder=DEFAULT_MODEL
    ),
}
_PROMPT_SETS: dict[str, PromptSet] = {"compact": COMPACT, "default": DEFAULT, "plain": PLAIN}


@dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """Settings of an environment: questions, models, length of an episode, reward and cache.

    Values are checked when the object is made, without loading anything.

    Raises:
        ValueError: a setting is out of range, or two settings contradict each other.
        ModelError: a model or its price is not known, or the models need different prompts.
    """

    dataset: str | Path | QuestionSource = "arithmetic"
    """Questions: "arithmetic", "simulated", a public data set ("gsm8k", "math", "math500", "svamp",
    "gsm_hard", "strategyqa"), any id of the Hugging Face hub ("owner/name"), the path of a .jsonl,
    .json, .parquet or .csv file, or a folder: one such file per split, a copy of a repository of
    the hub, or what save_to_disk wrote."""
    llm: str | ChatModel | Sequence[str | ChatModel] = "bundled"
    """Models of the executors: one name for all ("bundled", "bundled:0", "simulated",
    "hf:PATH_OR_ID", "together:MODEL", "openai:MODEL", "vllm:MODEL@http://host:port/v1", or
    "vllm:MODEL@URL,URL" for replicas, ...) or one name per executor."""
    coordinator: str | ChatModel | None = None
    """Model of the coordinator. None: "simulated:coordinator" for simulated executors,
    "bundled:coordinator" for "bundled", else the first executor's model."""
    n_agents: int = 3
    """Number of executors, from 1 to 10,000; each is one agent (paper: 3)."""
    bne_rounds: int = 1
    """Maximum number of rounds of one decision, >= 1 (the authors' code: 1). One step of the
    environment is one round. A team that repeats its actions stops after the first round."""
    max_rounds: int = 1
    """Number of decisions of one episode, >= 1. An episode has at most max_rounds · bne_rounds
    steps."""
    max_cycles: int | None = None
    """PettingZoo's name for max_rounds, which it sets. Give both only if they are equal or if
    max_rounds has its default, 1."""
    group_size: int | None = None
    """Maximum number of executors per local coordinator, >= 2 (paper, 4.4: at most 4). None: one
    flat team without local coordinators."""
    commitment_rule: CommitmentRule | None = None
    """Rule that decides the value of a commitment. "coordinator": the coordinator's own conclusion
    always stands. "guarded": unanimous answers stand without a call, and a value that no executor
    gave is replaced by the majority's answer. "majority": as "guarded", but an answer of more than
    half of the executors also stands without a call. "checked": as "majority", among the responses
    that were not cut off and state no false equation, if there are any. "casting_vote": the
    coordinator answers the question itself, and its vote decides between answers with equally many;
    it is not asked where all agree or an answer is two votes ahead, and there are no groups. None:
    "guarded" for a bundled coordinator, "casting_vote" for one of the catalogue ("local:NAME"), or
    "majority" if there are groups, "coordinator" for all others (paper: "coordinator")."""
    prompts: Literal["compact", "default", "plain"] | PromptSet | None = None
    """Style of the prompts: "compact" for bundled and simulated models, "plain" for small
    instruction-tuned ones, "default" (JSON commitments) for those that keep to a format. None:
    "compact" if all models are bundled or simulated, "plain" if all are of the catalogue
    ("local:NAME"), "default" if they are others."""
    strategy: bool | None = None
    """Let the coordinator write a strategy before the executors answer. None: no with a model of
    the catalogue ("local:NAME"), yes with all others (paper: yes)."""
    second_action: SecondAction = "repetition_penalty"
    """Meaning of an action's second number at a model server: "repetition_penalty";
    "frequency_penalty", a translation for servers without a repetition penalty; "none": no
    effect. Models that run in this process support the repetition penalty only."""
    max_tokens_strategy: int | None = None
    """Maximum number of tokens of a strategy, thoughts included, >= 1. The strategy itself is cut
    to about 50 tokens (paper: 50). None: the limit of the prompts, at most 50."""
    max_tokens_execute: int | None = None
    """Maximum number of tokens of an executor's response, thoughts included, >= 1. None: the limit
    of the prompts (1,024 of "default")."""
    max_tokens_commit: int | None = None
    """Maximum number of tokens of a commitment, thoughts included, >= 1. None: the limit of the
    prompts (512 of "default")."""
    extra_body: Mapping[str, Any] | None = None
    """Fields added to every request to a model server, as JSON: {"chat_template_kwargs":
    {"enable_thinking": false}} for example. None: none."""
    extra_headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Headers added to every request to a model server. Their values stay out of logs and errors,
    and what is named like a key, or as long as one, out of answers, too. None: none."""
    query_parameters: Mapping[str, str] | None = None
    """Parameters added to the URL of every request to a model server, such as api-version. None:
    none."""
    omit_fields: Sequence[str] = ()
    """Fields left out of every request to a model server, because it refuses them: seed for
    example."""
    token_field: TokenField | None = None
    """Field of the token limit in requests to a model server: "max_tokens" or
    "max_completion_tokens". None: the usual one of the kind of server."""
    min_temperature: float = 0.0
    """Lowest temperature that is sent to a model server, >= 0; lower ones are raised to it. For
    servers that refuse 0, at which coordinators are asked."""
    max_concurrency: int = 64
    """Maximum number of requests in flight to one model on a server, >= 1; its replicas share
    it."""
    replica_routing: ReplicaRouting = "least_busy"
    """Replica of a model that a request goes to, if "vllm:MODEL@URL,URL" names several.
    "least_busy": the one with the fewest requests in flight. "prefix": always the same one for
    equal prompts, unless it fails or is far busier than another; so the executors of one question
    meet a server that has read their prompt already."""
    request_timeout_s: float = 600.0
    """Time limit of one request to a server, retries included, in seconds. A request without an
    answer by then has failed. One attempt may take half of it: a slow server with many requests at
    once needs more than the default, or its answers are asked for again and again."""
    temperature_min: float = 0.0
    """Lowest temperature that an agent can choose, >= 0 (ours: 0; paper: 0.1). At 0, temperatures
    below 0.05 are 0, which is greedy decoding."""
    temperature_max: float = 2.0
    """Highest temperature that an agent can choose, > 0 (paper: 2.0)."""
    repetition_penalty_min: float = 0.8
    """Lowest repetition penalty that an agent can choose, > 0; 1 is neutral (paper: 0.1, a value of
    top-p; ours: docs/paper.md)."""
    repetition_penalty_max: float = 1.5
    """Highest repetition penalty that an agent can choose, > 0 (paper: 0.9, a value of top-p;
    ours: docs/paper.md)."""
    top_p: float = 0.9
    """Probability mass of nucleus sampling, in (0, 1]: the same for every executor, not chosen by
    agents (the authors' code: 0.9)."""
    sampling_digits: int | None = None
    """Number of decimals to which temperatures and penalties are rounded, from 0 to 15. None: no
    rounding. The actions of one policy differ in their last bits from processor to processor;
    rounding makes its requests equal, so that a recording of one machine replays on another."""
    convergence_threshold: float = 0.01
    """Largest change of an action, per coordinate in the units of the action box [-1, 1], that
    counts as no deviation; >= 0 (the authors' code: 0.01)."""
    reward_weights: RewardWeights | Mapping[str, float] | None = None
    """Weights of the reward's three components: ts (own answer correct), al (agreement with the
    commitment) and cc (contribution). All three, >= 0, with the sum 1. None: ts 0.4, al 0.4 and
    cc 0.2 (paper: 0.4, 0.4, 0.2)."""
    cc_fidelity_weight: float = FIDELITY_WEIGHT
    """Share of fidelity in the reward component cc, in [0, 1]; the rest is novelty."""
    embedder: str | Embedder | None = None
    """Embeddings for rewards and observations: "hashing", "minilm" or a sentence-transformers
    id. None: "hashing" if all models are bundled, simulated or of the catalogue ("local:NAME"),
    which then need no download, else "BAAI/bge-large-en-v1.5" (the
    authors' code: BAAI/bge-large-en-v1.5). Hashing tells the worked steps of bundled models apart
    in about 50 µs per text; MiniLM hardly sees numbers and takes longer than those models."""
    split: str = "test"
    """Part of the data set: "train", "validation" or "test" of "arithmetic", "train" or "test" of
    "simulated", a split of a public data set or of one of the hub, the name of a file in a folder.
    The default is for evaluation: train on "train", so that the test questions stay held out."""
    data_path: str | Path | None = None
    """File, or folder with one file per split, that holds the rows of a public data set such as
    "gsm8k". It is read instead of the Hugging Face hub."""
    subset: str | None = None
    """Configuration of a data set of the hub, or of a copy of its repository. None: the usual one
    of a public data set, the default one of others."""
    revision: str | None = None
    """Commit, tag or branch of a data set of the hub. None: any copy on this machine, else the
    main branch."""
    streaming: bool = False
    """Read a data set of the hub over the network while it is played, without downloading all of
    it. A streamed data set is shuffled in windows of 1,000 questions."""
    question_field_name: str | None = None
    """Field of the question in a file or a data set of the hub. None: recognised by one of the
    usual names."""
    answer_field_name: str | None = None
    """Field of the gold answer in a file or a data set of the hub. Name both fields or neither."""
    max_question_length: int | None = None
    """Maximum length of a question in characters; rows with a longer one are left out. None: no
    limit."""
    max_answer_length: int | None = None
    """Maximum length of a gold answer in characters; rows with a longer one are left out. None: no
    limit."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used instead of ending with an error. Their number is logged,
    and a file that the log names holds the number and the fault of each row."""
    order: OrderName = "shuffled"
    """Order of the questions: "shuffled" by the seed, without replacement, or "sequential"."""
    loop: bool = True
    """Start over after the last question. Otherwise a reset after the last question is an
    error."""
    seed: int = 0
    """Seed of everything random. A seed that is given to a reset replaces it."""
    cache: CacheMode = "off"
    """Use of recorded completions. "read_write": completions are recorded, and a recorded request
    is answered without a model. "replay": no model is asked, and a request that was not recorded
    with the same settings is an error. "off": nothing is recorded or replayed."""
    cache_path: str | Path | None = None
    """File of the recorded completions. None: completions.sqlite in the folder that $ECON_CACHE
    names, else in ~/.cache/econ_env."""
    max_requests: int | None = None
    """Maximum number of requests to models, answers from the cache not counted. None: no limit."""
    max_total_tokens: int | None = None
    """Maximum number of tokens that models read and write, answers from the cache not counted.
    None: no limit."""
    max_cost_usd: float | None = None
    """Maximum cost in US dollars, answers from the cache not counted. Every model's price must be
    known. None: no limit."""
    max_failures_in_a_row: int | None = 20
    """Number of episodes in a row that may fail, >= 1: then the step raises an error with the
    commonest cause, since nothing more would succeed. None: no limit."""
    keep_messages: bool = True
    """Keep in the transcript of an episode, beside what the models said, what they were asked.
    Files of transcripts are then a fifth larger with compact prompts, and up to twice as large with
    longer ones."""
    prices: Mapping[str, Sequence[float]] | None = None
    """Prices in US dollars per million tokens of prompts and of completions, by the model's name.
    None: the few built-in prices (docs/replay_and_budgets.md)."""

    def __post_init__(self) -> None:
        _check_types(self)
        if self.embedder is not None and not isinstance(self.embedder, str | Embedder):
            raise ValueError(
                f"embedder must be a name or an object with embed and dim, got {self.embedder!r}"
            )
        if self.max_cycles is not None:
            if self.max_rounds not in (1, self.max_cycles):
                raise ValueError(
                    f"max_cycles={self.max_cycles} and max_rounds={self.max_rounds} are two "
                    "names of one setting: give one of them"
                )
            object.__setattr__(self, "max_rounds", self.max_cycles)
        for name in ("n_agents", "bne_rounds", "max_rounds"):
            _check_at_least_one(name, getattr(self, name))
        if self.n_agents > MAX_AGENTS:
            raise ValueError(f"n_agents must be at most {MAX_AGENTS:,}, got {self.n_agents}")
        if self.max_failures_in_a_row is not None:
            _check_at_least_one("max_failures_in_a_row", self.max_failures_in_a_row)
        _check_choice("commitment_rule", self.commitment_rule, (None, *get_args(CommitmentRule)))
        _check_choice("order", self.order, get_args(OrderName))
        Limits(
            max_question_length=self.max_question_length, max_answer_length=self.max_answer_length
        )
        if isinstance(self.omit_fields, str):
            raise ValueError(f"omit_fields must be a list of names, got {self.omit_fields!r}")
        if isinstance(self.prompts, str):
            _check_choice("prompts", self.prompts, tuple(_PROMPT_SETS))
        if not self.convergence_threshold >= 0:
            raise ValueError(
                f"convergence_threshold must be >= 0, got {self.convergence_threshold}"
            )
        if not 0 <= self.cc_fidelity_weight <= 1:
            raise ValueError(f"cc_fidelity_weight must be in [0, 1], got {self.cc_fidelity_weight}")
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed}")
        _check_choice("cache", self.cache, get_args(CacheMode))
        if self.cache_path is not None and self.cache == "off":
            raise ValueError(
                'cache_path is given but cache="off" keeps nothing: set cache="read_write" to '
                'record, or cache="replay" to replay'
            )
        check_groups(self.resolved_commitment_rule(), self.n_agents, self.group_size)
        self._check_coordinator()
        self.bounds()
        self.weights()
        self.prompt_set()
        self.budget()
        if (
            "simulated" in self.team().families
            and isinstance(self.dataset, (str, Path))
            and self.dataset != "simulated"
        ):
            raise ValueError(
                f'simulated models play dataset="simulated" only, got dataset={self.dataset!r}'
            )

    def _check_coordinator(self) -> None:
        coordinator = self.team().coordinator
        solves = coordinator not in (BUNDLED_COORDINATOR, SIMULATED_COORDINATOR)
        if self.resolved_commitment_rule() == "casting_vote" and not solves:
            raise ValueError(
                'commitment_rule="casting_vote" lets the coordinator answer the question, and '
                f"{coordinator!r} cannot: name another coordinator, one of the executors' models "
                "for example, or choose another rule"
            )

    @property
    def agents(self) -> list[str]:
        """``executor_0`` to ``executor_{n-1}``, a new list."""
        return [f"executor_{i}" for i in range(self.n_agents)]

    def team(self) -> Team:
        """The names of the team's models; ``ModelError`` if one is not known."""
        return resolve_models(self.llm, self.n_agents, self.coordinator, api=self.api_settings())

    def api_settings(self) -> ApiSettings:
        """Settings of requests to model servers; ``ValueError`` if one is out of range."""
        if not 0 < self.request_timeout_s < math.inf:
            raise ValueError(
                "request_timeout_s must be a finite number of seconds above 0, "
                f"got {self.request_timeout_s}"
            )
        return ApiSettings(
            second_action=self.second_action,
            max_concurrency=self.max_concurrency,
            replica_routing=self.replica_routing,
            request_budget_s=self.request_timeout_s,
            # Half of it for one attempt, so that a lost answer leaves time for another.
            read_timeout_s=self.request_timeout_s / 2,
            extra_body=self.extra_body or {},
            extra_headers=self.extra_headers or {},
            query_parameters=self.query_parameters or {},
            omit_fields=tuple(self.omit_fields),
            token_field=self.token_field,
            min_temperature=self.min_temperature,
        )

    def budget(self) -> Budget:
        """A fresh budget; ``ValueError`` for a bad limit, ``ModelError`` for an unknown price."""
        team = self.team()
        prices = read_prices(self.prices or {})
        if self.max_cost_usd is not None:
            prices = find_prices(team.names, prices, objects=tuple(team.given))
        limits = BudgetLimits(
            max_requests=self.max_requests,
            max_total_tokens=self.max_total_tokens,
            max_cost_usd=self.max_cost_usd,
        )
        return Budget(limits, prices)

    def load_questions(self, seed: int = 0) -> QuestionSource:
        """The questions of the data set; ``seed`` is that of problems that are made on the spot.

        Raises:
            QuestionError: the data set cannot be used.
        """
        return load_questions(
            self.dataset,
            split=self.split,
            data_path=self.data_path,
            subset=self.subset,
            revision=self.revision,
            streaming=self.streaming,
            question_field_name=self.question_field_name,
            answer_field_name=self.answer_field_name,
            max_question_length=self.max_question_length,
            max_answer_length=self.max_answer_length,
            skip_bad_rows=self.skip_bad_rows,
            seed=seed,
        )

    def models(self) -> Models:
        """The team's models behind a cache and a fresh budget; loads nothing."""
        path = default_cache_path() if self.cache_path is None else Path(self.cache_path)
        return Models(self.team(), self.budget(), cache=self.cache, cache_path=path)

    def bounds(self) -> SamplingBounds:
        """The box that actions map to."""
        return SamplingBounds(
            temperature_min=self.temperature_min,
            temperature_max=self.temperature_max,
            repetition_penalty_min=self.repetition_penalty_min,
            repetition_penalty_max=self.repetition_penalty_max,
            top_p=self.top_p,
            digits=self.sampling_digits,
        )

    def weights(self) -> RewardWeights:
        """The reward weights of an episode that is reset without weights of its own."""
        if isinstance(self.reward_weights, RewardWeights):
            return self.reward_weights
        if self.reward_weights is None:
            return RewardWeights()
        return RewardWeights.from_options(self.reward_weights)

    def prompt_set(self) -> PromptSet:
        """``prompts``, or the default of the team's models, with the token limits that are set.

        Raises:
            ModelError: ``prompts`` is None and the models need different prompts.
            ValueError: a token limit is below 1, or is set beside prompts that keep their own.
        """
        prompts = self._chosen_prompts()
        set_limits = {
            kind: limit
            for kind, limit in (
                ("strategy", self.max_tokens_strategy),
                ("execute", self.max_tokens_execute),
                ("commit", self.max_tokens_commit),
            )
            if limit is not None
        }
        if not set_limits:
            return prompts
        for kind, limit in set_limits.items():
            _check_at_least_one(f"max_tokens_{kind}", limit)
        if not is_dataclass(prompts) or isinstance(prompts, type):
            raise ValueError(
                f"max_tokens_{min(set_limits)} is set, but the prompts {prompts.name!r} keep their "
                "own limits: set their max_tokens instead"
            )
        limits: TokenLimits = replace(prompts.max_tokens, **set_limits)
        return replace(prompts, max_tokens=limits)

    def _chosen_prompts(self) -> PromptSet:
        if self.prompts is not None:
            return _PROMPT_SETS[self.prompts] if isinstance(self.prompts, str) else self.prompts
        team = self.team()
        suited = {_DEFAULTS[family].prompts.name for family in team.families}
        if len(suited) > 1 and COMPACT.name in suited:
            raise ModelError(
                f"the team {', '.join(team.names)} mixes models that know only compact prompts "
                'with models that follow instructions: choose with prompts="compact" or "default"'
            )
        return _PROMPT_SETS[suited.pop()] if len(suited) == 1 else DEFAULT

    def resolved_strategy(self) -> bool:
        """``strategy``, or the default of the team's models."""
        if self.strategy is not None:
            return self.strategy
        return all(_DEFAULTS[family].strategy for family in self.team().families)

    def resolved_commitment_rule(self) -> CommitmentRule:
        """``commitment_rule``, or the coordinator model's own default."""
        if self.commitment_rule is not None:
            return self.commitment_rule
        suited = _DEFAULTS[self.team().family(self.team().coordinator)]
        has_groups = self.group_size is not None and self.n_agents > self.group_size
        return (has_groups and suited.commitment_rule_of_groups) or suited.commitment_rule

    def resolved_embedder(self) -> str | Embedder:
        """``embedder``, or the default for the team's models."""
        if self.embedder is not None:
            return self.embedder
        suited = {_DEFAULTS[family].embedder for family in self.team().families}
        return suited.pop() if len(suited) == 1 else DEFAULT_MODEL

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-serialisable data; objects are given by their names.

        The values of ``extra_headers`` are masked.
        """
        data = {item.name: _json_value(getattr(self, item.name)) for item in fields(self)}
        if self.extra_headers is not None:
            data["extra_headers"] = dict.fromkeys(self.extra_headers, MASK)
        return data


_KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    Path: (Path, "a path"),
}


def _check_types(config: EnvConfig) -> None:
    """Check the types of plain settings; those that take objects are checked where they are read.

    Raises:
        ValueError: a setting has a value of another type.
    """
    for name, hint in get_type_hints(EnvConfig).items():
        if get_origin(hint) not in (None, Union, UnionType):
            continue
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
        value = getattr(config, name)
        if value is None and type(None) in get_args(hint):
            continue
        if any(kind not in _KINDS for kind in kinds):
            continue
        accepted = tuple(_KINDS[kind][0] for kind in kinds)
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{name} must be {_KINDS[kinds[0]][1]}, got {value!r}")


def _check_at_least_one(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, RewardWeights):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return [_json_value(item) for item in value]
    return str(value) if isinstance(value, Path) else value.name
