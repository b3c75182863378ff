"""Arms of the prompt benchmark: one model with several prompts, strategies and rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from econ_env.game.closing_rules import CommitmentRule

PromptName = Literal["plain", "default"]
RULES: tuple[CommitmentRule, ...] = ("coordinator", "guarded", "majority", "casting_vote")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to play the same questions."""

    prompts: PromptName
    strategy: bool
    commitment_rule: CommitmentRule
    n_agents: int
    temperature: float

    @property
    def name(self) -> str:
        """Name in files and tables, such as ``plain/strategy/majority/3@0.6``."""
        strategy = "strategy" if self.strategy else "direct"
        team = f"{self.n_agents}@{self.temperature:g}"
        return f"{self.prompts}/{strategy}/{self.commitment_rule}/{team}"

    @property
    def is_single(self) -> bool:
        """True if there is one executor, so that nothing has to be concluded."""
        return self.n_agents == 1


def single(prompts: PromptName, *, strategy: bool) -> Arm:
    """Return the arm of one greedy executor, whose answer stands without a coordinator."""
    return Arm(
        prompts=prompts, strategy=strategy, commitment_rule="guarded", n_agents=1, temperature=0.0
    )


def arms_of(
    prompt_names: Sequence[PromptName], *, n_agents: int, temperature: float
) -> Iterator[Arm]:
    """Yield all arms: single executors without and with a strategy, then teams under every rule.

    Without a strategy, a single executor gets the plain question under any prompt set: this is the
    reference. Teams answer without a strategy, so that all rules conclude from the same responses.
    """
    for prompts in prompt_names:
        yield single(prompts, strategy=False)
        yield single(prompts, strategy=True)
        for rule in RULES:
            yield Arm(
                prompts=prompts,
                strategy=False,
                commitment_rule=rule,
                n_agents=n_agents,
                temperature=temperature,
            )
