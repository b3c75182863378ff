"""The schedule of questions: the next question, its seed and its episode number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from econ_env.questions import Question, QuestionOrder, QuestionSource
from econ_env.questions.base import OrderName, OutOfQuestions
from econ_env.questions.own import own_question


class EpisodeStart(NamedTuple):
    """Starting point of one episode: question, seed and number."""

    question: Question
    env_seed: int
    number: int
    """Number of episodes before this one since the seed was set."""


class Schedule:
    """Seed, order of questions and episode counter for each of B places.

    Place b of a schedule with seed s plays the same episodes as the only place of a schedule with
    seed s + b.
    """

    def __init__(
        self,
        source: QuestionSource,
        *,
        num_questions: int,
        order: OrderName,
        loop: bool,
        seed: int,
    ) -> None:
        self.source = source
        self._num_questions = num_questions
        self._order_name = order
        self._loop = loop
        self._seeds = [0] * num_questions
        self._numbers = [0] * num_questions
        self._orders: list[QuestionOrder | None] = [None] * num_questions
        self.restart(self.seeds_of(range(num_questions), seed))

    def seeds_of(
        self, places: Iterable[int], seed: int | Sequence[int | None] | None
    ) -> dict[int, int]:
        """The new seeds by place, for the places that get one.

        Args:
            places: the places that are about to be reset.
            seed: a number s, which means s + b at place b; or a list of B seeds, None for a place
                that goes on; or None: all places go on.

        Raises:
            ValueError: a seed is no whole number >= 0, or the list does not have B entries.
        """
        if seed is None:
            return {}
        given: Iterable[Any] = [seed]
        if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str | bytes):
            given = seed
        for own in given:
            if own is not None and (not isinstance(own, int | np.integer) or own < 0):
                raise ValueError(
                    f"seed must be a whole number >= 0, or a list of {self._num_questions} of "
                    f"them, got {seed!r}"
                )
        if isinstance(seed, int | np.integer):
            return {place: int(seed) + place for place in places}
        if len(seed) != self._num_questions:
            raise ValueError(
                f"seed lists {len(seed)} seeds for {self._num_questions} places: give one number, "
                "or one for each (None where a place goes on)"
            )
        return {place: int(own) for place in places if (own := seed[place]) is not None}

    def restart(self, seeds: Mapping[int, int]) -> None:
        """Go back to the first episode of each of these places, under its new seed."""
        for place, seed in seeds.items():
            self._seeds[place] = seed
            self._numbers[place] = 0
            self._orders[place] = None

    def next_episodes(self, places: Sequence[int], asked: Any = None) -> list[EpisodeStart]:
        """The next episode of each place.

        Args:
            places: in order, each at most once.
            asked: the option "question": None for the next question of the place's order, a
                question, its index or a text for all places, or a list with one for each of the B
                places. A text is a question without a gold answer. Asking for a question does not
                advance the order.

        Raises:
            OutOfQuestions: a place has asked all its questions and does not loop.
            QuestionError: ``asked`` is an empty text.
            ValueError: ``asked`` is malformed.
        """
        if asked is None:
            questions = self._next_of_each(places)
        elif isinstance(asked, Question | str) or not isinstance(asked, Sequence | np.ndarray):
            questions = [self._find(asked)] * len(places)
        elif len(asked) == self._num_questions:
            questions = [self._find(asked[place]) for place in places]
        else:
            raise ValueError(
                f'options["question"] lists {len(asked)} questions for {self._num_questions} '
                "places: give one for all or one for each"
            )
        episodes = []
        for place, question in zip(places, questions, strict=True):
            episodes.append(EpisodeStart(question, self._seeds[place], self._numbers[place]))
            self._numbers[place] += 1
        return episodes

    def _next_of_each(self, places: Sequence[int]) -> list[Question]:
        """Return the next question of each place; if one has none left, no place goes on."""
        orders = [self._order(place) for place in places]
        before = [order.state for order in orders]
        try:
            return [order.next() for order in orders]
        except OutOfQuestions:
            for order, state in zip(orders, before, strict=True):
                order.state = state
            raise

    def _order(self, place: int) -> QuestionOrder:
        order = self._orders[place]
        if order is None:
            order = QuestionOrder(
                self.source, order=self._order_name, loop=self._loop, seed=self._seeds[place]
            )
            self._orders[place] = order
        return order

    def _find(self, asked: Any) -> Question:
        if isinstance(asked, Question):
            return asked
        if isinstance(asked, str):
            return own_question(asked)
        if not isinstance(asked, int | np.integer) or isinstance(asked, bool):
            raise ValueError(
                f'options["question"] takes a Question, its index or a text, got {asked!r}'
            )
        if asked < 0 or not self._order(0).has(int(asked)):
            raise ValueError(
                f'options["question"] is {asked}, but {self.source.name!r} has the questions '
                f"0 to {len(self.source) - 1}"
            )
        return self.source[int(asked)]
