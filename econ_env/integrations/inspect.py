"""A team as the solver of any task of Inspect, with Inspect's own models.

``inspect eval task.py --solver econ_env/econ_solver --model-role coordinator=openai/gpt-4o`` or

>>> Task(dataset=..., solver=econ_solver(n_agents=3), scorer=match())

Inspect asks the models, so that its limits, caches, retries and counts of tokens hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import collect, span

from econ_env.config import EnvConfig
from econ_env.envs.game_settings import game_settings
from econ_env.game.state_machine import Game, GameConfig, Phase
from econ_env.llm.types import ChatModel, ChatRequest, Completion, Message, Usage
from econ_env.questions.base import Question
from econ_env.sampling_action import SamplingAction

AnyModel: TypeAlias = str | Model

COORDINATOR_ROLE, EXECUTOR_ROLE = "coordinator", "executor"
"""Roles of Inspect by which models are found: ``executor_0`` and so on, else ``executor``, else the
model that is evaluated."""
TRANSCRIPT = "econ_transcript"
"""Key of the sample's store with the record of the game, as ``econ-env play --out`` writes it."""
SETTINGS = (
    "group_size commitment_rule prompts strategy top_p max_tokens_strategy max_tokens_execute "
    "max_tokens_commit"
).split()
"""Settings of :class:`~econ_env.config.EnvConfig` that a solver takes."""

_MESSAGES = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
_LETTER = re.compile(r"\W*([A-Z])(?:\W|$)")
_LENGTH = ("max_tokens", "model_length")
"""Reasons to stop of a text that a limit has cut off."""


class TeamFailed(RuntimeError):
    """A team came to no result: an error of the sample for Inspect, never a wrong answer."""


@solver  # type: ignore[untyped-decorator]
def econ_solver(
    executors: AnyModel | Sequence[AnyModel] | None = None,
    coordinator: AnyModel | None = None,
    *,
    n_agents: int = EnvConfig.n_agents,
    temperature: float = 0.7,
    repetition_penalty: float = 1.0,
    seed: int = EnvConfig.seed,
    **settings: Any,
) -> Solver:
    """Let a team answer every sample in one round: a plan, the executors' answers, a commitment.

    The output is the commitment, its reason and a line ``ANSWER: value``, which ``match()``,
    ``includes()``, ``answer("line")`` and ``choice()`` read.

    Args:
        executors: model of all executors, or one for each. None: by their roles.
        coordinator: model of the coordinator. None: by its role.
        n_agents: number of executors, >= 1; a list of ``executors`` must have as many.
        temperature: sampling temperature of the executors, >= 0.
        repetition_penalty: of the executors, > 0. Any but 1 is sent as the field
            ``repetition_penalty`` of the request's body, which vLLM and SGLang know.
        seed: seed of all requests; epochs have different ones.
        **settings: those of :data:`SETTINGS`.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    unknown = sorted(settings.keys() - set(SETTINGS))
    if unknown:
        raise ValueError(
            f"econ_solver has no setting {unknown[0]!r}: it takes {', '.join(SETTINGS)}"
        )
    if temperature < 0 or repetition_penalty <= 0:
        raise ValueError(
            "temperature must be >= 0 and repetition_penalty > 0, "
            f"got {temperature} and {repetition_penalty}"
        )
    named = [f"{EXECUTOR_ROLE}_{i}" for i in range(n_agents)]
    chosen = [executors] * n_agents if isinstance(executors, AnyModel | None) else [*executors]
    if len(chosen) != n_agents:
        raise ValueError(f"executors lists {len(chosen)} models for n_agents={n_agents}")
    stand_ins: dict[str, ChatModel] = {
        name: _StandIn(name=name) for name in (*named, COORDINATOR_ROLE)
    }
    config = EnvConfig(
        llm=[stand_ins[name] for name in named],
        coordinator=stand_ins[COORDINATOR_ROLE],
        n_agents=n_agents,
        **settings,
    )
    rules = game_settings(config, stand_ins)
    action = SamplingAction(temperature=temperature, repetition_penalty=repetition_penalty)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        models = {
            name: _model(own, name, EXECUTOR_ROLE) for name, own in zip(named, chosen, strict=True)
        }
        models[COORDINATOR_ROLE] = _model(coordinator, COORDINATOR_ROLE)
        game = await _played(rules, _question(state), models, action, seed, state.epoch - 1)
        state.store.set(TRANSCRIPT, game.transcript.to_json())
        if game.failed is not None or game.commitment is None:
            raise TeamFailed(game.failed or "the team made no commitment")
        reason, value = game.commitment.reason, game.commitment.value
        _mark_choice(state, value)
        state.output = ModelOutput.from_content(
            model=str(models[COORDINATOR_ROLE]), content=conclusion(reason, value)
        )
        state.messages.append(state.output.message)
        return state

    return solve


@dataclass(kw_only=True)
class _StandIn:
    """A model of Inspect in the team's settings, where only its name counts."""

    name: str
    context_limit: int | None = None

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        raise RuntimeError("Inspect asks its models itself")

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        """Do nothing."""


