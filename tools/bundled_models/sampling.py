"""A solver's own responses to training questions, which its commitments learn to judge.

One line of the samples file is one question. Its plan is the sequence of operations in an answer
that the solver gave without a plan, so that wrong plans are those that this model really makes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from econ_env.game.prompts import COMPACT
from econ_env.llm.local.model import LocalModel
from econ_env.llm.types import ChatRequest
from econ_env.questions.arithmetic import ArithmeticQuestions, Problem
from econ_env.seeds import derive_seed
from tools.bundled_models.examples import boxed_answer, operations_of

QUESTIONS_AT_ONCE = 64
RESPONSES = 6
TEMPERATURES = (0.2, 1.3)
PLAN_TEMPERATURE = 0.3
EMPTY_PLAN_RATE = 0.15
TOP_P = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One sampled response and the answer in it."""

    text: str
    answer: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledQuestion:
    """A training problem, a plan made by the solver, and the responses to it with that plan."""

    problem: Problem
    plan: str
    responses: tuple[Response, ...]


def sample_questions(
    solver: Path, source: ArithmeticQuestions, path: Path, *, n_questions: int, seed: int
) -> None:
    """Append the solver's responses to ``n_questions`` of ``source`` to ``path``.

    A file that is shorter because of an interruption is continued; a cut-off last line is dropped.
    """
    done = len(complete_lines(path))
    if done == n_questions:
        return
    path.write_text("".join(complete_lines(path)), encoding="utf-8")
    model = LocalModel(
        str(solver), name="solver", dtype="float32", max_batch_rows=QUESTIONS_AT_ONCE * RESPONSES
    )
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(total=n_questions, initial=done, desc="sample", unit="question") as bar,
    ):
        while done < n_questions:
            indices = range(done, min(done + QUESTIONS_AT_ONCE, n_questions))
            for index, plan, texts in _sample(model, source, indices, seed):
                file.write(json.dumps({"index": index, "plan": plan, "responses": texts}) + "\n")
            file.flush()
            done = indices.stop
            bar.update(len(indices))
    model.close()


def load_samples(path: Path, source: ArithmeticQuestions) -> list[SampledQuestion]:
    """Load the samples in ``path`` together with their problems."""
    samples = []
    for line in complete_lines(path):
        row = json.loads(line)
        responses = tuple(
            Response(text=text, answer=boxed_answer(text)) for text in row["responses"]
        )
        problem = source.problem(row["index"])
        samples.append(SampledQuestion(problem=problem, plan=row["plan"], responses=responses))
    return samples


def complete_lines(path: Path) -> list[str]:
    """Read the lines of a samples file, without a last line that a killed process cut off."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]


def _sample(
    model: LocalModel, source: ArithmeticQuestions, indices: Sequence[int], seed: int
) -> list[tuple[int, str, list[str]]]:
    """Sample the questions at ``indices``: index, plan and response texts of each."""
    generators = [random.Random(derive_seed("sample", seed, index)) for index in indices]
    texts = [source.problem(index).text for index in indices]
    drafts = model.generate(
        [
            _request(text, "", PLAN_TEMPERATURE, rng)
            for text, rng in zip(texts, generators, strict=True)
        ]
    )
    plans = [
        "" if rng.random() < EMPTY_PLAN_RATE else ", ".join(operations_of(draft.text))
        for draft, rng in zip(drafts, generators, strict=True)
    ]
    responses = model.generate(
        [
            _request(text, plan, rng.uniform(*TEMPERATURES), rng)
            for text, plan, rng in zip(texts, plans, generators, strict=True)
            for _ in range(RESPONSES)
        ]
    )
    return [
        (index, plan, [r.text for r in responses[i * RESPONSES : (i + 1) * RESPONSES]])
        for i, (index, plan) in enumerate(zip(indices, plans, strict=True))
    ]


def _request(text: str, plan: str, temperature: float, rng: random.Random) -> ChatRequest:
    return ChatRequest(
        messages=COMPACT.execute(text, plan),
        temperature=temperature,
        top_p=TOP_P,
        max_tokens=COMPACT.max_tokens.execute,
        seed=rng.getrandbits(31),
        model="solver",
        role="execute",
    )
