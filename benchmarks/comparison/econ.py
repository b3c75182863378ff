"""ECON as a compared method: the game on given questions, steered by a policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.comparison.econ_policy import FixedProfile, Steering, Trained, Untrained
from benchmarks.comparison.econ_records import bill_of, solution_of
from benchmarks.comparison.grading import failure, graded, vote
from benchmarks.comparison.records import Item, Record
from benchmarks.comparison.specs import (
    EconFixedSpec,
    EconProfileSpec,
    EconSpec,
    EconUntrainedSpec,
    FirstRoundVoteSpec,
)
from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.rollout import play_wave
from econ_agents.environments import COMMITMENT_PERIOD, Moment, NativeBatch
from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.game.transcript import Transcript
from econ_env.grading.answers import Verdict
from econ_env.llm.budget.prices import Price
from econ_env.llm.models import Models
from econ_env.questions.base import Question


def steering_of(spec: EconUntrainedSpec, checkpoint: Path | None) -> Steering:
    """Return the steering of a spec's team.

    Args:
        spec: spec of ``econ``, ``econ_fixed``, ``econ_profile`` or ``econ_untrained``.
        checkpoint: checkpoint of the compared training run; only ``econ`` needs one.

    Raises:
        ValueError: ``econ`` has no checkpoint.
    """
    if isinstance(spec, EconFixedSpec):
        return FixedProfile(
            temperatures=(spec.temperature,), repetition_penalties=(spec.repetition_penalty,)
        )
    if isinstance(spec, EconProfileSpec):
        return FixedProfile(
            temperatures=spec.temperatures, repetition_penalties=spec.repetition_penalties
        )
    if not isinstance(spec, EconSpec):
        return Untrained(checkpoint=checkpoint)
    if checkpoint is None:
        raise ValueError(
            f"{spec.canonical!r} plays a trained team, and no checkpoint is given: name it with "
            "--model-dir, or compare econ_untrained"
        )
    return Trained(checkpoint=checkpoint)


@dataclass(frozen=True, kw_only=True)
class Played:
    """An episode on one item."""

    item: Item
    transcript: Transcript
    wall_s: float
    """Duration of its wave in seconds, divided by the wave's number of items."""


class SteeredTeam:
    """A team that plays given questions, each with a fresh policy.

    Args:
        config: settings of the game; its data set is not read.
        steering: source of the policies that choose the executors' actions.
        models: models of the team, and possibly others; the caller closes them.
        in_flight: questions that are played side by side.

    Raises:
        CheckpointError: the steering's checkpoint is damaged or does not fit.
        EmbedderError: the embedder cannot be loaded.
    """

    def __init__(
        self, config: EnvConfig, steering: Steering, *, models: Models, in_flight: int
    ) -> None:
        self._config = replace(config, dataset=_GivenQuestions())
        self._env = BatchedEconEnv(self._config, num_questions=in_flight, models=models)
        self._teams = NativeBatch(self._env)
        self._begin = steering.prepare(self._teams.space)

    def play(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Played]:
        """Play an episode on every item, wave by wave; see ``Method.answer``."""
        for start in range(0, len(items), self._env.num_questions):
            yield from self._wave(items[start : start + self._env.num_questions], report)

    def _wave(self, items: Sequence[Item], report: Callable[[str], object] | None) -> list[Played]:
        begun = time.monotonic()
        if report is not None:
            report(f"strategies of {len(items)} questions")
        # The environment takes a question for every place, also for places without an item.
        questions = [item.question for item in items]
        questions += [questions[0]] * (self._env.num_questions - len(items))
        policies = [self._begin() for _ in items]
        space = self._teams.space
        shape = (self._env.num_questions, len(space.agents), space.action_size)

        def act(moment: Moment, step: int) -> FloatArray:
            playing = np.flatnonzero(moment.active)
            periods = moment.infos[COMMITMENT_PERIOD][:, 0]
            if report is not None:
                report(f"round {step + 1} of {len(playing)} questions")
            actions = np.zeros(shape, dtype=np.float32)
            for place in playing:
                actions[place] = policies[place].act(moment.observations[place], periods[place])
            return actions

        seeds = [item.seed for item in items]
        for _ in play_wave(self._teams, act, seeds, options={"question": questions}):
            pass  # the results are read from the environment's transcripts
        wall_s = (time.monotonic() - begun) / len(items)
        return [
            Played(item=item, transcript=self._env.transcript(place), wall_s=wall_s)
            for place, item in enumerate(items)
        ]


