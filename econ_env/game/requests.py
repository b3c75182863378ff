"""The requests of one game: prompts cut to the context limit, sampling settings and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from econ_env.game.closing_rules import GameConfig
from econ_env.game.coordinator_tree import COORDINATOR, Node, Tree
from econ_env.game.prompt_fitting import Cut, Part, PromptTooLong, Texts, fit, surely_fits
from econ_env.game.transcript import ShortenedRecord
from econ_env.llm.types import ChatRequest, Message, Role
from econ_env.sampling_action import SamplingAction
from econ_env.seeds import derive_seed

MIN_RESPONSE_CHARACTERS = 64
"""Length of the end of a response that is never cut: it holds the answer."""
MIN_QUESTION_CHARACTERS = 64
"""Length of the end of a question that is never cut: it says what is asked."""


class RequestWriter:
    """Write every request of one game, each a function of its arguments and the game's seed.

    A prompt that exceeds its model's context limit is shortened: responses first, because their
    answers stand at the end and survive; then the strategy, which is only advice; the question
    last, because it is needed for any answer. Every cut is added to ``shortened``.
    ``PromptTooLong`` names the model if the prompt is still too long after all admissible cuts.
    """

    __slots__ = ("_config", "_episode", "_question", "_seed", "shortened")

    def __init__(self, config: GameConfig, question: str, env_seed: int, episode: int) -> None:
        self._config = config
        self._question = question
        self._seed = env_seed
        self._episode = episode
        self.shortened: list[ShortenedRecord] = []

    def take_shortened(self) -> tuple[ShortenedRecord, ...]:
        """Return and forget the cuts since the last call."""
        taken = tuple(self.shortened)
        if taken:
            self.shortened = []
        return taken

    def strategy(self) -> ChatRequest:
        """The request for the coordinator's plan for the team."""
        prompts, question = self._config.prompts, self._question
        return self._coordinate(
            COORDINATOR,
            "strategy",
            prompts.strategy(question),
            lambda texts: prompts.strategy(texts[0][0]),
            lambda: [_question(question)],
        )

    def local_strategy(self, group: Node, strategy: str) -> ChatRequest:
        """The request for the plan of one group, made from the plan of the team."""
        prompts, question = self._config.prompts, self._question
        return self._coordinate(
            group.agent,
            "local_strategy",
            prompts.local_strategy(question, strategy, group.index),
            lambda texts: prompts.local_strategy(texts[1][0], texts[0][0], group.index),
            partial(_strategy_and_question, strategy, question),
        )

    def commit(
        self,
        node: Node,
        role: Role,
        strategy: str,
        responses: Sequence[str],
        decision: int,
        round_: int,
    ) -> ChatRequest:
        """The request for the conclusion of one coordinator from the texts of its members."""
        prompts, question = self._config.prompts, self._question
        return self._coordinate(
            node.agent,
            role,
            prompts.commit(question, strategy, responses),
            lambda texts: prompts.commit(texts[2][0], texts[1][0], texts[0]),
            lambda: [
                Part(name="responses", texts=tuple(responses), minimum=MIN_RESPONSE_CHARACTERS),
                *_strategy_and_question(strategy, question),
            ],
            decision,
            round_,
            schema=prompts.commit_schema,
        )

    def solve(
        self, node: Node, role: Role, strategy: str, decision: int, round_: int
    ) -> ChatRequest:
        """The request for a coordinator's own answer: its executors' prompt of the first round."""
        prompts, question = self._config.prompts, self._question
        return self._coordinate(
            node.agent,
            role,
            prompts.execute(question, strategy),
            lambda texts: prompts.execute(texts[1][0], texts[0][0]),
            partial(_strategy_and_question, strategy, question),
            decision,
            round_,
            max_tokens=prompts.max_tokens.execute,
        )

    def execute(
        self,
        tree: Tree,
        strategies: Sequence[str],
        last_value: str | None,
        actions: Sequence[SamplingAction],
        decision: int,
        round_: int,
    ) -> list[ChatRequest]:
        """One request per executor. A group shares one prompt, so a model may read it once."""
        config, question = self._config, self._question
        prompts = config.prompts
        top_p = config.bounds.top_p
        max_tokens = prompts.max_tokens.execute
        shared = [prompts.execute(question, strategy, last_value) for strategy in strategies]
        requests = []
        for index, (action, model) in enumerate(zip(actions, config.executor_models, strict=True)):
            agent = f"executor_{index}"
            group = tree.group_of[index]
            messages = self._fitted(
                agent,
                "execute",
                model,
                max_tokens,
                shared[group],
                lambda texts: prompts.execute(texts[1][0], texts[0][0], last_value),
                partial(_strategy_and_question, strategies[group], question),
            )
            requests.append(
                ChatRequest(
                    messages=messages,
                    temperature=action.temperature,
                    repetition_penalty=action.repetition_penalty,
                    top_p=top_p,
                    max_tokens=max_tokens,
                    seed=derive_seed(self._seed, self._episode, decision, round_, agent, "execute"),
                    model=model,
                    role="execute",
                )
            )
        return requests

    def _coordinate(
        self,
        agent: str,
        role: Role,
        messages: tuple[Message, ...],
        render: Callable[[Texts], tuple[Message, ...]],
        parts: Callable[[], Sequence[Part]],
        decision: int = 0,
        round_: int = 0,
        *,
        max_tokens: int | None = None,
        schema: str | None = None,
    ) -> ChatRequest:
        config = self._config
        model = config.coordinator_model
        if max_tokens is None:
            max_tokens = config.prompts.max_tokens.of(role)
        return ChatRequest(
            messages=self._fitted(agent, role, model, max_tokens, messages, render, parts),
            temperature=config.coordinator_temperature,
            repetition_penalty=config.coordinator_repetition_penalty,
            max_tokens=max_tokens,
            seed=derive_seed(self._seed, self._episode, decision, round_, agent, role),
            model=model,
            role=role,
            schema=schema,
        )

    def _fitted(
        self,
        agent: str,
        role: Role,
        model: str,
        max_tokens: int,
        messages: tuple[Message, ...],
        render: Callable[[Texts], tuple[Message, ...]],
        parts: Callable[[], Sequence[Part]],
    ) -> tuple[Message, ...]:
        """``messages`` if they fit, else the messages rendered from shortened ``parts``."""
        limits = self._config.limits[model]
        if limits.context_limit is None or surely_fits(messages, limits, max_tokens):
            return messages
        try:
            messages, cuts = fit(render, parts(), limits, max_tokens)
        except PromptTooLong as problem:
            raise PromptTooLong(
                f"the prompt of {agent} ({role}) is too long for model {model!r}: {problem}"
            ) from problem
        self.shortened += [_record(cut, agent, role) for cut in cuts]
        return messages


def _question(text: str) -> Part:
    return Part(name="question", texts=(text,), minimum=MIN_QUESTION_CHARACTERS)


def _strategy_and_question(strategy: str, question: str) -> list[Part]:
    return [Part(name="strategy", texts=(strategy,)), _question(question)]


def _record(cut: Cut, agent: str, role: Role) -> ShortenedRecord:
    return ShortenedRecord(
        agent=agent,
        role=role,
        part=cut.part,
        tokens_before=cut.tokens_before,
        tokens_after=cut.tokens_after,
    )
