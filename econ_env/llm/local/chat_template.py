"""The chat template of a tokenizer: tried out once, and rendered without looking at the clock.

A template is a program that comes with a model, and models differ in what theirs accepts and
writes. So it is run on a few known conversations when the model is loaded: what it refuses is known
then and not in the middle of an episode, and what it writes around the messages is known too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from econ_env.errors import EconError
from econ_env.llm.types import Message, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = "26 Jul 2024"
"""The day that every template takes for today: the one that Llama 3.1 falls back to."""

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
# transformers hands templates a function strftime_now that reads the clock, and makes a text of any
# function that is passed in its place. A macro of that name, in front of the template, hides it.
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
    """Messages that cannot become a prompt for this model. The text is for people."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A known conversation and what the template made of it."""

    messages: tuple[Message, ...]
    text: str

    def frame(self) -> list[str]:
        """What the template wrote: the line before the first message, and all that follows it."""
        before, *after = _PROBES.split(self.text)
        return [(before.strip().splitlines() or [""])[-1], *after]


class ChatTemplate:
    """A tokenizer's chat template.

    Args:
        tokenizer: has the template.
        source: the model's name, for errors.

    Raises:
        ModelError: there is no chat template, or it cannot write a single message of a user.
    """

    takes_system: bool
    """Whether a system message is accepted and appears in the prompt."""
    trials: tuple[Trial, ...]
    """The conversations that it was tried on and did not refuse."""

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
                f"The chat template of {source!r} cannot write one message of a user ({error}). "
                "Use another version of this model, or save a template that can: "
                "tokenizer.chat_template = '...'; tokenizer.save_pretrained(folder)."
            ) from error
        if _USER.content not in alone.text:
            raise ModelError(
                f"The chat template of {source!r} leaves out what the user says: it is not a "
                "template for plain text. Use an instruction-tuned text model."
            )
        with_system = self._try((_SYSTEM, _USER))
        self.takes_system = any(_SYSTEM.content in trial.text for trial in with_system)
        self.trials = (alone, *with_system, *self._try((_USER, _ASSISTANT, _USER)))

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt as text, up to where the assistant's turn begins. Today is :data:`DATE`.

        Raises:
            PromptError: the template refuses the messages.
        """
        from jinja2 import TemplateError

        clock = _FIXED_CLOCK if "strftime_now" in self.source else ""
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": message.role, "content": message.content} for message in messages],
                chat_template=clock + self.source,
                tokenize=False,
                add_generation_prompt=True,
                date_string=DATE,
            )
        except (TemplateError, ValueError, TypeError) as error:
            raise PromptError(f"the model's chat template refused the messages: {error}") from error
        return str(text)

    def _try(self, messages: tuple[Message, ...]) -> list[Trial]:
        """The trial, or nothing where the template refuses these messages."""
        try:
            return [Trial(messages=messages, text=self.render(messages))]
        except PromptError:
            return []


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """``messages`` for a model that knows no system message.

    Their text goes in front of the first message of the user, or becomes one where there is none.
    """
    system = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    if not system:
        return rest
    first = next((i for i, message in enumerate(rest) if message.role == "user"), None)
    if first is None:
        return [Message(role="user", content="\n\n".join(system)), *rest]
    content = "\n\n".join([*system, rest[first].content])
    return [*rest[:first], Message(role="user", content=content), *rest[first + 1 :]]
