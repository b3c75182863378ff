"""Chat messages to tokens and back; message text cannot act as control tokens.

A response of one model becomes part of the prompt of another. If it contains the literal text of a
control token, ``<|end|>`` for example, a tokenizer would turn it into the token itself, and a
message could end its own turn and write the next. Some templates mark turns with ordinary text,
``[/INST]`` for example, and there the text alone is enough. So both are broken up before the chat
template is applied, and a check follows that no control token is left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from econ_env.grading.turns import after_thought, has_thought
from econ_env.llm.local.chat_template import ChatTemplate, PromptError, Trial
from econ_env.llm.system_role import fold_system
from econ_env.llm.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SHORTEST_MARKER = 3
"""Shortest marker that is broken up, in characters. Shorter texts between turns, such as ``A:``,
are too common."""

_TAG = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]")
"""A marker in brackets, which counts even without the rest of its line."""


class PromptEncoder:
    """Encodes messages with a tokenizer and its chat template, and decodes what the model says.

    If the template has no system messages, their text is put in front of the first user message.

    Args:
        tokenizer: the model's tokenizer.
        source: the model's name, for errors.

    Raises:
        ModelError: the tokenizer has no chat template, or one that cannot write a prompt.
    """

    tokens_per_message: int
    """Most tokens that the template adds to a message, measured on short conversations."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, source: str) -> None:
        self._template = ChatTemplate(tokenizer, source=source)
        self._tokenizer = tokenizer
        # Not every control token is marked special: those in the template's own text count too.
        control = {
            token_id: token.content
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special
            or (token.content in self._template.source and not token.content.isspace())
        }
        self._control_ids = frozenset(control)
        self._thought_tags = {
            token_id: token.content
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special and has_thought(token.content)
        }
        tokens = set(filter(None, control.values()))
        self._control = _any_of(tokens | _turn_markers(self._template.trials, tokens))
        self.tokens_per_message = max(map(self._overhead, self._template.trials))

    def encode(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Return the prompt's tokens, up to the beginning of the assistant's turn.

        Raises:
            PromptError: the template refuses the messages, or a control token cannot be removed
                from their text.
        """
        if not messages:
            raise PromptError("the request has no messages")
        if not self._template.takes_system:
            messages = fold_system(messages)
        plain = [
            Message(role=message.role, content=self._plain(message.content)) for message in messages
        ]
        return tuple(self._tokens(self._template.render(plain)))

    @property
    def opens_thoughts(self) -> bool:
        """True if every prompt ends inside a thought, which the template has begun."""
        return bool(self._template.opened_thought)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of a completion, without special tokens and without a whole thought.

        A thought that the template began gets its opening tag back, so that it is recognised as a
        thought where nothing follows it.
        """
        parts = [self._template.opened_thought]
        start = 0
        for end, token in enumerate(tokens):
            if token in self._thought_tags:
                parts += [self._text(tokens[start:end]), self._thought_tags[token]]
                start = end + 1
        return after_thought("".join([*parts, self._text(tokens[start:])]))

    def _text(self, tokens: Sequence[int]) -> str:
        # The tokenizer must not tidy up spaces: the text must be exactly the model's.
        return str(
            self._tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def count(self, text: str) -> int:
        """Return the number of tokens of ``text`` in a prompt, without a template around it."""
        return len(self._tokens(self._broken_up(text)))

    def _tokens(self, text: str) -> list[int]:
        # Halves of surrogate pairs, possible in a model's broken output, become "?".
        valid = text.encode("utf-8", "replace").decode("utf-8")
        # verbose=False: the context limit is checked by the caller, per request and with numbers.
        encoded = self._tokenizer(valid, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    def _overhead(self, trial: Trial) -> int:
        """Return the tokens that the template adds to one message of ``trial``, rounded up."""
        contents = sum(self.count(message.content) for message in trial.messages)
        return math.ceil((len(self._tokens(trial.text)) - contents) / len(trial.messages))

    def _plain(self, content: str) -> str:
        """Break up control tokens and turn markers in ``content`` with a space in each."""
        content = self._broken_up(content)
        # Normalisation can still produce a control token from text that does not contain it.
        if self._control_ids.intersection(self._tokens(content)):
            raise PromptError("a message contains a control token that cannot be broken up")
        return content

    def _broken_up(self, content: str) -> str:
        if self._control is not None:
            while self._control.search(content):
                content = self._control.sub(_broken, content)
        return content


def _turn_markers(trials: Iterable[Trial], tokens: Iterable[str]) -> set[str]:
    """Return the texts, a line or a tag each, that a template writes around messages.

    Control tokens, plain words (such as the ``user`` of ``<|im_start|>user``) and very short texts
    are left out.
    """
    control = _any_of(tokens)
    lines = {
        part.strip()
        for trial in trials
        for frame in trial.frame()
        for line in frame.splitlines()
        for part in (control.split(line) if control else [line])
    }
    tags = {tag for line in lines for tag in _TAG.findall(line)}
    return {
        marker
        for marker in lines | tags
        if len(marker) >= _SHORTEST_MARKER and not marker.replace(" ", "").isalnum()
    }


def _any_of(literals: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of the literals; None: there are none."""
    # Longest first: if two literals begin alike, the longer one is broken up.
    ordered = sorted(literals, key=lambda literal: (-len(literal), literal))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _broken(match: re.Match[str]) -> str:
    literal = match.group()
    return f"{literal[0]} {literal[1:]}" if len(literal) > 1 else " "
