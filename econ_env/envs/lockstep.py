"""Answering what many games ask: one call of every model per phase."""

from __future__ import annotations

from collections.abc import Sequence

from econ_env.envs.strategy_cache import StrategyCache
from econ_env.game.state_machine import Game
from econ_env.llm.models import Models
from econ_env.llm.types import ChatRequest, Completion, ModelError


def play(games: Sequence[Game], models: Models, strategies: StrategyCache) -> None:
    """Feed the games until each of them waits for actions, for its rewards, or has ended.

    Games go through their phases together: all requests of a phase, over all games, reach their
    model in one ``generate``. A game that skips a phase joins the next one that it has.
    Strategies that ``strategies`` holds are not asked for again, new ones are added to it.
    """
    while True:
        asking = [(game, requests) for game in games if (requests := game.pending())]
        if not asking:
            return
        wanted = [request for _, requests in asking for request in requests]
        held = [strategies.get(request) for request in wanted]
        unknown = [request for request, known in zip(wanted, held, strict=True) if known is None]
        answers = ask(unknown, models)
        for request, answer in zip(unknown, answers, strict=True):
            strategies.put(request, answer)
        fresh = iter(answers)
        completions = [next(fresh) if known is None else known for known in held]
        start = 0
        for game, requests in asking:
            game.feed(completions[start : start + len(requests)])
            start += len(requests)


def ask(requests: Sequence[ChatRequest], models: Models) -> list[Completion]:
    """The completion of every request, in order, with one call per model.

    Raises:
        ModelError: a model cannot be loaded, or it did not answer every request.
    """
    by_model: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        by_model.setdefault(request.model, []).append(index)
    answers: dict[int, Completion] = {}
    for name, indices in by_model.items():
        completions = models.model(name).generate([requests[index] for index in indices])
        if len(completions) != len(indices):
            raise ModelError(
                f"model {name!r} returned {len(completions)} completions for {len(indices)} "
                "requests: generate() must answer every request, in order"
            )
        answers.update(zip(indices, completions, strict=True))
    return [answers[index] for index in range(len(requests))]
