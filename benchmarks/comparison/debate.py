"""Debate: agents answer, are shown what the others answered, and answer again."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.comparison.asking import Asking
from benchmarks.comparison.baseline_prompts import Exchange
from benchmarks.comparison.grading import vote
from benchmarks.comparison.method import Attempt
from benchmarks.comparison.records import Item, Round, Solution
from benchmarks.comparison.solvers import total_usage
from econ_env.sampling_action import SamplingAction


@dataclass(frozen=True, kw_only=True)
class Debate:
    """Debate of N agents over R rounds, decided by the majority of the last (Du et al., 2023).

    In the first round no agent has seen another's response: its requests are those of
    self-consistency with as many samples. Prompts, and so costs, grow from round to round.
    """

    spec: str
    asking: Asking
    models: tuple[str, ...]
    """One per agent."""
    rounds: int
    sampling: SamplingAction

    def play(self, item: Item) -> Attempt:
        """See :meth:`benchmarks.comparison.method.Prompted.play`."""
        prompts = self.asking.prompts
        said: list[list[str]] = []
        rounds = []
        for number in range(self.rounds):
            completions = yield [
                self.asking.request(
                    item,
                    model,
                    sampling=self.sampling,
                    index=agent,
                    exchanges=[_seen_by(agent, texts) for texts in said],
                )
                for agent, model in enumerate(self.models)
            ]
            read = prompts.read_discussion if number else prompts.read_solution
            replies = [read(completion.text) for completion in completions]
            said.append([reply.text for reply in replies])
            answers = tuple([reply.answer for reply in replies])
            usage = total_usage(completions)
            rounds.append(Round(answers=answers, value=vote(answers), usage=usage))
        return Solution(rounds=tuple(rounds))


def _seen_by(agent: int, texts: list[str]) -> Exchange:
    """Return the responses of one round as ``agent`` sees them, its own first."""
    return [texts[agent], *texts[:agent], *texts[agent + 1 :]]
