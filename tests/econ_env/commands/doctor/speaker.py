"""Something that talks like a language model, for the misbehaving server."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from tests.misbehaving_server import Answer, Ask


def speaker(
    *,
    temperature: bool = True,
    penalty: bool = True,
    seeds: bool = True,
    top_p: bool = True,
    max_tokens: bool = True,
    greedy: bool = False,
) -> Answer:
    """Writes the usual word again and again, and others in between the more the hotter it is.

    Each argument says whether the speaker heeds something. Without ``temperature`` it is always
    as hot as at 1, and with ``greedy`` always cold. Without ``seeds`` equal requests get different
    texts, which depend on how often the same was asked and not on what came between.
    """
    asked: dict[str, Iterator[int]] = {}

    def answer(ask: Ask) -> str:
        times = 0 if seeds else next(asked.setdefault(repr(ask), itertools.count()))
        seed = ask.seed if seeds else f"{times} {ask!r}"
        rng = random.Random(f"{seed} {ask.messages}")
        heat = (ask.temperature if temperature else 1.0) * (ask.top_p if top_p else 1.0) / 2
        if greedy:
            heat = 0.0
        usual = f"word{ask.penalty:g}{ask.frequency_penalty:g}" if penalty else "word"
        length = min(ask.max_tokens, 24) if max_tokens else 24
        words = [
            f"other{rng.randrange(99)}" if rng.random() < heat else usual for _ in range(length)
        ]
        return " ".join(words)

    return answer
