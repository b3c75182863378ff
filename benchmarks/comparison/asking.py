"""Requests of the baselines: all use the same prompts, seeds and rules for context limits.

Seeds do not depend on the method. Sample j of one method equals sample j of every other method
that asks the same model with the same sampling, so a cache needs to ask for it only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.comparison.baseline_prompts import BaselinePrompts, Exchange, baseline_prompts
from benchmarks.comparison.records import Item
from econ_env.config import EnvConfig
from econ_env.game.closing_rules import CommitmentRule
from econ_env.game.prompt_fitting import ModelLimits, Part, PromptTooLong, Texts, fit, surely_fits
from econ_env.game.requests import MIN_QUESTION_CHARACTERS, MIN_RESPONSE_CHARACTERS
from econ_env.llm.models import Models
from econ_env.llm.types import ChatRequest, Message, tokens_per_message
from econ_env.sampling_action import SamplingAction
from econ_env.seeds import derive_seed


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Settings that the baselines of one comparison share, and the requests made from them.

    A prompt that is too long for its model is shortened as in the game: the oldest responses
    first, keeping their ends, and the question last. ``PromptTooLong`` is raised if that is not
    enough.
    """

    prompts: BaselinePrompts
    top_p: float
    coordinator: str
    """Name of the model that concludes, for methods with a conclusion."""
    commitment_rule: CommitmentRule
    limits: Callable[[str], ModelLimits]
    """Context limit and token counter of the model with this name."""

    @classmethod
    def of(cls, config: EnvConfig, models: Models) -> Asking:
        """Return the settings for the models of ``config``; no model is loaded yet.

        Raises:
            ValueError: baselines have no prompts that go with the prompt set of ``config``.
        """
        game = config.prompt_set()
        prompts = baseline_prompts(game)
        if prompts is None:
            raise ValueError(
                f"baselines have no prompts that go with the prompt set {game.name!r}: "
                'use prompts="compact" or prompts="default"'
            )

        def limits(name: str) -> ModelLimits:
            model = models.model(name)
            return ModelLimits(
                context_limit=model.context_limit,
                count_tokens=model.count_tokens,
                tokens_per_message=tokens_per_message(model),
            )

        return cls(
            prompts=prompts,
            top_p=config.top_p,
            coordinator=config.team().coordinator,
            commitment_rule=config.resolved_commitment_rule(),
            limits=limits,
        )

    def request(
        self,
        item: Item,
        model: str,
        *,
        sampling: SamplingAction,
        index: int,
        exchanges: Sequence[Exchange] = (),
    ) -> ChatRequest:
        """Return the request for one response.

        Args:
            item: the question.
            model: name of the model that answers.
            sampling: temperature and repetition penalty of the response.
            index: number of the sample, or of the agent.
            exchanges: this agent's view of the debate so far, one entry per round.

        Raises:
            PromptTooLong: no allowed cut makes the prompt fit into the context of ``model``.
        """
        role = self.prompts.discussion_role if exchanges else "execute"
        max_tokens = self.prompts.game.max_tokens.of(role)
        return ChatRequest(
            messages=self._fitted(item.question.text, exchanges, model, max_tokens),
            temperature=sampling.temperature,
            repetition_penalty=sampling.repetition_penalty,
            top_p=self.top_p,
            max_tokens=max_tokens,
            seed=derive_seed(item.seed, "sample", index, len(exchanges)),
            model=model,
            role=role,
        )

    def _fitted(
        self, question: str, exchanges: Sequence[Exchange], model: str, max_tokens: int
    ) -> tuple[Message, ...]:
        def render(texts: Texts) -> tuple[Message, ...]:
            *seen, (asked,) = texts
            return self.prompts.discuss(asked, seen) if seen else self.prompts.solve(asked)

        messages = render([*map(tuple, exchanges), (question,)])
        limits = self.limits(model)
        if surely_fits(messages, limits, max_tokens):
            return messages
        parts = [
            Part(name="responses", texts=tuple(exchange), minimum=MIN_RESPONSE_CHARACTERS)
            for exchange in exchanges
        ]
        parts.append(Part(name="question", texts=(question,), minimum=MIN_QUESTION_CHARACTERS))
        try:
            messages, _ = fit(render, parts, limits, max_tokens)
        except PromptTooLong as problem:
            raise PromptTooLong(f"the prompt is too long for model {model!r}: {problem}") from None
        return messages
