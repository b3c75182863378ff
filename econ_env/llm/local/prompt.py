"""From chat messages to the tokens of a prompt, with message text that cannot pose as control.

A response of one model travels into the prompt of another. If it contains the literal text of a
control token, ``<|end|>`` say, a tokenizer would turn it into the token itself, and a message
could end its own turn and write the next. Some templates mark turns with ordinary text instead,
``[/INST]`` say, and there the text alone is enough. So both are broken up before the chat template
is applied, and that no control token is left is checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from econ_env.llm.local.chat_template import ChatTemplate, PromptError, Trial, fold_system
from econ_env.llm.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SHORTEST_MARKER = 3
"""Characters. Shorter texts between turns, such as ``A:``, are too common to be broken up."""

_TAG = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]")
"""A marker in brackets, which counts without the rest of its line too."""


class PromptEncoder:
    """Encodes messages with a tokenizer and its chat template.

    Where the template knows no system message, its text goes in front of the user's first message.

    Args:
        tokenizer: the model's.
        source: the model's name, for errors.

    Raises:
        ModelError: the tokenizer has no chat template, or one that cannot write a prompt.
    """

    tokens_per_message: int
    """What the template adds to one message at most, measured on short conversations."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, source: str) -> None:
        self._template = ChatTemplate(tokenizer, source=source)
        self._tokenizer = tokenizer
        # Not every control token is marked special: what the template itself writes counts too.
        control = {
            token_id: token.content
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.special
            or (token.content in self._template.source and not token.content.isspace())
        }
        self._control_ids = frozenset(control)
        tokens = set(filter(None, control.values()))
        self._control = _any_of(tokens | _turn_markers(self._template.trials, tokens))
        self.tokens_per_message = max(map(self._overhead, self._template.trials))

    def encode(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The prompt's tokens, ending where the assistant's turn begins.

        Raises:
            PromptError: the template refuses the messages, or a control token cannot be kept out
                of their text.
        """
        if not messages:
            raise PromptError("the request has no messages")
        if not self._template.takes_system:
            messages = fold_system(messages)
        plain = [
            Message(role=message.role, content=self._plain(message.content)) for message in messages
        ]
        return tuple(self._tokens(self._template.render(plain)))

    def count(self, text: str) -> int:
        """Number of tokens that ``text`` takes in a prompt, without a template around it."""
        return len(self._tokens(self._broken_up(text)))

    def _tokens(self, text: str) -> list[int]:
        # Halves of surrogate pairs, which a model's broken output may hold, become "?".
        valid = text.encode("utf-8", "replace").decode("utf-8")
        # verbose=False: the context limit is checked by the caller, per request and with numbers.
        encoded = self._tokenizer(valid, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    def _overhead(self, trial: Trial) -> int:
        """Tokens that the template adds to one message of ``trial``, rounded up."""
        contents = sum(self.count(message.content) for message in trial.messages)
        return math.ceil((len(self._tokens(trial.text)) - contents) / len(trial.messages))

    def _plain(self, content: str) -> str:
        """``content`` with a space inside every control token's literal and every turn marker."""
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
    """Texts, a line or a tag each, that a template writes around messages beside control tokens.

    Not among them: plain words, such as the ``user`` of ``<|im_start|>user``, and very short texts.
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
    """Matches any of the literals; None: there are none."""
    # Longest first: of two literals that begin alike, the whole one is broken.
    ordered = sorted(literals, key=lambda literal: (-len(literal), literal))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _broken(match: re.Match[str]) -> str:
    literal = match.group()
    return f"{literal[0]} {literal[1:]}" if len(literal) > 1 else " "