def _model(given: AnyModel | None, *roles: str) -> Model:
    """A model that was given, else that of the first role that is bound, else the evaluated one."""
    if given is not None:
        return get_model(given)
    role, *others = roles
    return get_model(role=role, default=_model(None, *others) if others else None)


async def _played(
    rules: GameConfig,
    question: Question,
    models: dict[str, Model],
    action: SamplingAction,
    seed: int,
    episode: int,
) -> Game:
    """Play one decision; nobody pays for it, since Inspect scores."""
    game = Game(rules, question, env_seed=seed, episode=episode)
    while game.phase not in (Phase.SETTLE, Phase.DONE):
        if game.awaiting_actions:
            game.act([action] * rules.n_agents)
        requests = game.pending()
        if not requests:
            continue
        async with span(game.phase.value):
            game.feed(await collect(*(_ask(models[one.model], one) for one in requests)))
    return game


async def _ask(model: Model, request: ChatRequest) -> Completion:
    """Ask a model of Inspect. What it raises after its retries ends the sample."""
    penalty = request.repetition_penalty
    output = await model.generate(
        [inspect_message(message) for message in request.messages],
        config=GenerateConfig(
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            seed=request.seed,
            extra_body=None if penalty == 1 else {"repetition_penalty": penalty},
        ),
    )
    if output.error is not None:
        return Completion.failure(output.error)
    if output.stop_reason == "content_filter":
        return Completion.failure("the answer was withheld by a content filter")
    usage = output.usage
    return Completion(
        text=output.completion,
        usage=Usage(requests=1)
        if usage is None
        else Usage(
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            cached_tokens=usage.input_tokens_cache_read or 0,
            requests=1,
        ),
        finish_reason="length" if output.stop_reason in _LENGTH else "stop",
    )


def inspect_message(message: Message) -> ChatMessage:
    """A message as one of Inspect."""
    return _MESSAGES[message.role](content=message.content)


def _question(state: TaskState) -> Question:
    """The sample's question, as earlier solvers left it, with its lettered choices."""
    lines = [state.user_prompt.text]
    lines += [f"{_letter(i)}) {choice.value}" for i, choice in enumerate(state.choices)]
    return Question(id=str(state.sample_id), text="\n".join(lines), gold="")


def _mark_choice(state: TaskState, value: str | None) -> None:
    """Mark the choice that a value names by its letter or its text, for the scorer ``choice``."""
    named = _LETTER.match(value or "")
    for i, choice in enumerate(state.choices):
        is_named = named is not None and named[1] == _letter(i)
        state.choices.mark_choice(i, is_named or choice.value == value)


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def conclusion(reason: str, value: str | None) -> str:
    """A commitment in the words that scorers look for."""
    answer = "" if value is None else f"ANSWER: {value}"
    return "\n\n".join(filter(None, (reason, answer)))
