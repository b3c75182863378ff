"""Every setting of the environment, declared once and shared by all its views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from econ_env.embeddings import DEFAULT_MODEL, Embedder
from econ_env.game.closing_rules import CommitmentRule
from econ_env.game.coordinator_tree import build_tree
from econ_env.game.prompts import COMPACT, DEFAULT, PLAIN, PromptSet
from econ_env.llm.api import ApiSettings, SecondAction
from econ_env.llm.budget.limits import Budget, BudgetLimits
from econ_env.llm.budget.prices import find_prices, read_prices
from econ_env.llm.cache.recording_model import CacheMode
from econ_env.llm.cache.store import default_cache_path
from econ_env.llm.models import Models
from econ_env.llm.registry import Family, Team, resolve_models
from econ_env.llm.types import ChatModel, ModelError
from econ_env.questions.base import OrderName, QuestionSource
from econ_env.questions.table import Limits
from econ_env.rewards import FIDELITY_WEIGHT, RewardWeights
from econ_env.sampling_action import SamplingBounds


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """The settings that suit a family of models where a user gives none."""

    prompts: PromptSet
    strategy: bool
    commitment_rule: CommitmentRule
    """Rule for a coordinator of this family."""
    embedder: str


_DEFAULTS: dict[Family, _Defaults] = {
    "bundled": _Defaults(
        prompts=COMPACT, strategy=True, commitment_rule="guarded", embedder="hashing"
    ),
    "simulated": _Defaults(
        prompts=COMPACT, strategy=True, commitment_rule="coordinator", embedder="hashing"
    ),
    # What benchmarks/prompts found best for them, and what needs no download.
    "catalogue": _Defaults(
        prompts=PLAIN, strategy=False, commitment_rule="majority", embedder="hashing"
    ),
    "instruct": _Defaults(
        prompts=DEFAULT, strategy=True, commitment_rule="coordinator", embedder=DEFAULT_MODEL
    ),
}
_PROMPT_SETS: dict[str, PromptSet] = {"compact": COMPACT, "default": DEFAULT, "plain": PLAIN}


@dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """What is played, by whom, for how long and for which reward.

    Values are checked when the object is made, and nothing is loaded for it: ``ValueError`` says
    what is wrong with a setting, ``ModelError`` which model is not known.
    """

    dataset: str | Path | QuestionSource = "arithmetic"
    """Questions: "arithmetic", "simulated", a public data set ("gsm8k", "math", "math500", "svamp",
    "gsm_hard", "strategyqa"), any id of the Hugging Face hub ("owner/name"), the path of a .jsonl,
    .json, .parquet or .csv file, or a folder with one such file per split."""
    llm: str | ChatModel | Sequence[str | ChatModel] = "bundled"
    """Models of the executors: one name for all ("bundled", "bundled:0", "simulated",
    "hf:PATH_OR_ID", "together:MODEL", "openai:MODEL", "vllm:MODEL@http://host:port/v1", ...) or
    one name per executor."""
    coordinator: str | ChatModel | None = None
    """Model of the coordinator, if it is to be another one. None: "simulated:coordinator" for
    simulated executors, "bundled:coordinator" for "bundled", else the first executor's model."""
    n_agents: int = 3
    """Number of executors, >= 1; each is one agent (paper: 3)."""
    bne_rounds: int = 1
    """Most rounds of one decision, >= 1 (the authors' code: 1). One step of the environment is one
    round. A team whose actions do not change stops after the first."""
    max_rounds: int = 1
    """Decisions of one episode, >= 1. An episode has at most max_rounds · bne_rounds steps."""
    max_cycles: int | None = None
    """PettingZoo's name for max_rounds: sets it. Both may be given only if they are equal, or if
    max_rounds has its default 1."""
    group_size: int | None = None
    """Most executors per local coordinator, >= 2 (paper, 4.4: at most 4). None: one flat team
    without local ones."""
    commitment_rule: CommitmentRule | None = None
    """"coordinator": its own conclusion, always. "guarded": unanimous answers stand without a
    call, and a value that no executor gave falls back to the majority. "majority": an answer of
    more than half of the executors stands as well, and the coordinator is asked where there is
    none. None: what suits the models (paper: "coordinator")."""
    prompts: Literal["compact", "default", "plain"] | PromptSet | None = None
    """Style of the prompts: "compact" for bundled and simulated models, "plain" for small
    instruction-tuned ones, "default" (JSON commitments) for those that keep to a format. None: what
    suits the models."""
    strategy: bool | None = None
    """The coordinator writes a strategy before executors answer. None: what suits the models,
    which is yes unless they were measured to do better without (paper: yes)."""
    second_action: SecondAction = "repetition_penalty"
    """Meaning of an action's second number at a model server: "repetition_penalty";
    "frequency_penalty", a translation for servers without one; "none", where it is to do nothing.
    Models in this process know the repetition penalty only."""
    max_concurrency: int = 64
    """Most requests in flight at one model on a server, >= 1."""
    request_timeout_s: float = 600.0
    """Total time of one request to a server, its retries included, in seconds; a request that is
    not answered by then has failed."""
    temperature_min: float = 0.1
    """Lowest temperature that an agent can choose, >= 0 (paper: 0.1)."""
    temperature_max: float = 2.0
    """Highest temperature that an agent can choose, > 0 (paper: 2.0)."""
    repetition_penalty_min: float = 0.8
    """Least repetition penalty that an agent can choose, > 0; 1 is neutral (paper: 0.1, a value of
    top-p; ours: docs/paper.md)."""
    repetition_penalty_max: float = 1.5
    """Greatest repetition penalty that an agent can choose, > 0 (paper: 0.9, a value of top-p;
    ours: docs/paper.md)."""
    top_p: float = 0.9
    """Nucleus sampling: the same for every executor, in (0, 1]; no agent chooses it (the authors'
    code: 0.9)."""
    sampling_digits: int | None = None
    """Decimals to which temperatures and penalties are rounded, from 0 to 15; None: not at all. A
    policy's actions differ in their last bits from processor to processor; rounded, its requests
    do not, so that what was recorded on one machine replays on another."""
    convergence_threshold: float = 0.01
    """Largest change of an action, per coordinate in the units of the action box [-1, 1], that
    counts as no deviation; >= 0 (the authors' code: 0.01)."""
    reward_weights: RewardWeights | Mapping[str, float] | None = None
    """Weights of the reward's three components: ts (own answer correct), al (agreement with the
    commitment) and cc (contribution). All three, >= 0, with the sum 1. None: ts 0.4, al 0.4 and
    cc 0.2 (paper: 0.4, 0.4, 0.2)."""
    cc_fidelity_weight: float = FIDELITY_WEIGHT
    """Share w of fidelity in the reward component cc, in [0, 1]; the rest is novelty."""
    embedder: str | Embedder | None = None
    """Embeddings for rewards and observations: "hashing", "minilm" or a sentence-transformers
    id. None: "hashing" for bundled and simulated models, whose worked steps it
    tells apart at ~50 µs a text (MiniLM hardly sees numbers and would cost more time than the
    bundled model itself), "BAAI/bge-large-en-v1.5" for all others (the authors' code: so)."""
    split: str = "test"
    """Part of the data set: "train", "validation" or "test" of "arithmetic", "train" or "test" of
    "simulated", a split of a public data set or of one of the hub, the name of a file in a folder.
    The default is for measuring: learn on "train", or nothing is left that was not learned on."""
    data_path: str | Path | None = None
    """File, or folder with a file per split, with the rows of a public data set such as "gsm8k":
    read instead of the Hugging Face hub."""
    subset: str | None = None
    """Configuration of a data set of the hub. None: the usual one."""
    revision: str | None = None
    """Commit, tag or branch of a data set of the hub. None: any copy on this machine, else the
    main branch."""
    streaming: bool = False
    """Read a data set of the hub over the network as far as it is played, without downloading it.
    It is shuffled in windows of 1,000 questions then."""
    question_field_name: str | None = None
    """Field of the question in a file or a data set of the hub. None: found by its usual names."""
    answer_field_name: str | None = None
    """Field of the gold answer, named together with that of the question."""
    max_question_length: int | None = None
    """Rows with a longer question, in characters, are left out. None: no limit."""
    max_answer_length: int | None = None
    """Rows with a longer gold answer, in characters, are left out. None: no limit."""
    order: OrderName = "shuffled"
    """Order of the questions: "shuffled" without replacement by the seed, or "sequential"."""
    loop: bool = True
    """Start over after the last question. Off: the questions end there, and a reset after the last
    one is an error."""
    seed: int = 0
    """Everything random follows from this number. An environment that is reset with a seed follows
    that one instead."""
    cache: CacheMode = "off"
    """"read_write": completions are kept, and what was asked before is not asked again. "replay":
    nothing is asked at all, and a request that was not recorded with the same settings is an error.
    "off": nothing is kept."""
    cache_path: str | Path | None = None
    """File of the completions. None: completions.sqlite in the folder that $ECON_CACHE names, else
    in ~/.cache/econ_env."""
    max_requests: int | None = None
    """Most requests that may be asked of models, answers from the cache not counted. None: no
    limit."""
    max_total_tokens: int | None = None
    """Most tokens that models may read and write, answers from the cache not counted. None: no
    limit."""
    max_cost_usd: float | None = None
    """Highest cost in US dollars, answers from the cache not counted. Every model's price must be
    known. None: no limit."""
    prices: Mapping[str, Sequence[float]] | None = None
    """US dollars per million tokens of prompts and of completions, by the model's name. None: the
    few that are known (docs/replay_and_budgets.md)."""

    def __post_init__(self) -> None:
        if self.max_cycles is not None:
            if self.max_rounds not in (1, self.max_cycles):
                raise ValueError(
                    f"max_cycles={self.max_cycles} and max_rounds={self.max_rounds} are two "
                    "names of one setting: give one of them"
                )
            object.__setattr__(self, "max_rounds", self.max_cycles)
        for name in ("n_agents", "bne_rounds", "max_rounds"):
            _check_at_least_one(name, getattr(self, name))
        build_tree(self.n_agents, self.group_size)
        _check_choice("commitment_rule", self.commitment_rule, (None, *get_args(CommitmentRule)))
        _check_choice("order", self.order, get_args(OrderName))
        Limits(
            max_question_length=self.max_question_length, max_answer_length=self.max_answer_length
        )
        if isinstance(self.prompts, str):
            _check_choice("prompts", self.prompts, tuple(_PROMPT_SETS))
        if not self.convergence_threshold >= 0:
            raise ValueError(
                f"convergence_threshold must be >= 0, got {self.convergence_threshold}"
            )
        if not 0 <= self.cc_fidelity_weight <= 1:
            raise ValueError(f"cc_fidelity_weight must be in [0, 1], got {self.cc_fidelity_weight}")
        _check_choice("cache", self.cache, get_args(CacheMode))
        if self.cache_path is not None and self.cache == "off":
            raise ValueError(
                'cache_path is given but cache="off" keeps nothing: set cache="read_write" to '
                'record, or cache="replay" to replay'
            )
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

    @property
    def agents(self) -> list[str]:
        """``executor_0`` to ``executor_{n-1}``, a new list."""
        return [f"executor_{i}" for i in range(self.n_agents)]

    def team(self) -> Team:
        """The models' names; ``ModelError`` for one that is not known."""
        return resolve_models(self.llm, self.n_agents, self.coordinator, api=self.api_settings())

    def api_settings(self) -> ApiSettings:
        """How models on servers are asked."""
        if not 0 < self.request_timeout_s < math.inf:
            raise ValueError(
                "request_timeout_s must be a finite number of seconds above 0, "
                f"got {self.request_timeout_s}"
            )
        return ApiSettings(
            second_action=self.second_action,
            max_concurrency=self.max_concurrency,
            request_budget_s=self.request_timeout_s,
        )

    def budget(self) -> Budget:
        """A fresh budget; ``ValueError`` for a limit, ``ModelError`` for an unknown price."""
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
        """The reward weights of an episode that does not bring its own."""
        if isinstance(self.reward_weights, RewardWeights):
            return self.reward_weights
        if self.reward_weights is None:
            return RewardWeights()
        return RewardWeights.from_options(self.reward_weights)

    def prompt_set(self) -> PromptSet:
        """The prompts in use; ``ModelError`` where the models do not settle them."""
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
        return _DEFAULTS[self.team().family(self.team().coordinator)].commitment_rule

    def resolved_embedder(self) -> str | Embedder:
        """``embedder``, or the default for the team's models."""
        if self.embedder is not None:
            return self.embedder
        suited = {_DEFAULTS[family].embedder for family in self.team().families}
        return suited.pop() if len(suited) == 1 else DEFAULT_MODEL

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-serialisable data; objects are given by their names."""
        return {item.name: _json_value(getattr(self, item.name)) for item in fields(self)}


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
