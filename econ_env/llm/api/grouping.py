"""Grouping of requests that differ only in their seed into one request for several answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from econ_env.llm.api.reply import CHARACTERS_PER_TOKEN, Choice, Reply, estimated_tokens
from econ_env.llm.types import ChatRequest, Usage


def group_requests(requests: Sequence[ChatRequest], largest: int) -> list[tuple[int, ...]]:
    """Return the positions of ``requests`` in groups of at most ``largest``, each sent as one.

    The first request of a group provides the seed, and the answers go to the members in their
    order: both follow from the requests alone. Equal seeds are never in one group, because equal
    requests must get equal answers. Greedy requests stay alone: their answers would be copies, and
    vLLM refuses ``n`` without sampling.
    """
    groups: dict[object, list[tuple[int, ...]]] = {}
    seen: Counter[ChatRequest] = Counter()
    alone = 0
    for index, request in enumerate(requests):
        if request.temperature <= 0 or largest == 1:
            alone += 1
            groups[alone] = [(index,)]
            continue
        seen[request] += 1
        members = groups.setdefault((replace(request, seed=0), seen[request]), [])
        if members and len(members[-1]) < largest:
            members[-1] += (index,)
        else:
            members.append((index,))
    return sorted(group for members in groups.values() for group in members)


_SHORT_TEXTS = 200
"""Characters of all answers up to which their tokens say too little."""


def counts_too_few(reply: Reply) -> bool:
    """True if the server cannot have counted the tokens of all of several answers.

    llama.cpp reports those of the first one alone.
    """
    if reply.usage is None or len(reply.choices) < 2:
        return False
    written = sum(len(choice.text) for choice in reply.choices if isinstance(choice, Choice))
    most = CHARACTERS_PER_TOKEN * reply.usage.completion_tokens
    return written > max(_SHORT_TEXTS, most)


def with_all_counted(reply: Reply) -> Reply:
    """Return ``reply`` with estimated completion tokens, for one that :func:`counts_too_few`."""
    texts = [choice.text for choice in reply.choices if isinstance(choice, Choice)]
    usage = reply.usage or Usage()
    return replace(reply, usage=replace(usage, completion_tokens=estimated_tokens(texts)))


def shared_usage(reply: Reply, prompt: Sequence[str]) -> tuple[Usage, ...]:
    """Return the usage of each answer of ``reply``; they add up to what the server counted.

    The prompt was read once, so the first answer carries its tokens. Completion tokens are divided
    in proportion to the lengths of the texts. If the server counted nothing, both are estimated.

    Args:
        reply: the answers to one HTTP request.
        prompt: the texts of its messages.
    """
    texts = [choice.text if isinstance(choice, Choice) else "" for choice in reply.choices]
    total = reply.usage
    if total is None:
        total = Usage(
            prompt_tokens=estimated_tokens(prompt), completion_tokens=estimated_tokens(texts)
        )
    lengths = [len(text) + 1 for text in texts]
    shares = []
    before = given = 0
    for length in lengths:
        before += length
        # Rounding the running total keeps the sum exact.
        upto = total.completion_tokens * before // sum(lengths)
        shares.append(Usage(completion_tokens=upto - given))
        given = upto
    shares[0] = replace(
        shares[0], prompt_tokens=total.prompt_tokens, cached_tokens=total.cached_tokens
    )
    return tuple(shares)
