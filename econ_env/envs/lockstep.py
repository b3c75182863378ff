"""Answering what many games ask: as they go on where a model can, else one call per phase.

A model that takes requests while it answers others (:class:`~econ_env.llm.incremental.Streaming`)
gets what a game asks as soon as the game asks it, so that no game waits for the slowest answer of
another one. Any other model is asked everything that has come up in one call, when nothing is
under way any more: so games go through their phases together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from econ_env.envs.strategy_cache import StrategyCache
from econ_env.game.state_machine import Game
from econ_env.llm.incremental import Answers, answers_of, streams
from econ_env.llm.models import Models
from econ_env.llm.types import ChatModel, ChatRequest, Completion, ModelError


def play(games: Sequence[Game], models: Models, strategies: StrategyCache) -> None:
    """Feed the games until each of them waits for actions, for its rewards, or has ended.

    Strategies that ``strategies`` holds are not asked for again, new ones are added to it.

    Raises:
        ModelError: a model cannot be loaded, or it did not answer every request.
    """
    table = _Table(models, strategies)
    try:
        for game in games:
            table.ask(game)
        while table.take_one() or table.take_phase():
            pass
    finally:
        table.close()


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


@dataclass(kw_only=True, eq=False)
class _Turn:
    """What a game asks at once, and the answers so far."""

    game: Game
    requests: list[ChatRequest]
    completions: dict[int, Completion] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.completions) == len(self.requests)


_Place = tuple[_Turn, int]
"""A turn and the position of a request in it."""


class _Stream:
    """A model that takes requests while it answers others, and what it was asked."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._waiting: list[_Place] = []
        self._sent: list[_Place] = []
        self._answers: Answers | None = None
        self.open = 0
        """Requests that are not answered."""

    def ask(self, place: _Place) -> None:
        self._waiting.append(place)
        self.open += 1

    def next(self) -> tuple[_Place, Completion]:
        """The completion that comes first, and where it belongs."""
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
            # It ends when it is asked again and there is nothing; the next request begins anew.
            self.close()
        return self._sent[position], completion

    def close(self) -> None:
        """Give up what is not answered."""
        if self._answers is not None:
            self._answers.close()
            self._answers = None

    def _feed(self) -> list[ChatRequest]:
        places, self._waiting = self._waiting, []
        self._sent += places
        return [turn.requests[index] for turn, index in places]


class _Table:
    """Games, the models that answer them, and what is under way between them."""

    def __init__(self, models: Models, strategies: StrategyCache) -> None:
        self._models = models
        self._strategies = strategies
        self._streams: dict[str, _Stream | None] = {}
        self._phase: list[_Place] = []

    def ask(self, game: Game) -> None:
        """Send what ``game`` asks on its way, as long as what is known does not answer it."""
        while requests := game.pending():
            turn = _Turn(game=game, requests=requests)
            for index, request in enumerate(requests):
                known = self._strategies.get(request)
                if known is not None:
                    turn.completions[index] = known
                elif (stream := self._stream(request.model)) is not None:
                    stream.ask((turn, index))
                else:
                    self._phase.append((turn, index))
            if not turn.complete:
                return
            game.feed([turn.completions[index] for index in range(len(requests))])

    def take_one(self) -> bool:
        """Take one answer of a model that streams; False: none is under way.

        Of the model with the most requests: so the requests to others come together, and no model
        computes few rows while others could compute many.
        """
        busy = [stream for stream in self._streams.values() if stream is not None and stream.open]
        if not busy:
            return False
        place, completion = max(busy, key=lambda stream: stream.open).next()
        self._give([(place, completion)])
        return True

    def take_phase(self) -> bool:
        """Ask the other models all that has come up; False: nothing has."""
        places, self._phase = self._phase, []
        answers = ask([turn.requests[index] for turn, index in places], self._models)
        self._give(list(zip(places, answers, strict=True)))
        return bool(places)

    def close(self) -> None:
        """Give up what is under way."""
        for stream in self._streams.values():
            if stream is not None:
                stream.close()

    def _give(self, answers: Sequence[tuple[_Place, Completion]]) -> None:
        """Hand answers to the games, and let those go on that have all of theirs."""
        complete = []
        for (turn, index), completion in answers:
            self._strategies.put(turn.requests[index], completion)
            turn.completions[index] = completion
            if turn.complete:
                complete.append(turn)
        for turn in complete:
            turn.game.feed([turn.completions[index] for index in range(len(turn.requests))])
            self.ask(turn.game)

    def _stream(self, name: str) -> _Stream | None:
        """The stream of the model with this name; None: it does not stream."""
        if name not in self._streams:
            model = self._models.model(name)
            self._streams[name] = _Stream(model) if streams(model) else None
        return self._streams[name]
