"""Probes of the sampling parameters as the game sends them, for any model, local or served.

All requests go through :meth:`ChatModel.generate`, so the measured effect is the one that an
executor gets.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from econ_env.commands.doctor.effects import Effect
from econ_env.commands.doctor.findings import Finding, not_measured, ok
from econ_env.commands.doctor.refusals import advice_on
from econ_env.commands.doctor.sampler import (
    MAX_TOKENS,
    PROMPTS,
    CannotMeasureError,
    Question,
    Sampler,
)
from econ_env.llm.types import ChatModel, ChatRequest, Completion, Message
from econ_env.sampling_action import SamplingBounds

FEW_TOKENS = 4
"""Token limit of the probe that checks whether replies respect it."""
LONGEST_TOKEN = 16
"""Characters per token above which a reply has not respected the limit."""
ALONE, TOGETHER = 5, 8
"""Numbers of requests timed one after another, and at once."""
OTHER_SEED = 1000
REQUESTS = 6 * 2 * len(PROMPTS) + 5 + ALONE + TOGETHER
"""Number of requests if no probe needs a second round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The sampling parameters of a request."""

    temperature: float
    repetition_penalty: float = 1.0
    top_p: float = 1.0
    seed_shift: int = 0


class ModelProbes:
    """The probes of one model.

    Args:
        model: the model to examine.
        bounds: the box of actions that agents choose from.
        second_action: True if a second half of the action is sent at all.
        sent: names of the fields of a request to a server; empty for a model in this process.
        report: called with the number of requests just answered.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        bounds: SamplingBounds,
        second_action: bool,
        sent: Collection[str] = (),
        report: Callable[[int], object],
    ) -> None:
        self._model = model
        self._bounds = bounds
        self._second_action = second_action
        self._sent = sent
        self._report = report
        self._sampler: Sampler[Setting] = Sampler(self._ask)
        self.varies = True
        """True if replies change with temperature or seed; known after :meth:`run`."""
        self.penalty_works: bool | None = None
        """None: not measured."""
        self.refused = False
        """True if every request failed, so that there is nothing to measure."""

    def run(self) -> Iterator[Finding]:
        """Measure, from the most important to the merely useful."""
        yield from self._range()
        if self.refused:
            return
        yield self._temperature()
        if self._second_action:
            yield self._penalty()
        yield self._max_tokens()
        yield self._seed()
        if self.varies:
            yield self._top_p()
        yield self._speed()

    # --- probes -------------------------------------------------------------------------------

    def _range(self) -> Iterator[Finding]:
        """Check that the corners of the action box are accepted."""
        box = self._bounds
        corners = [
            Setting(temperature=t, repetition_penalty=p, top_p=box.top_p)
            for t in (box.temperature_min, box.temperature_max)
            for p in (box.repetition_penalty_min, box.repetition_penalty_max)
        ]
        question = Question(prompt=PROMPTS[0], seed=1)
        completions = self._generate([_request(self._model.name, c, question) for c in corners])
        self.refused = all(completion.error is not None for completion in completions)
        if self.refused:
            text = f"every request fails: {completions[0].error}"
            advice = advice_on(str(completions[0].error), self._sent)
            yield Finding(topic="requests", state="PROBLEM", text=text, advice=advice)
            return
        for corner, completion in zip(corners, completions, strict=True):
            if completion.error is not None:
                yield Finding(
                    topic="range",
                    state="PROBLEM",
                    text=f"temperature {corner.temperature:g} with penalty "
                    f"{corner.repetition_penalty:g} fails: {completion.error}",
                    advice="find an accepted range with --temperature-max and similar flags, "
                    "and give the environment the same (temperature_max=...)",
                )
                return
        if not any(completion.text.strip() for completion in completions):
            yield Finding(
                topic="replies",
                state="PROBLEM",
                text="every reply is empty",
                advice="if the model thinks before it answers, switch its thinking off",
            )
        yield Finding(
            topic="range",
            state="ok",
            text=f"temperatures {box.temperature_min:g} to {box.temperature_max:g} and penalties "
            f"{box.repetition_penalty_min:g} to {box.repetition_penalty_max:g} are accepted",
        )

    def _temperature(self) -> Finding:
        low, high = self._bounds.temperature_min, self._bounds.temperature_max
        values = f"{low:g} and {high:g}"
        effect = self._effect(Setting(temperature=low), Setting(temperature=high), large=True)
        if isinstance(effect, str):
            return not_measured("temperature", effect)
        if effect.kind == "works":
            return ok("temperature", f"works: {values} gave different texts {effect.count}")
        if effect.kind == "unclear":
            return Finding(
                topic="temperature",
                state="PROBLEM",
                text=f"has little effect: {values} gave different texts only {effect.count}",
                advice="agents would learn slowly, if at all: look for the server's own limits on "
                "sampling (top-k, min-p, a fixed temperature)",
            )
        self.varies = effect.noise > 0
        how = (
            f"texts vary as much at {low:g} as at {high:g}"
            if self.varies
            else f"{values} gave the same texts, word for word"
        )
        return Finding(
            topic="temperature",
            state="PROBLEM",
            text=f"has no effect: {how}",
            advice="agents could not change anything: use another server, or look for a setting "
            "that switches sampling on",
        )

    def _penalty(self) -> Finding:
        low, high = self._bounds.temperature_min, self._bounds.repetition_penalty_max
        first = Setting(temperature=low)
        second = Setting(temperature=low, repetition_penalty=high)
        effect = self._effect(first, second, large=False)
        if isinstance(effect, str):
            return not_measured("second action", effect)
        self.penalty_works = effect.kind == "works"
        if effect.kind == "works":
            text = f"works: penalties 1 and {high:g} gave different texts {effect.count}"
            return ok("second action", text)
        if effect.kind == "unclear":
            text = (
                f"cannot be told from chance: penalties 1 and {high:g} gave different texts "
                f"{effect.count}, equal requests {2 * effect.cells - effect.repeated} times of "
                f"{2 * effect.cells}"
            )
            return Finding(topic="second action", state="note", text=text)
        return Finding(
            topic="second action",
            state="PROBLEM",
            text=f"has no effect: penalties 1 and {high:g} gave the same texts"
            if effect.changed == 0
            else f"has no effect: penalties 1 and {high:g} gave different texts "
            f"{effect.count}, no more than chance does",
        )

    def _seed(self) -> Finding:
        first = Setting(temperature=1.0)
        effect = self._effect(first, Setting(temperature=1.0, seed_shift=OTHER_SEED), large=True)
        if isinstance(effect, str):
            return not_measured("seed", effect)
        pairs = 2 * effect.cells
        if effect.changed == 0:
            self.varies = False
            text = "cannot be seen: at temperature 1, two seeds gave the same texts"
            return Finding(topic="seed", state="note", text=text)
        if effect.repeated == pairs:
            text = f"works: equal requests got equal texts ({effect.repeated} of {pairs})"
            return ok("seed", text)
        return Finding(
            topic="seed",
            state="note",
            text=f"not kept: equal requests got equal texts {effect.repeated} times of {pairs}",
            advice="a run cannot be repeated by its seed: record it (cache) and replay it",
        )

    def _top_p(self) -> Finding:
        first = Setting(temperature=1.0)
        effect = self._effect(first, Setting(temperature=1.0, top_p=0.05), large=True)
        if isinstance(effect, str):
            return not_measured("top-p", effect)
        if effect.kind == "works":
            return ok("top-p", f"works: 1 and 0.05 gave different texts {effect.count}")
        how = "has no effect" if effect.kind == "none" else "cannot be told from chance"
        return Finding(
            topic="top-p",
            state="note",
            text=f"{how}: 1 and 0.05 gave different texts {effect.count}",
            advice="without it, texts fall apart at lower temperatures: narrow their range",
        )

    def _max_tokens(self) -> Finding:
        setting = Setting(temperature=self._bounds.temperature_min)
        question = Question(prompt=PROMPTS[2], seed=1)
        request = _request(self._model.name, setting, question, max_tokens=FEW_TOKENS)
        completion = self._generate([request])[0]
        if completion.error is not None:
            return not_measured("max tokens", completion.error)
        if len(completion.text) <= FEW_TOKENS * LONGEST_TOKEN:
            return ok("max tokens", f"kept: a reply of at most {FEW_TOKENS} tokens was that short")
        return Finding(
            topic="max tokens",
            state="PROBLEM",
            text=f"not kept: asked for {FEW_TOKENS} tokens, got {len(completion.text)} characters",
            advice="replies would cost more than budgets foresee, and plans could hold answers",
        )

    def _speed(self) -> Finding:
        setting = Setting(temperature=1.0)
        times_s: list[float] = []
        for index in range(ALONE):
            question = Question(prompt=PROMPTS[index % len(PROMPTS)], seed=index + 1)
            start_s = time.monotonic()
            completion = self._generate([_request(self._model.name, setting, question)])[0]
            times_s.append(time.monotonic() - start_s)
            if completion.error is not None:
                return not_measured("speed", completion.error)
        # New prompts, so that no cache helps and no two can be sent as one request.
        questions = [
            Question(prompt=f"{index + 1}. {PROMPTS[index % len(PROMPTS)]}", seed=index + 1)
            for index in range(TOGETHER)
        ]
        start_s = time.monotonic()
        self._generate([_request(self._model.name, setting, question) for question in questions])
        together_s = time.monotonic() - start_s
        return ok(
            "speed",
            f"{statistics.median(times_s):.2f} s for a reply of {MAX_TOKENS} tokens (median), "
            f"{together_s:.2f} s for {TOGETHER} at once ({TOGETHER / together_s:.0f} a second)",
        )

    # --- requests -----------------------------------------------------------------------------

    def _effect(self, first: Setting, second: Setting, *, large: bool) -> Effect | str:
        """Return the effect, or the reason why it could not be measured."""
        try:
            return self._sampler.effect(first, second, large=large)
        except CannotMeasureError as error:
            return str(error)

    def _ask(self, setting: Setting, questions: Sequence[Question]) -> list[str]:
        requests = [_request(self._model.name, setting, question) for question in questions]
        completions = self._generate(requests)
        for completion in completions:
            if completion.error is not None:
                raise CannotMeasureError(completion.error)
        return [completion.text for completion in completions]

    def _generate(self, requests: list[ChatRequest]) -> list[Completion]:
        completions = self._model.generate(requests)
        self._report(len(requests))
        return completions


def _request(
    name: str, setting: Setting, question: Question, max_tokens: int = MAX_TOKENS
) -> ChatRequest:
    return ChatRequest(
        messages=(Message(role="user", content=question.prompt),),
        temperature=setting.temperature,
        repetition_penalty=setting.repetition_penalty,
        top_p=setting.top_p,
        max_tokens=max_tokens,
        seed=question.seed + setting.seed_shift,
        model=name,
        role="execute",
    )