class Econ:
    """ECON as a :class:`~benchmarks.comparison.method.Method`.

    Args:
        spec: rounds, rule and groups.
        config: all other settings of the game, equal for all compared methods.
        steering: see :func:`steering_of`.
        models: models that answer, shared by all compared methods.
        prices: prices of models by name; a model without a price makes costs unknown.
        in_flight: questions that are played side by side.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another team.
    """

    def __init__(
        self,
        spec: EconUntrainedSpec,
        config: EnvConfig,
        steering: Steering,
        *,
        models: Models,
        prices: Mapping[str, Price],
        in_flight: int,
    ) -> None:
        self._spec = spec.canonical
        self._prices = prices
        self._team = SteeredTeam(
            game_of(spec, config), steering, models=models, in_flight=in_flight
        )

    @property
    def spec(self) -> str:
        """Name and settings, as records and tables name the method."""
        return self._spec

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """See :meth:`benchmarks.comparison.method.Method.answer`."""
        for played in self._team.play(items, report):
            yield record_of(self._spec, played, self._prices)


def game_of(spec: EconUntrainedSpec, config: EnvConfig) -> EnvConfig:
    """Return the comparison's settings with the rounds, rule and groups of a spec."""
    return replace(
        config,
        bne_rounds=spec.rounds,
        commitment_rule=config.commitment_rule if spec.rule is None else spec.rule,
        group_size=spec.group_size,
    )


def record_of(method: str, played: Played, prices: Mapping[str, Price]) -> Record:
    """Return the graded record of an episode."""
    transcript = played.transcript
    bill = bill_of(transcript, prices)
    if transcript.failed is not None:
        return failure(method, played.item, transcript.failed, bill, played.wall_s)
    return graded(method, played.item, solution_of(transcript, prices), bill, played.wall_s)


def first_round_votes(records: Iterable[Record], spec: FirstRoundVoteSpec) -> list[Record]:
    """Return the records of a vote over the first round's responses; nothing is asked.

    The tokens of strategies count, since the responses follow them; those of conclusions do not.
    ``wall_s`` is that of the whole episode, because the first round is not timed on its own. An
    episode that failed has no vote.

    Args:
        records: records of any methods; those of ``spec.of`` are used, in their order.
        spec: spec of the vote.
    """
    return [_vote(record, spec.canonical) for record in records if record.method == spec.of]


def _vote(record: Record, method: str) -> Record:
    if record.failed is not None:
        return replace(record, method=method)
    first = record.rounds[0]
    if first.answering is None:
        raise ValueError(f"the record of {record.question} does not say what its answers cost")
    value = vote(first.answers)
    verdict = Verdict.INCORRECT if value is not None else Verdict.UNPARSEABLE
    only = replace(first, value=value, value_right=first.vote_right, usage=first.answering.usage)
    return replace(
        record,
        method=method,
        verdict=(Verdict.CORRECT if first.vote_right else verdict).value,
        rounds=(only,),
        closed_by="",
        usage=first.answering.usage,
        cost_usd=first.answering.cost_usd,
        longest_prompt_tokens=first.answering.longest_prompt_tokens,
    )


class _GivenQuestions:
    """Empty data set for an environment that is given every question at its reset."""

    name = "given questions"

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> Question:
        raise IndexError(index)
