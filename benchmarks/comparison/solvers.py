"""Methods of one round: a vote over samples, and the coordinator's conclusion from samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.comparison.asking import Asking
from benchmarks.comparison.baseline_prompts import Reply
from benchmarks.comparison.grading import vote
from benchmarks.comparison.method import Attempt
from benchmarks.comparison.records import Item, Round, Solution
from econ_env.config import EnvConfig
from econ_env.game.closing_rules import GameConfig
from econ_env.game.commitment_round import Coordination, is_sound
from econ_env.game.coordinator_tree import build_tree
from econ_env.game.requests import RequestWriter
from econ_env.grading.answers import equivalent, extract
from econ_env.grading.arithmetic import false_equations
from econ_env.llm.types import ChatRequest, Completion, Usage
from econ_env.sampling_action import SamplingAction


@dataclass(frozen=True, kw_only=True)
class SelfConsistency:
    """The majority of several samples, by graded equivalence of their answers.

    One sample makes it a chain of thought, and temperature 0 makes that the greedy answer.
    """

    spec: str
    asking: Asking
    models: tuple[str, ...]
    """Model of each sample. Requests to one model differ in their seeds only."""
    sampling: SamplingAction
    checked: bool = False
    """True if sound samples alone vote, if there are any, as under the rule ``checked``."""

    def play(self, item: Item) -> Attempt:
        """See :meth:`benchmarks.comparison.method.Prompted.play`."""
        asking = self.asking
        completions = yield samples(asking, item, self.models, self.sampling)
        replies = [asking.prompts.read_solution(completion.text) for completion in completions]
        answers = tuple([reply.answer for reply in replies])
        counted = _sound(replies, completions) if self.checked else [True] * len(replies)
        voters = [answer for answer, counts in zip(answers, counted, strict=True) if counts]
        value, usage = vote(voters or answers), total_usage(completions)
        return Solution(rounds=(Round(answers=answers, value=value, usage=usage),))


@dataclass(frozen=True, kw_only=True)
class BestOfNCommit:
    """Conclusion of the coordinator from independent samples, as in the game.

    Unlike the game it has no strategy and no agents that choose sampling actions, so it measures
    the worth of the coordinator's conclusion alone.
    """

    spec: str
    asking: Asking
    models: tuple[str, ...]
    """Model of each sample."""
    sampling: SamplingAction

    def play(self, item: Item) -> Attempt:
        """See :meth:`benchmarks.comparison.method.Prompted.play`."""
        asking = self.asking
        completions = yield samples(asking, item, self.models, self.sampling)
        replies = [asking.prompts.read_solution(completion.text) for completion in completions]
        answers = tuple([reply.answer for reply in replies])
        spent = total_usage(completions)
        rules = self._rules()
        coordination = Coordination(
            rules,
            build_tree(rules.n_agents, None),
            RequestWriter(rules, item.question.text, item.seed, 0),
            strategy="",
            group_strategies=("",),
            responses=[reply.text for reply in replies],
            answers=answers,
            sound=_sound(replies, completions)
            if rules.commitment_rule == "checked"
            else [True] * len(replies),
            decision=0,
            round_=0,
        )
        # The guarded rule asks nothing if all answers agree.
        while requests := coordination.ask():
            completions = yield requests
            coordination.take(requests, completions)
            spent += total_usage(completions)
        value = coordination.records[-1].value
        return Solution(rounds=(Round(answers=answers, value=value, usage=spent),))

    def _rules(self) -> GameConfig:
        asking = self.asking
        names = {asking.coordinator, *self.models}
        return GameConfig(
            n_agents=len(self.models),
            group_size=None,
            bne_rounds=1,
            max_rounds=1,
            convergence_threshold=EnvConfig.convergence_threshold,
            bounds=EnvConfig().bounds(),
            prompts=asking.prompts.game,
            strategy=False,
            commitment_rule=asking.commitment_rule,
            executor_models=self.models,
            coordinator_model=asking.coordinator,
            limits={name: asking.limits(name) for name in names},
            keep_messages=False,
            extract=extract,
            equivalent=equivalent,
        )


def _sound(replies: Sequence[Reply], completions: Sequence[Completion]) -> list[bool]:
    return [
        is_sound(reply.answer, completion.finish_reason, false_equations(reply.text))
        for reply, completion in zip(replies, completions, strict=True)
    ]


def samples(
    asking: Asking, item: Item, models: Sequence[str], sampling: SamplingAction
) -> list[ChatRequest]:
    """Return the requests for one independent response of each of ``models``."""
    return [
        asking.request(item, model, sampling=sampling, index=index)
        for index, model in enumerate(models)
    ]


def total_usage(completions: Sequence[Completion]) -> Usage:
    """Return the sum of the tokens of ``completions``."""
    return sum([completion.usage for completion in completions], Usage())
