"""Fitting prompts into the context limit of a model.

A prompt that is too long is shortened part by part, in the order that the caller gives: the least
important part comes first. The game cuts responses, then the strategy, then the question. Each part
loses its beginning, because responses end with their answer and questions with what they ask.
Several texts of one part (responses) are cut to one common length, so that a long one cannot push
the others out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from econ_env.errors import EconError
from econ_env.llm.types import TOKENS_PER_MESSAGE, Message

PartName = Literal["responses", "strategy", "question"]

CUT_MARK = "... "
"""Mark in the place of a beginning that was cut."""


class PromptTooLong(EconError):
    """A prompt does not fit into the context limit even with all admissible cuts."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """Limits on the text that a model accepts."""

    context_limit: int | None
    """Maximum tokens of prompt and completion together; None: unknown, nothing is cut."""
    count_tokens: Callable[[str], int]
    """Function that counts the tokens of a text with the model's own tokenizer."""
    tokens_per_message: int = TOKENS_PER_MESSAGE
    """Number of tokens that the chat template adds to one message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a prompt that may be cut."""

    name: PartName
    texts: tuple[str, ...]
    minimum: int = 0
    """Minimum number of characters that every text keeps; shorter texts stay whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """Record of one shortened part; the counts are of the whole prompt."""

    part: PartName
    tokens_before: int
    tokens_after: int


Texts = Sequence[tuple[str, ...]]
"""The texts of all parts, in the order of the parts."""


def surely_fits(messages: Sequence[Message], limits: ModelLimits, max_tokens: int) -> bool:
    """True if the prompt certainly fits, judged without counting tokens.

    A byte-level tokenizer makes at most one token per byte, so the number of bytes is a cheap upper
    bound.
    """
    if limits.context_limit is None:
        return True
    room = limits.context_limit - max_tokens - limits.tokens_per_message * len(messages)
    return sum(_utf8_length(message.content) for message in messages) <= room


def fit(
    render: Callable[[Texts], tuple[Message, ...]],
    parts: Sequence[Part],
    limits: ModelLimits,
    max_tokens: int,
) -> tuple[tuple[Message, ...], list[Cut]]:
    """Shorten a prompt until it and ``max_tokens`` fit into the context limit.

    The length to keep is found by doubling and halving, so a part of L characters costs at most
    2·log2(L) + 2 counts.

    Args:
        render: function that makes the prompt from the texts of all parts.
        parts: parts that may be cut, in the order of cutting.
        limits: limits of the model that gets the prompt.
        max_tokens: length of the completion to leave room for, in tokens.

    Returns:
        The messages of the prompt, and the cuts that were made.

    Raises:
        PromptTooLong: the prompt does not fit even with every part at its minimum; the message
            gives the lengths.
    """
    texts = [part.texts for part in parts]
    messages = render(texts)
    tokens = _count(messages, limits)
    if limits.context_limit is None or tokens + max_tokens <= limits.context_limit:
        return messages, []
    room = limits.context_limit - max_tokens
    cuts = []
    for index, part in enumerate(parts):
        before = tokens
        longest = max(map(len, part.texts), default=0)
        if longest <= part.minimum:
            continue

        def measure(kept: int, index: int = index) -> tuple[tuple[Message, ...], int]:
            cut = tuple(_tail(text, kept) for text in parts[index].texts)
            attempt = render([*texts[:index], cut, *texts[index + 1 :]])
            return attempt, _count(attempt, limits)

        kept = _longest_that_fits(lambda kept: measure(kept)[1] <= room, part.minimum, longest)
        messages, tokens = measure(kept)
        texts[index] = tuple(_tail(text, kept) for text in part.texts)
        cuts.append(Cut(part=part.name, tokens_before=before, tokens_after=tokens))
        if tokens <= room:
            return messages, cuts
    raise PromptTooLong(
        f"its context limit is {limits.context_limit} tokens and the completion needs "
        f"{max_tokens}, but the shortest possible prompt has {tokens}"
    )


def _longest_that_fits(fits: Callable[[int], bool], shortest: int, longest: int) -> int:
    """The largest length in [shortest, longest) that fits; ``shortest`` if none does."""
    if not fits(shortest):
        return shortest
    # Doubling first: texts that are counted stay about as short as the result, not as the text.
    low, step = shortest, 64
    while low + step < longest and fits(low + step):
        low += step
        step *= 2
    high = min(low + step, longest)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def _tail(text: str, kept: int) -> str:
    if kept == 0:
        return ""
    # The mark must not make the text longer than before the cut.
    if len(text) <= kept + len(CUT_MARK):
        return text
    return CUT_MARK + text[len(text) - kept :]


def _count(messages: Sequence[Message], limits: ModelLimits) -> int:
    return sum(limits.count_tokens(m.content) + limits.tokens_per_message for m in messages)


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
