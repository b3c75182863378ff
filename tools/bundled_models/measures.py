"""Measurements of a bundled model, on questions whose structures it has never seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tqdm import tqdm

from econ_env.game.coordinator_tree import consensus, majority, stands
from econ_env.game.parsing import guard_strategy, parse_commitment
from econ_env.game.prompts import COMPACT
from econ_env.grading.answers import equivalent, extract, is_correct
from econ_env.llm.types import ChatModel, ChatRequest, Message, Role
from econ_env.questions.arithmetic import ArithmeticQuestions, Problem
from econ_env.seeds import derive_seed
from tools.bundled_models.differences import paired_difference
from tools.bundled_models.examples import wrong_value

TEMPERATURES = (0.1, 0.3, 0.5, 0.7, 1.0, 1.3, 1.5, 1.8)
REPETITION_PENALTIES = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5)
TEAM_TEMPERATURE, TEAM_SIZES, TOP_P = 0.7, (3, 5), 0.9
SWEEP_QUESTIONS = 300
"""Number of first questions on which the penalty and the last commitment are varied."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """A model, the problems it is asked, and the plans it made for them."""

    model: ChatModel
    problems: Sequence[Problem]
    seed: int
    bar: tqdm[Any] | None = None
    """Progress bar that counts answered requests; None for none."""

    def ask(
        self,
        role: Role,
        prompts: Sequence[tuple[Message, ...]],
        *,
        temperature: float = 0.0,
        repetition_penalty: float = 1.0,
        sample: int = 0,
    ) -> list[str]:
        """Ask the model and return its replies, in the order of the prompts."""
        completions = self.model.generate(
            [
                ChatRequest(
                    messages=messages,
                    temperature=temperature,
                    repetition_penalty=repetition_penalty,
                    top_p=TOP_P,
                    max_tokens=COMPACT.max_tokens.of(role),
                    seed=derive_seed("exam", self.seed, index, role, temperature.hex(), sample),
                    model=self.model.name,
                    role=role,
                )
                for index, messages in enumerate(prompts)
            ]
        )
        if self.bar is not None:
            self.bar.update(len(prompts))
        failed = [c.error for c in completions if c.error is not None]
        if failed:
            raise RuntimeError(f"{len(failed)} requests failed, the first with: {failed[0]}")
        return [completion.text for completion in completions]

    def plans(self) -> list[str]:
        """Ask for the model's own strategies."""
        texts = self.ask("strategy", [COMPACT.strategy(p.text) for p in self.problems])
        return [guard_strategy(text)[0] for text in texts]

    def solve(
        self,
        plans: Sequence[str],
        *,
        last: Sequence[str | None] | None = None,
        temperature: float = 0.0,
        repetition_penalty: float = 1.0,
        sample: int = 0,
    ) -> list[str]:
        """Ask for responses to the first ``len(plans)`` problems."""
        lasts = last or [None] * len(plans)
        prompts = [
            COMPACT.execute(problem.text, plan, value)
            for problem, plan, value in zip(self.problems, plans, lasts, strict=False)
        ]
        return self.ask(
            "execute",
            prompts,
            temperature=temperature,
            repetition_penalty=repetition_penalty,
            sample=sample,
        )

    def right(self, answers: Sequence[str | None]) -> list[bool]:
        """Grade the answers to the first problems: True where correct."""
        return [
            is_correct(answer, str(problem.answer))
            for answer, problem in zip(answers, self.problems, strict=False)
        ]

    def right_responses(self, responses: Sequence[str]) -> list[bool]:
        """Grade the responses to the first problems: True where the answer is correct."""
        return self.right([extract(response) for response in responses])


def share(right: Sequence[bool]) -> float:
    """Share of True values, rounded for the reports."""
    return round(sum(right) / len(right), 4)


def difference(ours: Sequence[bool], theirs: Sequence[bool]) -> dict[str, float]:
    """Paired difference of two gradings as plain data, rounded for the reports."""
    return {k: round(v, 4) for k, v in asdict(paired_difference(ours, theirs)).items()}


def examine(model: ChatModel, *, n_questions: int, seed: int) -> dict[str, Any]:
    """Measure every number of the model card for one model; return them as plain data."""
    source = ArithmeticQuestions(split="test", seed=seed, size=n_questions)
    problems = [source.problem(index) for index in range(n_questions)]
    with tqdm(desc=f"examine {model.name}", unit="request") as bar:
        return _examine(Exam(model=model, problems=problems, seed=seed, bar=bar))


