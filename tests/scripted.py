"""Helpers that play a game without a model, on completions written in the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from econ_env.game.prompts import COMPACT
from econ_env.game.state_machine import Game, GameConfig, ModelLimits, Phase
from econ_env.game.transcript import SettledRewards
from econ_env.grading.answers import extract
from econ_env.llm.types import ChatRequest, Completion, Usage
from econ_env.questions.base import Question
from econ_env.sampling_action import SamplingAction, SamplingBounds

QUESTION = Question(id="q1", text="Anna has 3 apples and gets 4 more. How many?", gold="7")
CALM = SamplingAction(temperature=0.5, repetition_penalty=1.0)
WILD = SamplingAction(temperature=1.5, repetition_penalty=1.2)
SPENT = Usage(prompt_tokens=10, completion_tokens=5, requests=1)


def equivalent(first: str, second: str) -> bool:
    """Compare up to a decimal point with zeros, which is enough for scripted answers."""
    return first.removesuffix(".0") == second.removesuffix(".0")


def config(**changes: Any) -> GameConfig:
    """Make rules, by default a flat team of three on one model without a context limit."""
    n_agents = changes.get("n_agents", 3)
    settings: dict[str, Any] = {
        "n_agents": n_agents,
        "group_size": None,
        "bne_rounds": 1,
        "max_rounds": 1,
        "convergence_threshold": 0.01,
        "bounds": SamplingBounds(),
        "strategy": True,
        "commitment_rule": "coordinator",
        "prompts": COMPACT,
        "executor_models": ("m",) * n_agents,
        "coordinator_model": "m",
        "keep_messages": True,
        "limits": {"m": ModelLimits(context_limit=None, count_tokens=len)},
        "extract": extract,
        "equivalent": equivalent,
    }
    return GameConfig(**(settings | changes))


def new_game(*, env_seed: int = 0, episode: int = 0, **changes: Any) -> Game:
    """Make a game on ``QUESTION``."""
    return Game(config(**changes), QUESTION, env_seed=env_seed, episode=episode)


def boxed(answer: str | None) -> str:
    """Return a response with this answer, or without one for None."""
    return "no idea" if answer is None else rf"3 + 4 = {answer} ; \boxed{{{answer}}}"


def commitment(value: str | None) -> str:
    """Return a commitment with this value; for None a reply without a readable value."""
    if value is None:
        return "no idea"
    return json.dumps({"reason": "3 + 4", "value": value, "confidence": 0.5, "checklist": {}})


def completion(text: str) -> Completion:
    """Return a successful completion that cost ``SPENT``."""
    return Completion(text=text, usage=SPENT)


class Script:
    """Source of completions in the order of the test, with a record of all requests.

    Args:
        answers: per round, the answers of all executors; one text means that all agree.
        values: per round, the value that the coordinator of the team commits to.
        strategy: text of every strategy.
        local_value: value that a local coordinator commits to.
    """

    def __init__(
        self,
        answers: Iterable[Sequence[str | None] | str],
        values: Iterable[str | None],
        *,
        strategy: str = "add",
        local_value: Callable[[ChatRequest], str | None] = lambda request: "7",
    ) -> None:
        self._answers = iter(answers)
        self._values = iter(values)
        self._strategy = strategy
        self._local_value = local_value
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Return one completion per request, in order."""
        self.requests += requests
        if requests[0].role == "execute":
            answers = next(self._answers)
            each = [answers] * len(requests) if isinstance(answers, str) else answers
            return [completion(boxed(answer)) for answer in each]
        return [completion(self._coordinate(request)) for request in requests]

    def _coordinate(self, request: ChatRequest) -> str:
        if request.role == "commit":
            return commitment(next(self._values))
        if request.role == "local_commit":
            return commitment(self._local_value(request))
        return self._strategy

    def answer_all(self, game: Game) -> None:
        """Feed the game until nothing is pending."""
        while requests := game.pending():
            game.feed(self.complete(requests))

    def play_round(self, game: Game, *actions: SamplingAction) -> None:
        """Answer the pending requests, act, and answer the round."""
        self.answer_all(game)
        game.act(actions)
        self.answer_all(game)


def rewards(n_agents: int = 3, team: float = 1.0) -> SettledRewards:
    """Return some rewards; the game only records them."""
    return SettledRewards(
        team=team,
        agents=(0.5,) * n_agents,
        components={"TS": (1.0,) * n_agents},
        team_components={"TS": 1.0},
    )


def play_to_the_end(game: Game, script: Script, actions: Sequence[SamplingAction]) -> None:
    """Play the whole episode with constant actions."""
    while not game.done:
        script.answer_all(game)
        if game.awaiting_actions:
            game.act(actions)
        elif game.phase is Phase.SETTLE:
            game.settle(rewards(len(actions)))
