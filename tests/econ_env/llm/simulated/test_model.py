"""The simulated model, asked through real requests."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.game.parsing import guard_strategy, parse_commitment
from econ_env.game.prompts import COMPACT
from econ_env.llm.simulated.coordinator import CHECK, chance_of, choose, tally
from econ_env.llm.simulated.model import SimulatedModel
from econ_env.llm.simulated.skill import PULL, SKILLS, accuracy, sharing
from econ_env.llm.types import ChatModel, ChatRequest, Completion, Message, ModelError, Role
from econ_env.questions.simulated import (
    CORRECT,
    KINDS,
    MISCONCEPTION,
    SimulatedQuestions,
    SimulatedTask,
    read_task,
)

QUESTIONS = SimulatedQuestions(size=30)
PLAN = "multiply, then add"


def test_it_is_a_chat_model() -> None:
    model = SimulatedModel("simulated:1")
    assert isinstance(model, ChatModel)
    assert model.name == "simulated:1"
    assert model.count_tokens("12 * 7 = 84") == 5
    model.close()
    model.close()


@pytest.mark.parametrize("name", ["simulated", "simulated:", "simulated:x", "bundled:0", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="simulated:coordinator"):
        SimulatedModel(name)


def test_the_strategy_names_the_operations_and_leaks_nothing() -> None:
    model = SimulatedModel("simulated:coordinator")
    for i, kind in enumerate(KINDS):
        (completion,) = model.generate([_request(COMPACT.strategy(QUESTIONS[i].text), "strategy")])
        assert completion.text == kind.plan
        assert guard_strategy(completion.text) == (kind.plan, False)
        local = COMPACT.local_strategy(QUESTIONS[i].text, kind.plan)
        assert model.generate([_request(local, "local_strategy")])[0].text == kind.plan


def test_a_response_is_one_of_the_solutions_of_the_question() -> None:
    completions = _solve([(0, seed) for seed in range(200)], temperature=1.0)
    assert {completion.text for completion in completions} <= set(_task(0).solutions)
    assert len({completion.text for completion in completions}) > 3


def test_the_frequency_of_correct_and_shared_answers_is_the_documented_probability() -> None:
    pairs = [(index, seed) for index in range(0, 30, 3) for seed in range(2000)]
    for temperature in (0.5, 0.9):
        completions = _solve(pairs, temperature=temperature, penalty=1.05)
        correct = misled = 0
        for (index, _), completion in zip(pairs, completions, strict=True):
            outcome = _task(index).solutions.index(completion.text)
            correct += outcome == CORRECT
            misled += outcome == MISCONCEPTION
        a = accuracy(SKILLS[0], 0, temperature, 1.05)
        # 20,000 draws: five standard errors are at most 0.018.
        assert correct / len(pairs) == pytest.approx(a, abs=0.018)
        assert misled / len(pairs) == pytest.approx((1 - a) * sharing(temperature), abs=0.018)


def test_two_executors_err_alike_when_cold_and_differently_when_hot() -> None:
    agreement = []
    for temperature in (0.3, 0.9, 1.8):
        first = _solve([(2, seed) for seed in range(3000)], temperature=temperature)
        second = _solve(
            [(2, seed) for seed in range(3000, 6000)], temperature=temperature, profile=1
        )
        right = _task(2).solutions[CORRECT]
        errors = [
            one.text == two.text
            for one, two in zip(first, second, strict=True)
            if right not in (one.text, two.text)
        ]
        agreement.append(sum(errors) / len(errors))
    assert agreement[0] > 0.99
    assert agreement[0] > agreement[1] + 0.2 > agreement[2] + 0.2
    # Independent slips still coincide now and then.
    assert agreement[2] == pytest.approx(1 / 5, abs=0.05)


def test_a_reply_depends_on_its_own_request_only() -> None:
    requests = _mixed_requests()
    alone = [SimulatedModel("simulated:0").generate([request])[0] for request in requests]
    order = list(range(len(requests)))
    random.Random(0).shuffle(order)
    shuffled = SimulatedModel("simulated:0").generate([requests[i] for i in order])
    assert [shuffled[order.index(i)] for i in range(len(requests))] == alone
    assert SimulatedModel("simulated:0").generate(requests) == alone


def test_replies_vary_with_the_seed() -> None:
    prompt = COMPACT.execute(QUESTIONS[0].text, PLAN)
    texts = {_ask(_request(prompt, "execute", seed=seed)).text for seed in range(50)}
    assert len(texts) > 1


def test_replies_are_the_same_on_every_machine_and_in_every_version() -> None:
    """A change here changes every experiment on the simulator: say so in the changelog."""
    text = "A shop orders 24 boxes of 3 pens and 59 single pens. How many pens does it order?"
    prompt = COMPACT.execute(text, PLAN)
    requests = [
        _request(prompt, "execute", seed=seed, temperature=0.95) for seed in (*range(9), 2**31 - 1)
    ]
    replies = SimulatedModel("simulated:0").generate(requests)
    answers = [reply.text.rpartition("{")[2].rstrip("}") for reply in replies]
    assert answers == "129 131 131 134 131 131 131 130 131 130".split()


def test_executors_are_pulled_to_the_last_commitment() -> None:
    task, count = _task(1), 4000
    slip = task.answers[4]

    def share(last: str | None) -> float:
        prompt = COMPACT.execute(QUESTIONS[1].text, PLAN, last)
        requests = [
            _request(prompt, "execute", seed=seed, temperature=0.4) for seed in range(count)
        ]
        replies = SimulatedModel("simulated:1").generate(requests)
        return sum(reply.text == task.solutions[4] for reply in replies) / count

    assert share(slip) - share(None) == pytest.approx(PULL, abs=0.03)
    assert share("not an answer") == share(None)


def test_the_coordinator_commits_to_the_plurality_with_the_reason_first() -> None:
    task = _task(0)
    reply = _commit(0, [task.solutions[k] for k in (3, 1, 3)])
    assert reply.startswith('{"reason": ')
    commitment = parse_commitment(reply)
    assert commitment.parse_method == "json"
    assert commitment.value == task.answers[3]
    assert commitment.confidence == 0.67
    assert commitment.checklist["agree"] is False
    assert parse_commitment(_commit(0, [task.solutions[0]] * 3)).checklist["agree"] is True


def test_a_commitment_embeds_like_the_response_it_is_taken_from() -> None:
    """The exact game relies on it."""
    for index in range(6):
        for solution in _task(index).solutions:
            commitment = parse_commitment(_commit(index, [solution] * 2))
            assert COMPACT.conclusion(commitment.value, commitment.reason) == solution


def test_a_tie_is_broken_by_a_check_and_else_by_chance() -> None:
    task, count = _task(0), 6000
    for outcomes in ((1, 2, 0), (0, 1, 2)):
        responses = [task.solutions[k] for k in outcomes]
        values = [parse_commitment(_commit(0, responses, seed)).value for seed in range(count)]
        expected = {0: CHECK + (1 - CHECK) / 3, 1: (1 - CHECK) / 3, 2: (1 - CHECK) / 3}
        for outcome, chance in expected.items():
            assert values.count(task.answers[outcome]) / count == pytest.approx(chance, abs=0.03)


@given(
    answers=st.lists(st.sampled_from("abc") | st.none(), max_size=6), correct=st.sampled_from("abc")
)
def test_chances_of_values_are_those_of_the_choice(answers: list[str | None], correct: str) -> None:
    votes = tally(answers)
    draws = 400
    chosen = Counter(choose(votes, correct, (k + 0.5) / draws) for k in range(draws))
    chances = chance_of(votes, correct)
    assert sum(chances.values()) == pytest.approx(1 if votes.leaders else 0)
    for value, chance in chances.items():
        assert chosen[value] / draws == pytest.approx(chance, abs=2.01 / draws)


def test_without_any_answer_there_is_no_value() -> None:
    commitment = parse_commitment(_commit(0, ["I do not know", "..."]))
    assert commitment.value is None
    assert commitment.confidence == 0.0


def test_one_request_that_cannot_be_read_does_not_lose_the_others() -> None:
    good = _request(COMPACT.execute(QUESTIONS[0].text, PLAN), "execute")
    alien = _request(COMPACT.execute("What is the capital of France?", PLAN), "execute")
    model = SimulatedModel("simulated:0")
    first, failed, last = model.generate([good, alien, good])
    assert first == last
    assert first.error is None
    assert failed.finish_reason == "error"
    assert failed.error is not None
    assert "dataset='simulated'" in failed.error
    assert "capital of France" in failed.error


@pytest.mark.parametrize("role", ["strategy", "execute", "commit"])
def test_prompts_of_another_set_are_reported(role: Role) -> None:
    system = Message(role="system", content="You are an expert.")
    user = Message(role="user", content=f"Question: {QUESTIONS[0].text}")
    for messages in ((system, user), (user,), ()):
        assert _ask(_request(messages, role)).error is not None


def test_the_coordinator_has_no_skill_and_says_so() -> None:
    request = _request(COMPACT.execute(QUESTIONS[0].text, PLAN), "execute")
    (completion,) = SimulatedModel("simulated:coordinator").generate([request])
    assert completion.error is not None
    assert "simulated:0" in completion.error


@pytest.mark.parametrize("max_tokens", [0, 1, 5])
def test_a_reply_over_the_limit_is_cut_and_says_so(max_tokens: int) -> None:
    prompt = COMPACT.execute(QUESTIONS[0].text, PLAN)
    whole = _ask(_request(prompt, "execute"))
    cut = _ask(_request(prompt, "execute", max_tokens=max_tokens))
    assert (whole.finish_reason, cut.finish_reason) == ("stop", "length")
    assert whole.text.startswith(cut.text)
    assert SimulatedModel().count_tokens(cut.text) == max_tokens
    assert cut.usage.completion_tokens == max_tokens
    assert cut.usage.prompt_tokens == whole.usage.prompt_tokens


def test_usage_counts_the_tokens_of_prompt_and_reply() -> None:
    model = SimulatedModel()
    for request in _mixed_requests():
        (completion,) = model.generate([request])
        prompt = request.messages[0].content
        assert completion.usage.prompt_tokens == model.count_tokens(prompt)
        assert completion.usage.completion_tokens == model.count_tokens(completion.text)
        assert completion.usage.requests == 1


def _task(index: int) -> SimulatedTask:
    task = read_task(QUESTIONS[index].text)
    assert task is not None
    return task


def _request(
    messages: tuple[Message, ...],
    role: Role,
    *,
    seed: int = 0,
    temperature: float = 0.7,
    penalty: float = 1.0,
    max_tokens: int = 160,
) -> ChatRequest:
    return ChatRequest(
        messages=messages,
        temperature=temperature,
        repetition_penalty=penalty,
        top_p=0.9,
        max_tokens=max_tokens,
        seed=seed,
        model="simulated:0",
        role=role,
    )


def _ask(request: ChatRequest) -> Completion:
    return SimulatedModel("simulated:0").generate([request])[0]


def _solve(
    pairs: list[tuple[int, int]], *, temperature: float, penalty: float = 1.0, profile: int = 0
) -> list[Completion]:
    """Responses to (index of the question, seed)."""
    requests = [
        _request(
            COMPACT.execute(QUESTIONS[index].text, PLAN),
            "execute",
            seed=seed,
            temperature=temperature,
            penalty=penalty,
        )
        for index, seed in pairs
    ]
    return SimulatedModel(f"simulated:{profile}").generate(requests)


def _commit(index: int, responses: list[str], seed: int = 0) -> str:
    prompt = COMPACT.commit(QUESTIONS[index].text, PLAN, responses)
    return _ask(_request(prompt, "commit", seed=seed)).text


def _mixed_requests() -> list[ChatRequest]:
    requests = []
    for index in range(9):
        text, solutions = QUESTIONS[index].text, _task(index).solutions
        requests += [
            _request(COMPACT.strategy(text), "strategy", seed=index),
            _request(COMPACT.execute(text, PLAN), "execute", seed=index + 100, temperature=1.2),
            _request(COMPACT.execute(text, PLAN, "7"), "execute", seed=index + 200),
            _request(COMPACT.commit(text, PLAN, solutions[1:4]), "commit", seed=index + 300),
        ]
    return requests
