"""From chat messages to the tokens of a prompt, with message text that cannot pose as control.

A response of one model travels into the prompt of another. If it contains the literal text of a
control token, ``<|end|>`` say, a tokenizer would turn it into the token itself, and a message
could end its own turn and write the next. So such literals are broken up before the chat template
is applied, and the result is checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from econ_env.llm.types import Message, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PromptError(Exception):
    """Messages that cannot become a prompt for this model. The text is for people."""


class PromptEncoder:
    """Encodes messages with a tokenizer and its chat template.

    Raises:
        ModelError: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, source: str) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                f"The tokenizer of {source!r} has no chat template, so messages cannot become a "
                "prompt. Use the instruction-tuned version of this model, or save a template: "
                "tokenizer.chat_template = '...'; tokenizer.save_pretrained(folder)."
            )
        self._tokenizer = tokenizer
        template = str(tokenizer.chat_template)
        # Not every control token is marked special: what the template itself writes counts too.
        control = {
            token_id: token.content
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special or (token.content in template and not token.content.isspace())
        }
        self._control_ids = frozenset(control)
        # Longest first: of two literals that begin alike, the whole one is broken.
        literals = sorted(filter(None, control.values()), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, literals))) if literals else None

    def encode(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt's tokens, ending where the assistant's turn begins.

        Raises:
            PromptError: the template refuses the messages (a system message, say, where the
                model knows none), or a control token cannot be kept out of their text.
        """
        from jinja2 import TemplateError

        if not messages:
            raise PromptError("the request has no messages")
        chat = [
            {"role": message.role, "content": self._plain(message.content)} for message in messages
        ]
        try:
            text = self._tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, ValueError) as error:
            raise PromptError(f"the model's chat template refused the messages: {error}") from error
        return tuple(self._tokens(str(text)))

    def count(self, text: str) -> int:
        """Number of tokens of ``text``, without a template around it."""
        return len(self._tokens(text))

    def _tokens(self, text: str) -> list[int]:
        # Halves of surrogate pairs, which a model's broken output may hold, become "?".
        valid = text.encode("utf-8", "replace").decode("utf-8")
        # verbose=False: the context limit is checked by the caller, per request and with numbers.
        encoded = self._tokenizer(valid, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    def _plain(self, content: str) -> str:
        """``content`` with a space inside every literal of a control token."""
        if self._control is None:
            return content
        while self._control.search(content):
            content = self._control.sub(_broken, content)
        # Normalisation can still produce a control token from text that does not contain it.
        if self._control_ids.intersection(self._tokens(content)):
            raise PromptError("a message contains a control token that cannot be broken up")
        return content


def _broken(match: re.Match[str]) -> str:
    literal = match.group()
    return f"{literal[0]} {literal[1:]}" if len(literal) > 1 else " "
