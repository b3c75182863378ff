"""Properties of every game, whatever the models write and the executors decide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from econ_env.game.prompts import COMPACT, DEFAULT
from econ_env.game.state_machine import Game, GameConfig, ModelLimits, Phase
from econ_env.game.transcript import DecisionRecord, Transcript
from econ_env.llm.types import ChatRequest, Completion, Usage
from econ_env.sampling_action import SamplingAction
from tests.scripted import CALM, QUESTION, SPENT, WILD, boxed, commitment, config, rewards

ANSWERS = st.none() | st.sampled_from(["7", "7.0", "8", "9"])
TEXTS = (
    ANSWERS.map(boxed)
    | ANSWERS.map(commitment)
    | st.sampled_from(["", "A2: 7\nplan: 9", "</response_1>", "9 " * 3000, "The answer is 7"])
    | st.text(max_size=20)
)
COMPLETIONS = st.builds(
    Completion, text=TEXTS, usage=st.just(SPENT), finish_reason=st.sampled_from(["stop", "length"])
)
CONFIGS = st.builds(
    lambda n_agents, limit, **changes: config(
        n_agents=n_agents,
        limits={"m": ModelLimits(context_limit=limit, count_tokens=len)},
        **changes,
    ),
    st.integers(1, 7),
    st.sampled_from([None, 4000, 2500]),
    group_size=st.none() | st.integers(2, 4),
    bne_rounds=st.integers(1, 4),
    max_rounds=st.integers(1, 3),
    commitment_rule=st.sampled_from(["coordinator", "guarded", "majority", "checked"]),
    prompts=st.sampled_from([COMPACT, DEFAULT]),
)


class AnyGame(RuleBasedStateMachine):
    """A driver that does at random what the game allows, on two equal games at once."""

    game: Game
    twin: Game
    config: GameConfig

    @initialize(config=CONFIGS, env_seed=st.integers(0, 3), episode=st.integers(0, 3))
    def start(self, config: GameConfig, env_seed: int, episode: int) -> None:
        self.config = config
        self.game = Game(config, QUESTION, env_seed=env_seed, episode=episode)
        self.twin = Game(config, QUESTION, env_seed=env_seed, episode=episode)
        self.requests: list[ChatRequest] = []
        self.spent = Usage()
        self.settled = 0

    @precondition(lambda self: self.game.pending())
    @rule(data=st.data(), failing=st.integers(0, 60))
    def answer(self, data: st.DataObject, failing: int) -> None:
        asked = self.game.pending()
        replies = [data.draw(COMPLETIONS) for _ in asked]
        if failing == 0:
            replies[-1] = Completion.failure("timed out", SPENT)
        self.requests += asked
        self.spent = sum((reply.usage for reply in replies), self.spent)
        self.game.feed(replies)
        self.twin.feed(replies)
        if failing == 0:
            assert self.game.closed_by == "failed"

    @precondition(lambda self: self.game.awaiting_actions)
    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        before = self.game.round
        n_agents = self.config.n_agents
        actions: list[SamplingAction] = data.draw(
            st.lists(st.sampled_from([CALM, WILD]), min_size=n_agents, max_size=n_agents)
        )
        unmoved = before > 0 and tuple(actions) == self.game.actions
        self.game.act(actions)
        self.twin.act(actions)
        if unmoved:
            assert (self.game.closed_by, self.game.pending()) == ("no_deviation", [])
        elif not self.game.failed:
            assert len(self.game.pending()) == n_agents
        assert self.game.round == before

    @precondition(lambda self: self.game.phase is Phase.SETTLE)
    @rule()
    def settle(self) -> None:
        self.game.settle(rewards(self.config.n_agents))
        self.twin.settle(rewards(self.config.n_agents))
        self.settled += 1

    @precondition(lambda self: self.game.done)
    @rule()
    def find_nothing_to_do_at_the_end(self) -> None:
        for call in (
            lambda: self.game.feed([]),
            lambda: self.game.act([CALM] * self.config.n_agents),
            lambda: self.game.settle(rewards(self.config.n_agents)),
        ):
            with pytest.raises(RuntimeError):
                call()

    @invariant()
    def pending_requests_are_stable_and_equal_in_equal_games(self) -> None:
        asked = self.game.pending()
        assert self.game.pending() == asked == self.twin.pending()
        assert json.dumps([r.to_json() for r in asked]) == json.dumps(
            [r.to_json() for r in self.twin.pending()]
        )

    @invariant()
    def exactly_one_thing_is_to_be_done(self) -> None:
        choices = [
            bool(self.game.pending()),
            self.game.awaiting_actions,
            self.game.phase is Phase.SETTLE,
            self.game.done,
        ]
        assert sum(choices) == 1

    @invariant()
    def counters_stay_in_their_ranges(self) -> None:
        game = self.game
        assert game.decision == self.settled <= self.config.max_rounds
        assert game.round <= self.config.bne_rounds
        assert game.usage == self.spent
        ended = game.decision == self.config.max_rounds
        assert game.done == (ended or game.failed is not None)
        assert (game.failed is not None) == (game.closed_by == "failed")

    @invariant()
    def every_request_has_its_own_seed_and_fits(self) -> None:
        seeds = [request.seed for request in self.requests]
        assert len(set(seeds)) == len(seeds)
        limit = self.config.limits["m"].context_limit
        for request in self.game.pending():
            assert 0 <= request.seed < 2**31
            size = sum(len(message.content) for message in request.messages)
            assert limit is None or size + request.max_tokens <= limit

    @invariant()
    def the_transcript_tells_it_all_and_survives_json(self) -> None:
        transcript = self.game.transcript
        assert Transcript.from_json(json.loads(json.dumps(transcript.to_json()))) == transcript
        paid = [decision.rewards is not None for decision in transcript.decisions]
        assert sum(paid) == self.settled
        assert paid == sorted(paid, reverse=True)
        for decision in transcript.decisions[: self.settled]:
            check_reason(decision, self.config)


def check_reason(decision: DecisionRecord, config: GameConfig) -> None:
    """The reported reason holds, and no decision went on after it had to close."""

    def equal(first: str | None, second: str | None) -> bool:
        return first is not None and second is not None and config.equivalent(first, second)

    values = [played.commitments[-1].value for played in decision.rounds]
    full = len(values) == config.bne_rounds
    repeated = len(values) > 1 and equal(values[-2], values[-1])
    swings = len(values) > 2 and equal(values[-3], values[-1])
    expected: Any = (
        "bne_rounds"
        if full
        else "commitment_repeated"
        if repeated
        else "oscillation"
        if swings
        else "no_deviation"
    )
    assert decision.closed_by == expected
    for last in range(2, len(values)):
        assert not equal(values[last - 2], values[last - 1])


def test_random_play_keeps_every_invariant() -> None:
    run_state_machine_as_test(
        AnyGame, settings=settings(max_examples=40, stateful_step_count=20, deadline=None)
    )
