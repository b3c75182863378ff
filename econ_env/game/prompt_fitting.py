"""Fitting prompts into the context limit of a model.

A prompt that is too long is shortened part by part, in the order that the writer of the prompt
gives: what the team can best do without comes first. The game cuts responses, then the strategy,
then the question. Each part loses its beginning, because answers stand at the end of responses and
what is asked at the end of questions. Several texts of one part (responses) are cut to one common
length, so that a long one cannot push the others out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from econ_env.errors import EconError
from econ_env.llm.types import TOKENS_PER_MESSAGE, Message

PartName = Literal["responses", "strategy", "question"]

CUT_MARK = "... "
"""Stands where the beginning of a text was cut."""


class PromptTooLong(EconError):
    """No admissible cut makes a prompt fit."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """How much text a model takes."""

    context_limit: int | None
    """Tokens of prompt and completion together; None: not known, nothing is ever cut."""
    count_tokens: Callable[[str], int]
    """Number of tokens of a text, of its own tokenizer."""
    tokens_per_message: int = TOKENS_PER_MESSAGE
    """What a chat template adds to one message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a prompt that may be cut."""

    name: PartName
    texts: tuple[str, ...]
    minimum: int = 0
    """Characters that every text keeps at least (less where it is shorter)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """One part was shortened; the counts are of the whole prompt."""

    part: PartName
    tokens_before: int
    tokens_after: int


Texts = Sequence[tuple[str, ...]]
"""The texts of all parts, in the order of the parts."""


def surely_fits(messages: Sequence[Message], limits: ModelLimits, max_tokens: int) -> bool:
    """Whether the prompt fits for certain, judged without counting tokens.

    A byte-level tokenizer makes at most one token of a byte, so the number of bytes is a bound
    that costs nothing.
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
    """The prompt, shortened until it and ``max_tokens`` fit into the context limit.

    The length kept is found by doubling and halving, so a part of L characters costs at most
    2·log2(L) + 2 counts.

    Args:
        render: makes the prompt of the texts of all parts.
        parts: what may be cut, in the order of cutting.
        limits: of the model that will be asked.
        max_tokens: length of the completion to leave room for.

    Raises:
        PromptTooLong: it does not fit even with every part at its minimum; the message gives
            the lengths.
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
    # Doubling first: the counts stay as cheap as what is kept, however long the text is.
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
    # The mark must not make a text longer than it was.
    if len(text) <= kept + len(CUT_MARK):
        return text
    return CUT_MARK + text[len(text) - kept :]


def _count(messages: Sequence[Message], limits: ModelLimits) -> int:
    return sum(limits.count_tokens(m.content) + limits.tokens_per_message for m in messages)


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