def _examine(exam: Exam) -> dict[str, Any]:
    problems, n_questions = exam.problems, len(exam.problems)
    own = exam.plans()
    empty, correct = [""] * n_questions, [problem.plan for problem in problems]
    greedy_texts = exam.solve(own)
    greedy = exam.right_responses(greedy_texts)
    alone_texts = exam.solve(empty)
    alone = exam.right_responses(alone_texts)
    planned = exam.right_responses(exam.solve(correct))
    report = {
        "n_questions": n_questions,
        "seed": exam.seed,
        "greedy": share(greedy),
        "greedy_by_steps": _by_steps(problems, greedy),
        "greedy_no_plan": share(alone),
        "greedy_no_plan_by_steps": _by_steps(problems, alone),
        "greedy_correct_plan": share(planned),
        "plan_exact": share([a == b for a, b in zip(own, correct, strict=True)]),
        "correct_plan_over_empty": difference(planned, alone),
        "greedy_answers": [extract(text) for text in greedy_texts],
        "greedy_no_plan_answers": [extract(text) for text in alone_texts],
    }
    report |= _sweeps(exam, own, greedy)
    report |= _commitments(exam, own, greedy)
    return report


def _by_steps(problems: Sequence[Problem], right: Sequence[bool]) -> dict[str, float]:
    return {
        str(steps): share(
            [r for p, r in zip(problems, right, strict=True) if len(p.steps) == steps]
        )
        for steps in sorted({len(problem.steps) for problem in problems})
    }


def _sweeps(exam: Exam, plans: Sequence[str], greedy: Sequence[bool]) -> dict[str, Any]:
    """Measure the accuracy of one response by temperature, penalty and last commitment."""
    by_temperature = {
        t: exam.right_responses(exam.solve(plans, temperature=t, sample=1)) for t in TEMPERATURES
    }
    few = plans[:SWEEP_QUESTIONS]
    wrong = [
        wrong_value(random.Random(derive_seed("wrong", exam.seed, index)), problem)
        for index, problem in enumerate(exam.problems[: len(few)])
    ]
    right = [str(problem.answer) for problem in exam.problems[: len(few)]]
    return {
        "by_temperature": {str(t): share(r) for t, r in by_temperature.items()},
        "fall_from_0.3_to_1.5": difference(by_temperature[0.3], by_temperature[1.5]),
        "by_repetition_penalty": {
            str(p): share(
                exam.right_responses(
                    exam.solve(few, temperature=0.3, repetition_penalty=p, sample=2)
                )
            )
            for p in REPETITION_PENALTIES
        },
        "last_commitment": {
            "none": share(greedy[: len(few)]),
            "right": share(exam.right_responses(exam.solve(few, last=right))),
            "wrong": share(exam.right_responses(exam.solve(few, last=wrong))),
        },
    }


def _commitments(exam: Exam, plans: Sequence[str], greedy: Sequence[bool]) -> dict[str, Any]:
    """Compare both commitment rules with the vote over the same responses and a greedy answer."""
    samples = [
        exam.solve(plans, temperature=TEAM_TEMPERATURE, sample=10 + k)
        for k in range(max(TEAM_SIZES))
    ]
    report: dict[str, Any] = {}
    for size in TEAM_SIZES:
        responses = list(zip(*samples[:size], strict=True))
        answers = [[extract(text) for text in texts] for texts in responses]
        replies = exam.ask(
            "commit",
            [
                COMPACT.commit(problem.text, plan, texts)
                for problem, plan, texts in zip(exam.problems, plans, responses, strict=True)
            ],
        )
        parsed = [parse_commitment(reply) for reply in replies]
        own = exam.right([commitment.value for commitment in parsed])
        # The guarded rule: an answer on which all responses agree stands (``consensus``); else the
        # commitment does, or the majority if no response gave the committed value (``stands``).
        agreed = [consensus(row, equivalent) for row in answers]
        ruled = [stands(c.value, row, equivalent) for c, row in zip(parsed, answers, strict=True)]
        guarded = exam.right(
            [a if a is not None else v for a, (v, _) in zip(agreed, ruled, strict=True)]
        )
        vote = exam.right([majority(row, equivalent) for row in answers])
        right = [exam.right_responses(texts) for texts in samples[:size]]
        report[f"team_of_{size}"] = {
            "one_response": share([r for row in right for r in row]),
            "oracle": share([any(row) for row in zip(*right, strict=True)]),
            "majority": share(vote),
            "guarded": share(guarded),
            "coordinator": share(own),
            "guarded_over_majority": difference(guarded, vote),
            "guarded_over_greedy": difference(guarded, greedy),
            "coordinator_over_majority": difference(own, vote),
            "coordinator_over_greedy": difference(own, greedy),
            "json_rate": share([c.parse_method == "json" for c in parsed]),
            "consensus_rate": share([a is not None for a in agreed]),
            "novel_rate": share([n and a is None for a, (_, n) in zip(agreed, ruled, strict=True)]),
        }
    return report
