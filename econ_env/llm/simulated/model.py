r"""A simulated team of language models, for work on algorithms: exact, instant and free.

The simulator answers the same :class:`~econ_env.llm.types.ChatRequest` objects as any other model
and has no other input. It reads the ``COMPACT`` prompts and plays the questions of
``dataset="simulated"`` (:mod:`econ_env.questions.simulated`).

**Executors** (``simulated:k``, skill profile k mod 3). T is the temperature, p the repetition
penalty, j the kind of the question, k the profile, m = 5 the number of slips::

    accuracy  a(T, p) = FLOOR + (peak_kj - FLOOR) exp(-(T - T_kj)^2 / 2 WIDTH_T^2
                                                      -(p - p_kj)^2 / 2 WIDTH_P^2)
    sharing   s(T)    = 1 / (1 + (T / SHARING_T)^SHARING_SLOPE)

    P(correct) = a,   P(misconception) = (1 - a) s,   P(slip x) = (1 - a)(1 - s) / m

A question's *misconception* is one fixed wrong solution, the same for all executors; slips differ.
So wrong answers are shared at low T and independent at high T. If the prompt holds a last
commitment, an executor repeats it with probability PULL if it is one of the question's solutions,
and otherwise answers as above. The strategy does not change the executors' answers.

**Coordinator** (``simulated:coordinator``; any simulated model plays the role). Its strategy names
the operations. Its commitment is the plurality of the answers. Among several leading answers it
identifies the correct one with probability CHECK, and otherwise takes any of them
(:mod:`econ_env.llm.simulated.coordinator`).

**Randomness.** Each request has one uniform number, a function of its seed only (splitmix64).
A reply thus never depends on the batch, the order, or earlier calls. Temperature 0 is not greedy
decoding here, only the coldest setting; ``top_p`` has no effect.

**The resulting game.** Executors are mostly more accurate when cold, but cold errors are shared,
and two shared errors outvote a correct answer. So one executor has to explore, at the cost of its
own accuracy. For every kind of question there is one executor without that cost: its accuracy peaks
at T = 1.15. Exact values for three executors (``solve()``: default weights, ``hashing`` embedder,
split ``test``; team reward and P(commit correct))::

    actions drawn uniformly                      0.639   0.43
    equilibrium, same action for every kind      0.698   0.49    all cold: none explores
    middle of the box                            0.727   0.64
    optimum with one temperature for all         0.743   0.67
    optimum, same action for every kind          0.761   0.71    one explores, two stay cold
    optimum with one temperature per kind        0.759   0.70
    equilibrium of policies that see the kind    0.846   0.88
    optimum of policies that see the kind        0.846   0.88

Three executors of equal skill (``solve((0, 0, 0))``) show coordination by itself: 0.753 with
different temperatures, in any order; 0.741 at the best common one; 0.706 in equilibrium.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from econ_env.llm.simulated.coordinator import choose, commitment_text, read_response, tally
from econ_env.llm.simulated.payoffs import SimulatedGame
from econ_env.llm.simulated.skill import draw_outcome, skill_of
from econ_env.llm.simulated.solution import (
    SimulatedSolution,
    best_response,
    equilibria,
    nash_conv,
    optimum,
    solve,
)
from econ_env.llm.types import ChatRequest, Completion, ModelError, Role, Usage
from econ_env.questions.simulated import CORRECT, SimulatedTask, read_task

__all__ = [
    "SimulatedGame",
    "SimulatedModel",
    "SimulatedSolution",
    "best_response",
    "equilibria",
    "nash_conv",
    "optimum",
    "solve",
]

_NAME = re.compile(r"simulated:([0-9]+|coordinator)")
_ANSWER_LINE = re.compile(r"A[1-9][0-9]*: ")
_WORD = re.compile(r"\w+|[^\w\s]")
_MASK = (1 << 64) - 1


class SimulatedModel:
    """One simulated model; implements :class:`~econ_env.llm.types.ChatModel`.

    Stateless: equal requests always get equal completions. A request in another format (another
    data set, other prompts) gets a failed completion with a message.

    Args:
        name: ``"simulated:k"`` with a skill profile number k, or ``"simulated:coordinator"``,
            which plans and concludes but does not solve.

    Raises:
        ModelError: the name is none of these.
    """

    context_limit: int | None = None

    def __init__(self, name: str = "simulated:0") -> None:
        match = _NAME.fullmatch(name)
        if match is None:
            raise ModelError(
                f"no simulated model is called {name!r}: use 'simulated:0', 'simulated:1', "
                "'simulated:2' or 'simulated:coordinator'"
            )
        self.name = name
        self._skill = None if match[1] == "coordinator" else skill_of(int(match[1]))
        self._reply: dict[Role, Callable[[ChatRequest], Completion]] = {
            "strategy": _plan,
            "local_strategy": _plan,
            "execute": self._solve,
            "local_commit": _commit,
            "commit": self._conclude,
        }

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in order."""
        return [self._generate(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        """Return the number of words, numbers and punctuation marks of ``text``."""
        return _count_tokens(text)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _generate(self, request: ChatRequest) -> Completion:
        if len(request.messages) != 1:
            return _not_understood(request)
        completion = self._reply[request.role](request)
        if completion.usage.completion_tokens > request.max_tokens:
            return _shortened(completion, request.max_tokens)
        return completion

    def _conclude(self, request: ChatRequest) -> Completion:
        # Under the rule "casting_vote" a coordinator gets the prompt of its executors.
        solves = request.messages[0].content.startswith("solve: ")
        return self._solve(request) if solves else _commit(request)

    def _solve(self, request: ChatRequest) -> Completion:
        if self._skill is None:
            return Completion.failure(
                f"{self.name} has no skill profile and cannot be an executor: use 'simulated:0'"
            )
        prompt = _read_execute(request.messages[0].content)
        if prompt is None:
            return _not_understood(request)
        outcome = draw_outcome(
            self._skill,
            prompt.task.kind,
            request.temperature,
            request.repetition_penalty,
            last=prompt.last,
            uniform=_uniform(request.seed),
        )
        return prompt.replies[outcome]


@dataclass(frozen=True, kw_only=True, slots=True)
class _ExecutePrompt:
    """A parsed prompt for executors, with every possible reply."""

    task: SimulatedTask
    last: int | None
    """Outcome of the last commitment; None without one, or if it is not one of the outcomes."""
    replies: tuple[Completion, ...]
    """One reply for each outcome."""


def _uniform(seed: int) -> float:
    """Return a number in [0, 1) from a seed: the output function of splitmix64, its top 53 bits."""
    bits = (seed + 1) * 0x9E3779B97F4A7C15 & _MASK
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return ((bits ^ bits >> 31) >> 11) * 2.0**-53


def _plan(request: ChatRequest) -> Completion:
    return _plan_for(request.messages[0].content) or _not_understood(request)


@lru_cache(maxsize=8192)
def _plan_for(content: str) -> Completion | None:
    task = _task_in(content.split("\n", 1)[0], "plan: ")
    return None if task is None else _completion(content, task.plan)


@lru_cache(maxsize=16384)
def _read_execute(content: str) -> _ExecutePrompt | None:
    first, *rest = content.split("\n")
    task = _task_in(first, "solve: ")
    if task is None:
        return None
    last = None
    for line in rest:
        if line.startswith("last: ") and line.removeprefix("last: ") in task.answers:
            last = task.answers.index(line.removeprefix("last: "))
    replies = tuple(_completion(content, solution) for solution in task.solutions)
    return _ExecutePrompt(task=task, last=last, replies=replies)


def _commit(request: ChatRequest) -> Completion:
    first, *rest = request.messages[0].content.split("\n")
    task = _task_in(first, "commit: ")
    if task is None:
        return _not_understood(request)
    lines = [_read_line(line) for line in rest]
    responses = [line.response for line in lines if line.response is not None]
    votes = tally([answer for _, answer in responses])
    value = choose(votes, task.answers[CORRECT], _uniform(request.seed))
    reason = next((steps for steps, answer in responses if answer == value), "no response")
    text = commitment_text(reason, value, votes.votes, votes.voters)
    # Line by line, because lines recur, while whole prompts rarely do.
    tokens = _count_tokens(first) + sum([line.tokens for line in lines])
    return Completion(text=text, usage=_usage(tokens, text))


class _Line(NamedTuple):
    """One line of a prompt for commitments."""

    tokens: int
    response: tuple[str, str | None] | None
    """Worked steps and answer of the executor's response that the line holds, if any."""


@lru_cache(maxsize=32768)
def _read_line(line: str) -> _Line:
    match = _ANSWER_LINE.match(line)
    response = None if match is None else read_response(line[match.end() :])
    return _Line(_count_tokens(line), response)


def _task_in(line: str, prefix: str) -> SimulatedTask | None:
    return read_task(line[len(prefix) :]) if line.startswith(prefix) else None


@lru_cache(maxsize=32768)
def _count_tokens(text: str) -> int:
    return len(_WORD.findall(text))


def _completion(prompt: str, text: str) -> Completion:
    return Completion(text=text, usage=_usage(_count_tokens(prompt), text))


def _usage(prompt_tokens: int, text: str) -> Usage:
    return Usage(prompt_tokens=prompt_tokens, completion_tokens=_count_tokens(text), requests=1)


def _shortened(completion: Completion, max_tokens: int) -> Completion:
    ends = [match.end() for match in _WORD.finditer(completion.text)]
    usage = completion.usage
    return Completion(
        text=completion.text[: ends[max_tokens - 1]] if max_tokens > 0 else "",
        usage=Usage(
            prompt_tokens=usage.prompt_tokens, completion_tokens=max(max_tokens, 0), requests=1
        ),
        finish_reason="length",
    )


def _not_understood(request: ChatRequest) -> Completion:
    start = request.messages[0].content[:80] if request.messages else ""
    return Completion.failure(
        f"the simulated model cannot read this {request.role} request ({start!r}...): it plays "
        "dataset='simulated' through the compact prompts only",
        Usage(requests=1),
    )
