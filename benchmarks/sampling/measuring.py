"""Answer the same questions at every temperature and penalty, several times each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.comparison.asking import Asking
from benchmarks.comparison.grading import vote
from benchmarks.comparison.records import Item
from benchmarks.comparison.solvers import samples
from benchmarks.learning.results import Result
from econ_console.waiting_line import WaitingLine
from econ_env.config import EnvConfig
from econ_env.envs.lockstep import ask
from econ_env.grading.answers import is_correct
from econ_env.llm.types import ChatRequest, Completion, ModelError
from econ_env.questions.base import Question
from econ_env.sampling_action import SamplingAction


@dataclass(frozen=True, kw_only=True)
class Study:
    """A model, its questions, and the settings at which it answers them."""

    config: EnvConfig
    """Model, data set and seed; a model that answers in its team's default prompts."""
    questions: int
    samples: int
    """Answers to each question at each setting; one where decoding is greedy."""
    temperatures: tuple[float, ...]
    """Measured at the neutral penalty."""
    repetition_penalties: tuple[float, ...]
    """Measured at ``at_temperature``."""
    at_temperature: float

    def __post_init__(self) -> None:
        if self.questions < 2 or self.samples < 1:
            raise ValueError("--questions must be at least 2, --samples at least 1")
        if not all(0 <= each <= 2 for each in (*self.temperatures, self.at_temperature)):
            raise ValueError("temperatures must be from 0 to 2")
        if not all(0.1 <= each <= 10 for each in self.repetition_penalties):
            raise ValueError("penalties must be from 0.1 to 10")

    def settings(self) -> tuple[SamplingAction, ...]:
        """Return every setting once."""
        pairs = [(temperature, 1.0) for temperature in self.temperatures]
        pairs += [(self.at_temperature, penalty) for penalty in self.repetition_penalties]
        return tuple(
            SamplingAction(temperature=temperature, repetition_penalty=penalty)
            for temperature, penalty in dict.fromkeys(pairs)
        )

    def samples_of(self, setting: SamplingAction) -> int:
        """Return the number of answers to a question: greedy ones would be equal."""
        return 1 if setting.temperature == 0 else self.samples


def name_of(setting: SamplingAction) -> str:
    """Return the name of a setting in the file of results."""
    return f"T={setting.temperature:g},p={setting.repetition_penalty:g}"


def measure(
    study: Study, questions: Sequence[Question], settings: Sequence[SamplingAction]
) -> Iterator[tuple[SamplingAction, Result]]:
    """Yield the counts of some settings of a study, of those that answered anything.

    All requests are in flight together, so that a model in this process always has full batches.

    Raises:
        ModelError: the model cannot be used, or, after all other settings, one answered nothing.
    """
    config = study.config
    models = config.models()
    try:
        asking = Asking.of(config, models)
        model = config.team().executors[0]
        asked: dict[tuple[SamplingAction, str], list[ChatRequest]] = {
            (setting, question.id): samples(
                asking,
                Item(question=question, run_seed=config.seed),
                [model] * study.samples_of(setting),
                setting,
            )
            for setting in settings
            for question in questions
        }
        requests = [request for some in asked.values() for request in some]
        with WaitingLine(lambda: str(models.in_flight())):
            answers = iter(ask(requests, models))
    finally:
        models.close()
    completions = {key: [next(answers) for _ in some] for key, some in asked.items()}
    refused = []
    for setting in settings:
        try:
            counts = _counts(asking, {q: completions[setting, q.id] for q in questions})
        except ModelError as error:
            refused.append(f"{name_of(setting)}: {error}")
        else:
            yield setting, counts
    if refused:
        raise ModelError("; ".join(refused))


def _counts(asking: Asking, completions: Mapping[Question, Sequence[Completion]]) -> Result:
    """Return the verdicts on every sample and on every vote, and the tokens of a sample.

    A failed request is not a wrong answer: its question is left out of this setting.
    """
    errors = [one.error for some in completions.values() for one in some if one.error is not None]
    finished = {
        question: some
        for question, some in completions.items()
        if all(one.error is None for one in some)
    }
    if not finished:
        raise ModelError(f"every question failed: {errors[0]}")
    answers = {
        question: [asking.prompts.read_solution(one.text).answer for one in some]
        for question, some in finished.items()
    }
    flat = [one for some in finished.values() for one in some]
    return {
        "questions": [question.id for question in answers],
        "failed": len(completions) - len(finished),
        "right": [[int(is_correct(a, q.gold)) for a in some] for q, some in answers.items()],
        "vote_right": [int(is_correct(vote(some), q.gold)) for q, some in answers.items()],
        "completion_tokens": round(fmean(one.usage.completion_tokens for one in flat), 1),
        "cut_off": sum(one.finish_reason == "length" for one in flat),
    }
