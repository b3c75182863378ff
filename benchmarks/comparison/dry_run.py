"""Estimate the requests and the cost of a comparison before anything is sent.

Every method really answers the first questions, with stand-ins in place of the models: they send
nothing, never agree with each other, and write as much as they are told. So calls and prompts are
those of the methods themselves. Models that run in this process count the tokens; for models on
servers the tokens are estimated as their client estimates them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np

from benchmarks.comparison.budget_match import pilot_size
from benchmarks.comparison.building import Workshop, known_prices
from benchmarks.comparison.econ import steering_of
from benchmarks.comparison.econ_policy import Begin, Fixed, QuestionPolicy, Steering
from benchmarks.comparison.records import Record
from benchmarks.comparison.run import Plan, Run
from benchmarks.comparison.specs import EconSpec, EconUntrainedSpec, FirstRoundVoteSpec, Spec
from benchmarks.comparison.store import Memory
from benchmarks.comparison.table import NOTHING, aligned
from benchmarks.comparison.tuning import Tuned, calls_of
from econ_agents.algorithm.memory import FloatArray
from econ_agents.environments import TeamSpace
from econ_env.config import EnvConfig
from econ_env.llm.api.address import names_a_server, parse_address
from econ_env.llm.api.grouping import group_requests
from econ_env.llm.api.reply import estimated_tokens
from econ_env.llm.types import (
    TOKENS_PER_MESSAGE,
    ChatModel,
    ChatRequest,
    Completion,
    Usage,
    tokens_per_message,
)

SAMPLE = 5
"""Number of questions that stand-ins answer."""
EXPECTED_SHARE = 0.5
"""Expected length of a completion, as a share of the longest that is allowed."""

_WORD = "step "


class StandIn:
    """A :class:`~econ_env.llm.types.ChatModel` that writes filler text and sends nothing.

    Args:
        name: name of the model that it stands for.
        model: that model if it runs in this process; None if it is on a server.
        share: length of every completion, as a share of the longest that is allowed.
    """

    def __init__(self, name: str, model: ChatModel | None, share: float) -> None:
        self.name = name
        self.context_limit = None if model is None else model.context_limit
        self.tokens_per_message = TOKENS_PER_MESSAGE if model is None else tokens_per_message(model)
        self._model = model
        self._share = share
        self._choices = parse_address(name).profile.max_choices if model is None else 1
        self._word_tokens = self.count_tokens(100 * _WORD) / 100

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Return a text of the right length for every request; prompts count as on a server."""
        completions: dict[int, Completion] = {}
        for group in group_requests(requests, self._choices):
            for index in group:
                completions[index] = self._completion(requests[index], first=index == group[0])
        return [completions[index] for index in range(len(requests))]

    def count_tokens(self, text: str) -> int:
        """Count with the model itself, or estimate for a model on a server."""
        return estimated_tokens([text]) if self._model is None else self._model.count_tokens(text)

    def close(self) -> None:
        """Do nothing: the model belongs to the process."""

    def _completion(self, request: ChatRequest, *, first: bool) -> Completion:
        tokens = max(1, round(self._share * request.max_tokens))
        prompt = sum(
            self.count_tokens(message.content) + self.tokens_per_message
            for message in request.messages
        )
        # Seeds differ, so no two answers agree and no round or call is skipped.
        words = _WORD * int(tokens / self._word_tokens)
        return Completion(
            text=f"{words}\\boxed{{{request.seed}}}",
            usage=Usage(
                prompt_tokens=prompt if first else 0, completion_tokens=tokens, requests=int(first)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Restless:
    """A team that deviates in every round, each executor in its own way.

    A trained team plays at most as many rounds, and its executors rarely send equal requests.
    """

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`~benchmarks.comparison.econ_policy.Steering`."""
        each = np.linspace(0.5, 1.0, len(space.agents), dtype=np.float32)
        return partial(_Swinging, np.repeat(each[:, np.newaxis], space.action_size, axis=1))


class _Swinging(QuestionPolicy):
    def __init__(self, actions: FloatArray) -> None:
        self._actions = actions

    def act(self, observations: FloatArray, period: float) -> FloatArray:
        self._actions = -self._actions
        return self._actions


class _Choices:
    """Choices of the budget match, kept in memory; nothing is tuned."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def matched(self, spec: str, target: str) -> str | None:
        return self._kept.get((spec, target))

    def keep_matched(self, spec: str, target: str, chosen: str) -> None:
        self._kept[spec, target] = chosen

    def tuned(self, spec: str) -> Tuned | None:
        return None

    def keep_tuned(self, tuned: Tuned) -> None:
        raise AssertionError("a dry run tunes nothing")


def dry_run_lines(plan: Plan, config: EnvConfig) -> list[str]:
    """Return the estimate as lines of text: per question and method, then for the whole comparison.

    Raises:
        ModelError: a model that runs in this process cannot be loaded.
        UsageError: a method does not suit the models or the settings.
    """
    sample = replace(
        plan,
        # A vote on responses that another method got asks nothing.
        entries=tuple(
            entry for entry in plan.entries if not isinstance(entry.spec, FirstRoundVoteSpec)
        ),
        questions=plan.questions[:SAMPLE],
        seeds=plan.seeds[:1],
        in_flight=SAMPLE,
        tuning=None,
    )
    choices = _Choices()
    likely = _answered(sample, config, EXPECTED_SHARE, choices)
    most = _answered(sample, config, 1.0, choices)
    episodes = len(plan.questions) * len(plan.seeds)
    rows, totals = [], [0.0, 0.0]
    costs: list[tuple[float, float] | None] = []
    for spec in dict.fromkeys(record.method for record in likely.results()):
        expected, bound = _means(likely.results(), spec), _means(most.results(), spec)
        totals[0] += expected.tokens * episodes
        totals[1] += bound.tokens * episodes
        cost = None
        if expected.cost_usd is not None and bound.cost_usd is not None:
            cost = expected.cost_usd * episodes, bound.cost_usd * episodes
        costs.append(cost)
        rows.append(
            (
                spec,
                f"{bound.calls:.4g}",
                *(f"{value:,.0f}" for value in (expected.prompt, bound.prompt)),
                *(f"{value:,.0f}" for value in (expected.completion, bound.completion)),
                *([NOTHING] * 2 if cost is None else [_usd(each) for each in cost]),
            )
        )
    headers = ("calls", "prompt", "at most", "completion", "at most", "USD in all", "at most")
    known = [cost for cost in costs if cost is not None]
    unknown = set(config.team().names) - set(known_prices(config))
    return [
        f"Nothing is sent. {len(plan.questions):,} questions, each with "
        f"{len(plan.seeds)} seed{'s' * (len(plan.seeds) > 1)}; calls and tokens of one, from the "
        f"prompts of the first {len(sample.questions)}",
        *aligned(headers, rows),
        f"calls: the most that are possible. Completions are expected to have {EXPECTED_SHARE:.0%} "
        "of the length that is allowed",
        f"in all: {totals[0]:,.0f} tokens expected, {totals[1]:,.0f} at most",
        *_tuning_lines(plan),
        *(
            [
                f"cost: USD {_usd(sum(low for low, _ in known))} expected, "
                f"{_usd(sum(high for _, high in known))} at most"
            ]
            if not unknown
            else [
                f"cost: not known without the price of {', '.join(sorted(unknown))}: give it "
                "with --price MODEL=PROMPTS,COMPLETIONS in USD per million tokens"
            ]
        ),
        *_matching(plan, likely),
    ]


@dataclass(frozen=True, kw_only=True)
class _Means:
    calls: float
    prompt: float
    completion: float
    cost_usd: float | None

    @property
    def tokens(self) -> float:
        return self.prompt + self.completion


def _means(records: Sequence[Record], method: str) -> _Means:
    own = [record for record in records if record.method == method]
    costs = [record.cost_usd for record in own if record.cost_usd is not None]
    return _Means(
        calls=fmean(record.usage.requests for record in own),
        prompt=fmean(record.usage.prompt_tokens for record in own),
        completion=fmean(record.usage.completion_tokens for record in own),
        cost_usd=fmean(costs) if len(costs) == len(own) else None,
    )


def _matching(plan: Plan, run: Run) -> list[str]:
    if not run.matched:
        return []
    names = ", ".join(spec.canonical for spec in run.matched)
    pilot = pilot_size(len(plan.questions))
    return [
        f"{names}: an estimate of what the budget match will choose. It also tries other numbers "
        f"on {pilot} questions of every seed, which costs extra"
    ]


def _tuning_lines(plan: Plan) -> list[str]:
    """Return a line on the calls of the tuning, which are not in the table."""
    tuning, tuned = plan.tuning, [entry.tunable for entry in plan.entries if entry.tunable]
    if tuning is None or not tuned:
        return []
    calls = sum(
        len(tuning.seeds_of(spec)) * calls_of(spec, tuning) * tuning.settings_of(spec)
        for spec in dict.fromkeys(tuned)
    )
    return [
        f"not counted: the tuning, which makes up to {calls * len(tuning.questions):,} calls more"
    ]


def _answered(plan: Plan, config: EnvConfig, share: float, choices: _Choices) -> Run:
    """Play the comparison with stand-ins."""
    played = stood_in(config, share)
    models = played.models()
    # Their sampling is chosen later, and changes no call and no prompt.
    still_open = frozenset(entry.spec for entry in plan.entries if entry.tunable is not None)
    steering = partial(_steering, still_open)
    workshop = Workshop(played, models, steering=steering, in_flight=plan.in_flight)
    workshop.check([entry.spec for entry in plan.entries], plan.seeds)
    run = Run(plan, workshop.method, Memory(), choices, lambda text: None)
    run.play()
    return run


def _steering(still_open: Set[Spec], spec: EconUntrainedSpec, seed: int) -> Steering:
    if spec in still_open:
        return Fixed(action=(0.0, 0.0))
    return Restless() if isinstance(spec, EconSpec) else steering_of(spec, None)


def stood_in(config: EnvConfig, share: float) -> EnvConfig:
    """Return ``config`` with stand-ins for all models.

    Settings that follow from the models' names are resolved first.
    """
    team = config.team()
    stand_ins = {
        name: StandIn(name, None if names_a_server(name) else team.model(name), share)
        for name in team.names
    }
    return replace(
        config,
        llm=[stand_ins[name] for name in team.executors],
        coordinator=stand_ins[team.coordinator],
        prompts=config.prompt_set(),
        commitment_rule=config.resolved_commitment_rule(),
        # Nothing is learned here, and the embedder changes no prompt: take the cheapest.
        embedder="hashing",
        prices={
            name: (price.prompt_usd_per_million, price.completion_usd_per_million)
            for name, price in known_prices(config).items()
        },
        cache="off",
        cache_path=None,
        max_requests=None,
        max_total_tokens=None,
        max_cost_usd=None,
    )


def _usd(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.2g}"
