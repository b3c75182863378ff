"""A conclusion without a call is worth as much as one of the coordinator."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from econ_env import EconParallelEnv
from econ_env.game.prompts import COMPACT, DEFAULT, PromptSet
from econ_env.game.transcript import CommitmentRecord, DecisionRecord
from econ_env.llm import ChatRequest, Completion
from econ_env.questions import Question
from econ_env.questions.arithmetic import ArithmeticQuestions, Problem
from tests.scripted import CALM, Script, completion, new_game

PROBLEM: Problem = ArithmeticQuestions(steps=(3,)).problem(0)
RIGHT = PROBLEM.solution
SLIP = PROBLEM.answer + 5
WRONG = rf"{PROBLEM.steps[0]} ; {PROBLEM.answer} + 5 = {SLIP} ; \boxed{{{SLIP}}}"


class OneProblem:
    """A source of ``PROBLEM`` alone."""

    name = "one"

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Question:
        return Question(id="one-0", text=PROBLEM.text, gold=str(PROBLEM.answer))


class Speaker:
    """A model that always says the same, and concludes with the right solution."""

    context_limit: int | None = None

    def __init__(self, name: str, response: str) -> None:
        self.name = name
        self._response = response

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [Completion(text=self._reply(request)) for request in requests]

    def _reply(self, request: ChatRequest) -> str:
        if request.role == "commit":
            steps = RIGHT.rpartition(" ; ")[0]
            return json.dumps({"reason": steps, "value": str(PROBLEM.answer), "confidence": 0.67})
        return "add" if request.role == "strategy" else self._response

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def settled(*responses: str, prompts: PromptSet = COMPACT) -> DecisionRecord:
    """The one decision of a guarded team whose executors say ``responses``."""
    env = EconParallelEnv(
        dataset=OneProblem(),
        llm=[Speaker(f"speaker-{k}", response) for k, response in enumerate(responses)],
        prompts=prompts,
        commitment_rule="guarded",
        embedder="hashing",
        n_agents=len(responses),
    )
    env.reset(seed=0)
    env.step(dict.fromkeys(env.possible_agents, np.zeros(2, dtype=np.float32)))
    (decision,) = env.transcript.decisions
    env.close()
    return decision


def team_reward(decision: DecisionRecord) -> float:
    assert decision.rewards is not None
    return decision.rewards.team


@pytest.mark.parametrize("prompts", [COMPACT, DEFAULT], ids=lambda prompts: str(prompts.name))
def test_a_team_that_agrees_is_paid_at_least_as_much_as_one_with_a_wrong_member(
    prompts: PromptSet,
) -> None:
    unanimous = settled(RIGHT, RIGHT, RIGHT, prompts=prompts)
    divided = settled(RIGHT, RIGHT, WRONG, prompts=prompts)
    assert not unanimous.rounds[0].commitments[-1].called
    assert divided.rounds[0].commitments[-1].called
    assert team_reward(unanimous) >= team_reward(divided)
    assert unanimous.rewards is not None
    assert divided.rewards is not None
    for component in ("TS", "AL"):
        pairs = zip(
            unanimous.rewards.components[component],
            divided.rewards.components[component],
            strict=True,
        )
        assert all(agreed >= other - 1e-6 for agreed, other in pairs), component


def test_equal_responses_are_as_close_to_their_commitment_as_texts_can_be() -> None:
    rewards = settled(RIGHT, RIGHT, RIGHT).rewards
    assert rewards is not None
    assert rewards.components["AL"] == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


def test_a_consensus_speaks_with_the_words_of_the_first_member() -> None:
    other_way = rf"another way ; \boxed{{{PROBLEM.answer}}}"
    record = settled(RIGHT, other_way, RIGHT).rounds[0].commitments[-1]
    assert record.text == RIGHT
    assert record.reason == RIGHT.rpartition(" ; ")[0]
    assert (record.value, record.called, record.parse_method) == (
        str(PROBLEM.answer),
        False,
        "consensus",
    )


def test_above_the_groups_a_consensus_speaks_with_the_first_groups_reason() -> None:
    game = new_game(n_agents=4, group_size=2, commitment_rule="guarded")
    script = Script([], [])
    script.answer_all(game)
    game.act([CALM] * 4)
    texts = [r"1 + 6 = 7 ; \boxed{7}", r"1 + 7 = 8 ; \boxed{8}", r"2 + 5 = 7 ; \boxed{7}"]
    game.feed([completion(text) for text in (*texts, texts[2])])
    game.feed([completion('{"reason": "I count 7", "value": "7"}')])
    (played,) = game.transcript.rounds()
    records = played.commitments
    assert [record.called for record in records] == [True, False, False]
    assert [record.reason for record in records] == ["I count 7", "2 + 5 = 7", "I count 7"]


# Rule "majority"


def concluded(answers: Sequence[str | None], value: str) -> tuple[CommitmentRecord, Script]:
    """The commitment of a team that gave these answers, and what was asked for it."""
    script = Script([answers], [value])
    game = new_game(commitment_rule="majority", n_agents=len(answers))
    script.play_round(game, *[CALM] * len(answers))
    return game.transcript.decisions[-1].rounds[-1].commitments[-1], script


def asked(script: Script) -> int:
    return sum(request.role == "commit" for request in script.requests)


@pytest.mark.parametrize("answers", [["8", "7", "7"], ["7", None, "7.0"], ["7", "7", "7"]])
def test_an_answer_of_more_than_half_of_the_team_stands_without_a_call(
    answers: list[str | None],
) -> None:
    record, script = concluded(answers, "8")
    assert asked(script) == 0
    assert record.value == "7"
    assert not record.called
    assert not record.novel
    assert "3 + 4" in record.reason
    unanimous = set(answers) == {"7"}
    assert record.parse_method == ("consensus" if unanimous else "majority")
    assert record.checklist == {"agree": unanimous}
    assert record.confidence == pytest.approx(1.0 if unanimous else 2 / 3)


@pytest.mark.parametrize("answers", [["8", "7", "9"], ["7", None, "8"], ["7", None, None]])
def test_a_divided_team_is_concluded_by_its_coordinator(answers: list[str | None]) -> None:
    record, script = concluded(answers, "7")
    assert asked(script) == 1
    assert record.value == "7"
    assert record.called


def test_half_of_a_team_is_no_majority() -> None:
    record, script = concluded(["7", "7", "8", "9"], "8")
    assert asked(script) == 1
    assert record.value == "8"


def test_a_divided_team_keeps_its_own_answers_where_the_coordinator_invents_one() -> None:
    record, _ = concluded(["8", "7", "9"], "10")
    assert (record.value, record.novel) == ("8", True)


# Copies of the prompt


def example_of(prompts: PromptSet) -> str:
    """The JSON object that the coordinator's instructions show."""
    task = prompts.commit("q", "s", ["five"])[0].content
    return task[task.index('{"reason"') : task.index("}}") + 2]


@pytest.mark.parametrize("rule", ["coordinator", "guarded"])
def test_a_coordinator_that_repeats_the_example_says_nothing(rule: str) -> None:
    game = new_game(commitment_rule=rule, prompts=DEFAULT)
    script = Script([["8", "7", "8"]], [])
    script.answer_all(game)
    game.act([CALM] * 3)
    game.feed(script.complete(game.pending()))
    game.feed([completion(example_of(DEFAULT))])
    record = game.transcript.decisions[-1].rounds[-1].commitments[-1]
    assert record.parse_method == "copied"
    assert record.value == (None if rule == "coordinator" else "8")


def test_a_value_that_is_a_placeholder_of_the_prompt_is_none() -> None:
    game = new_game(prompts=DEFAULT)
    script = Script([["8", "7", "8"]], [])
    script.answer_all(game)
    game.act([CALM] * 3)
    game.feed(script.complete(game.pending()))
    game.feed([completion('{"reason": "checked", "value": "the final answer alone"}')])
    assert game.transcript.decisions[-1].rounds[-1].commitments[-1].value is None
