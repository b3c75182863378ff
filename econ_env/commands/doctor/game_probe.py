"""Probe of the game's own prompts: a strategy, a response and a commitment."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from econ_env.commands.cut_thoughts import is_cut_thought
from econ_env.commands.doctor.findings import Finding, ok, shortened
from econ_env.commands.doctor.refusals import advice_on
from econ_env.game.prompts import PromptSet
from econ_env.llm.api import ApiModel
from econ_env.llm.types import ChatModel, ChatRequest, Completion, Message, Role

REQUESTS = 3
"""Requests of the probe, if the model does not think."""
MANY_TOKENS = 8_192
"""Token limit under which a thought is measured."""
_STEP = 256
"""Proposed limits are multiples of this."""
_QUESTION = (
    "A baker packs 48 rolls into bags of 6 and sells 3 of the bags. How many rolls are left?"
)
_RESPONSE = r"There are 48 / 6 = 8 bags. 5 bags are left, with 5 * 6 = 30 rolls. \boxed{30}"
_KINDS: Mapping[Role, str] = {
    "strategy": "strategy",
    "execute": "response",
    "commit": "commitment",
}

SWITCHES: Sequence[tuple[str, Mapping[str, Any]]] = (
    (
        '{"chat_template_kwargs": {"enable_thinking": false}}',
        {"chat_template_kwargs": {"enable_thinking": False}},
    ),
    ('{"reasoning_effort": "none"}', {"reasoning_effort": "none"}),
    ('{"reasoning": {"enabled": false}}', {"reasoning": {"enabled": False}}),
    ('{"thinking": {"type": "disabled"}}', {"thinking": {"type": "disabled"}}),
)
"""Fields that switch thinking off: on vLLM, SGLang and llama.cpp; Ollama; Together and OpenRouter;
and others. Each is tried until one works."""


class GameProbe:
    """The probe of one model.

    Args:
        model: the model to examine.
        prompts: the prompts that the game would use.
        temperature: of the response.
        sent: names of the fields of a request to a server; empty for a model in this process.
        remake: makes the model anew with further fields in its requests; None: it has no requests.
        report: called with the number of requests just answered.
    """

    def __init__(
        self,
        model: ChatModel,
        prompts: PromptSet,
        *,
        temperature: float,
        sent: Collection[str] = (),
        remake: Callable[[Mapping[str, Any]], ChatModel] | None = None,
        report: Callable[[int], object],
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._temperature = temperature
        self._sent = sent
        self._remake = remake
        self._report = report

    def run(self) -> Iterator[Finding]:
        """Ask once for each text of the game, and look for an answer in it."""
        requests = self._requests()
        completions = self._ask(self._model, requests)
        failed = False
        for request, completion in zip(requests, completions, strict=True):
            if completion.error is not None:
                failed = True
                yield Finding(
                    topic="game prompts",
                    state="PROBLEM",
                    text=f"a request for a {_KINDS[request.role]} fails: {completion.error}",
                    advice=advice_on(completion.error, self._sent),
                )
        if failed:
            return
        cut = self._cut(requests, completions)
        full = any(completion.finish_reason == "length" for completion in completions)
        if cut or (full and self._remake is not None):
            # A template may have begun the thought, and then only its end can be seen.
            longer = self._ask(self._model, [_allowing(each, MANY_TOKENS) for each in requests])
            cut = self._cut(requests, completions)
            if cut:
                yield self._thinking(cut, longer)
                return
        yield ok(
            "game prompts",
            f'strategy, response and commitment are answered: "{shortened(completions[1].text)}"',
        )

    def _cut(
        self, requests: Sequence[ChatRequest], completions: Sequence[Completion]
    ) -> list[ChatRequest]:
        """Return the requests whose replies ended inside a thought, as far as is known by now."""
        # A reply that came before the first end of a thought could not be told from an answer.
        opens = _opens_thoughts(self._model)
        return [
            request
            for request, completion in zip(requests, completions, strict=True)
            if is_cut_thought(completion.text, completion.finish_reason)
            or (opens and completion.finish_reason == "length")
        ]

    def _thinking(self, cut: Sequence[ChatRequest], longer: Sequence[Completion]) -> Finding:
        """Return the finding about a model whose thoughts do not fit."""
        roles = ", ".join(f"a {_KINDS[each.role]} of {each.max_tokens}" for each in cut)
        ways = []
        switch = self._switch(cut[0])
        if switch is not None:
            ways.append(f"switch it off: --extra-body '{switch}'")
        enough = self._enough(longer)
        if enough is not None:
            ways.append(
                f"allow {enough} tokens: --max-tokens-strategy {enough} "
                f"--max-tokens-execute {enough} --max-tokens-commit {enough}"
            )
        if not ways:
            ways.append(
                f"even {MANY_TOKENS} tokens are too few, and no known switch helps: find this "
                "server's own switch for thinking and give it with --extra-body"
            )
        return Finding(
            topic="thinking",
            state="PROBLEM",
            text=f"this model thinks before it answers, and {roles} tokens ends inside the thought",
            advice=", or ".join(ways),
        )

    def _switch(self, request: ChatRequest) -> str | None:
        """Return the JSON of the first field that stops the thoughts."""
        if self._remake is None:
            return None
        for typed, extra in SWITCHES:
            with closing(self._remake(extra)) as other:
                short, _ = self._ask(other, [request, _allowing(request, MANY_TOKENS)])
            if (
                short.error is None
                and not is_cut_thought(short.text, short.finish_reason)
                and not _opens_thoughts(other)
            ):
                return typed
        return None

    def _enough(self, longer: Sequence[Completion]) -> int | None:
        """Return a limit with room for all that was written without one; None: not known."""
        if any(c.error is not None or c.finish_reason == "length" for c in longer):
            return None
        most = max(completion.usage.completion_tokens for completion in longer)
        return _STEP * math.ceil(1.5 * most / _STEP)

    def _ask(self, model: ChatModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        completions = model.generate(requests)
        self._report(len(requests))
        return completions

    def _requests(self) -> list[ChatRequest]:
        prompts = self._prompts
        plan = "First find the number of bags."
        return [
            self._request("strategy", prompts.strategy(_QUESTION), 0.0),
            self._request("execute", prompts.execute(_QUESTION, plan), self._temperature),
            self._request("commit", prompts.commit(_QUESTION, plan, [_RESPONSE] * 3), 0.0),
        ]

    def _request(
        self, role: Role, messages: tuple[Message, ...], temperature: float
    ) -> ChatRequest:
        return ChatRequest(
            messages=messages,
            temperature=temperature,
            max_tokens=self._prompts.max_tokens.of(role),
            seed=1,
            model=self._model.name,
            role=role,
            schema=self._prompts.commit_schema if role == "commit" else None,
        )


def _allowing(request: ChatRequest, max_tokens: int) -> ChatRequest:
    return replace(request, max_tokens=max_tokens)


def _opens_thoughts(model: ChatModel) -> bool:
    """Return True if the chat template of a model on a server begins its thoughts."""
    return isinstance(model, ApiModel) and model.opens_thoughts
