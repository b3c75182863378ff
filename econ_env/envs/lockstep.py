"""Answering the requests of many games: as they come if the model can, else one call per phase.

A model that takes requests while it answers others (:class:`~econ_env.llm.incremental.Streaming`)
gets the requests of a game at once, so that no game waits for the slowest answer of another one.
Any other model gets all collected requests in one call, once no streaming request is in flight: so
the games go through their phases together. In a phase, models on several servers answer side by
side (:mod:`econ_env.llm.side_by_side`): it lasts as long as the slowest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from econ_env.envs.strategy_cache import StrategyCache
from econ_env.envs.waiting import Waiting
from econ_env.game.state_machine import Game, Phase
from econ_env.llm.incremental import Answers, answers_of, streams
from econ_env.llm.models import Models
from econ_env.llm.side_by_side import Call, call_all, is_remote
from econ_env.llm.types import ChatModel, ChatRequest, Completion, ModelError

Watch = Callable[[Game], object]
"""Callback with a game that goes on: it has new texts, waits for models, or was paid."""


def play(
    games: Sequence[Game],
    models: Models,
    strategies: StrategyCache,
    *,
    waiting: Waiting | None = None,
    watch: Watch | None = None,
) -> None:
    """Feed the games until each of them waits for actions or for its rewards, or has ended.

    Args:
        games: the games.
        models: the models that answer.
        strategies: a strategy that it holds is not asked for again; new ones are added to it.
        waiting: is told of every request and its answer.
        watch: called in this thread with every game that goes on; None: nobody watches.

    Raises:
        ModelError: a model cannot be loaded, or it did not answer every request.
    """
    table = _Table(models, strategies, Waiting() if waiting is None else waiting, watch)
    try:
        for game in games:
            table.ask(game)
        while table.take_one() or table.take_phase():
            pass
    finally:
        table.close()


def ask(requests: Sequence[ChatRequest], models: Models) -> list[Completion]:
    """The completion of every request, in order, with one call per model.

    The calls of models on servers run at the same time.

    Raises:
        ModelError: a model cannot be loaded, or it did not answer every request.
    """
    by_model: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        by_model.setdefault(request.model, []).append(index)
    calls = []
    for name, indices in by_model.items():
        model = models.model(name)
        part = [requests[index] for index in indices]
        calls.append(Call(make=partial(_ask_one, model, part), remote=is_remote(model)))
    answers: dict[int, Completion] = {}
    for indices, completions in zip(by_model.values(), call_all(calls), strict=True):
        answers.update(zip(indices, completions, strict=True))
    return [answers[index] for index in range(len(requests))]


def _ask_one(model: ChatModel, requests: Sequence[ChatRequest]) -> list[Completion]:
    """The completions of one model; ``ModelError`` if it did not answer every request."""
    completions = model.generate(requests)
    if len(completions) != len(requests):
        raise ModelError(
            f"model {model.name!r} returned {len(completions)} completions for {len(requests)} "
            "requests: generate() must answer every request, in order"
        )
    return completions


@dataclass(kw_only=True, eq=False)
class _Turn:
    """The requests that a game makes at once, and the completions so far."""

    game: Game
    requests: list[ChatRequest]
    completions: dict[int, Completion] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.completions) == len(self.requests)


_Place = tuple[_Turn, int]
"""A turn and the position of a request in it."""


class _Stream:
    """A model that takes requests while it answers others, and its open requests."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._waiting: list[_Place] = []
        self._sent: list[_Place] = []
        self._answers: Answers | None = None
        self.open = 0
        """Number of requests without an answer."""

    def ask(self, place: _Place) -> None:
        self._waiting.append(place)
        self.open += 1

    def next(self) -> tuple[_Place, Completion]:
        """The next completion to arrive, with its place."""
        if self._answers is None:
            self._sent = []
            self._answers = answers_of(self._model, self._feed)
        try:
            position, completion = next(self._answers)
        except StopIteration:
            raise ModelError(
                f"model {self._model.name!r} left {self.open} requests without an answer"
            ) from None
        self.open -= 1
        if not self.open:
            # Nothing is left to answer; the next request starts a new stream.
            self.close()
        return self._sent[position], completion

    def close(self) -> None:
        """Give up the requests without an answer."""
        if self._answers is not None:
            self._answers.close()
            self._answers = None

    def _feed(self) -> list[ChatRequest]:
        places, self._waiting = self._waiting, []
        self._sent += places
        return [turn.requests[index] for turn, index in places]


class _Table:
    """The games, the models that answer them, and the requests in flight."""

    def __init__(
        self, models: Models, strategies: StrategyCache, waiting: Waiting, watch: Watch | None
    ) -> None:
        self._models = models
        self._strategies = strategies
        self._waiting = waiting
        self._watch = watch
        self._streams: dict[str, _Stream | None] = {}
        self._phase: list[_Place] = []

    def ask(self, game: Game) -> None:
        """Dispatch the requests of ``game``, and show it to who watches."""
        self._dispatch(game)
        # A decision that has just closed is shown when it is paid.
        if self._watch is not None and game.phase is not Phase.SETTLE:
            self._watch(game)

    def _dispatch(self, game: Game) -> None:
        """Dispatch the requests of ``game``; go on with it while known strategies answer them."""
        while requests := game.pending():
            turn = _Turn(game=game, requests=requests)
            for index, request in enumerate(requests):
                known = self._strategies.get(request)
                if known is not None:
                    turn.completions[index] = known
                    continue
                self._waiting.asked((turn, index), request.role)
                if (stream := self._stream(request.model)) is not None:
                    stream.ask((turn, index))
                else:
                    self._phase.append((turn, index))
            if not turn.complete:
                return
            game.feed([turn.completions[index] for index in range(len(requests))])

    def take_one(self) -> bool:
        """Take one answer of a streaming model; False if no request is in flight.

        The model with the most open requests comes first. The requests to other models gather
        meanwhile, so that no model computes few rows while another could compute many.
        """
        busy = [stream for stream in self._streams.values() if stream is not None and stream.open]
        if not busy:
            return False
        place, completion = max(busy, key=lambda stream: stream.open).next()
        self._give([(place, completion)])
        return True

    def take_phase(self) -> bool:
        """Send all collected requests to the other models; False if there are none."""
        places, self._phase = self._phase, []
        answers = ask([turn.requests[index] for turn, index in places], self._models)
        self._give(list(zip(places, answers, strict=True)))
        return bool(places)

    def close(self) -> None:
        """Give up all requests in flight."""
        self._waiting.clear()
        for stream in self._streams.values():
            if stream is not None:
                stream.close()

    def _give(self, answers: Sequence[tuple[_Place, Completion]]) -> None:
        """Hand out answers, and go on with the games that have all of theirs."""
        complete = []
        for (turn, index), completion in answers:
            self._waiting.answered((turn, index))
            self._strategies.put(turn.requests[index], completion)
            turn.completions[index] = completion
            if turn.complete:
                complete.append(turn)
        for turn in complete:
            turn.game.feed([turn.completions[index] for index in range(len(turn.requests))])
            self.ask(turn.game)

    def _stream(self, name: str) -> _Stream | None:
        """The stream of the model with this name; None if it does not stream."""
        if name not in self._streams:
            model = self._models.model(name)
            self._streams[name] = _Stream(model) if streams(model) else None
        return self._streams[name]
