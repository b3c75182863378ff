"""The chat template of a tokenizer: tried out when loaded, and rendered with a fixed date.

A template is a program that comes with a model, and templates differ in the messages they accept
and the text they write. So each is run on a few known conversations when the model is loaded: that
shows at once, and not in the middle of an episode, which messages it refuses, and which text it
writes around messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from econ_env.errors import EconError
from econ_env.grading.turns import opened_thought
from econ_env.llm.types import Message, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = "26 Jul 2024"
"""The date that every template gets as today: the default of Llama 3.1."""

_DATE_PARTS = {
    "%d": "26",
    "%-d": "26",
    "%m": "07",
    "%b": "Jul",
    "%B": "July",
    "%Y": "2024",
    "%y": "24",
    "%a": "Fri",
    "%A": "Friday",
    "%H": "12",
    "%M": "00",
    "%S": "00",
}
# transformers gives templates a function strftime_now that reads the clock, and replaces any
# function passed instead by its text. A macro of that name, in front of the template, hides it.
_FIXED_CLOCK = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f"|replace('{code}', '{part}')" for code, part in _DATE_PARTS.items())
    + " }}{% endmacro %}\n"
)

_SYSTEM = Message(role="system", content="econprobesystem")
_USER = Message(role="user", content="econprobeuser")
_ASSISTANT = Message(role="assistant", content="econprobeassistant")
_PROBES = re.compile("|".join(probe.content for probe in (_SYSTEM, _USER, _ASSISTANT)))


class PromptError(EconError):
    """Messages cannot become a prompt for this model. The text is for people."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A known conversation, and the text that the template made of it."""

    messages: tuple[Message, ...]
    text: str

    def frame(self) -> list[str]:
        """Return the template's own text: the line before the first message, and all after it."""
        before, *after = _PROBES.split(self.text)
        return [(before.strip().splitlines() or [""])[-1], *after]


class ChatTemplate:
    """A tokenizer's chat template.

    Args:
        tokenizer: tokenizer with the template.
        source: the model's name, for errors.

    Raises:
        ModelError: there is no chat template, or it cannot render a single user message.
    """

    takes_system: bool
    """True if a system message is accepted and appears in the prompt."""
    opened_thought: str
    """Tag with which every prompt ends, so that the model begins inside a thought; or empty."""
    trials: tuple[Trial, ...]
    """Conversations that were tried and not refused."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, source: str) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                f"The tokenizer of {source!r} has no chat template, so messages cannot become a "
                "prompt. Use the instruction-tuned version of this model, or save a template: "
                "tokenizer.chat_template = '...'; tokenizer.save_pretrained(folder)."
            )
        self._tokenizer = tokenizer
        try:
            self.source = str(tokenizer.get_chat_template())
            alone = Trial(messages=(_USER,), text=self.render((_USER,)))
        except (PromptError, ValueError) as error:
            raise ModelError(
                f"The chat template of {source!r} cannot render a single user message ({error}). "
                "Use another version of this model, or save a template that can: "
                "tokenizer.chat_template = '...'; tokenizer.save_pretrained(folder)."
            ) from error
        if _USER.content not in alone.text:
            raise ModelError(
                f"The chat template of {source!r} leaves out the user's text: it is not a "
                "template for plain text. Use an instruction-tuned text model."
            )
        self.opened_thought = opened_thought(alone.text)
        with_system = self._try((_SYSTEM, _USER))
        self.takes_system = any(_SYSTEM.content in trial.text for trial in with_system)
        self.trials = (alone, *with_system, *self._try((_USER, _ASSISTANT, _USER)))

    def render(self, messages: Sequence[Message]) -> str:
        """Render the prompt up to the beginning of the assistant's turn. The date is :data:`DATE`.

        A template that can switch thinking off does so: a thought would not end within the token
        limits of the game.

        Raises:
            PromptError: the template refuses the messages.
        """
        clock = _FIXED_CLOCK if "strftime_now" in self.source else ""
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": message.role, "content": message.content} for message in messages],
                chat_template=clock + self.source,
                tokenize=False,
                add_generation_prompt=True,
                date_string=DATE,
                enable_thinking=False,
            )
        except Exception as error:  # a template can divide by zero or call itself without end
            raise PromptError(f"the model's chat template refused the messages: {error}") from error
        return str(text)

    def _try(self, messages: tuple[Message, ...]) -> list[Trial]:
        """Return the trial in a list; an empty list if the template refuses these messages."""
        try:
            return [Trial(messages=messages, text=self.render(messages))]
        except PromptError:
            return []
