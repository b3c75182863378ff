"""Prompts of the baselines, one form for each prompt set of the game.

``plain`` and ``default`` are for models that follow instructions: the question as an executor gets
it, without a strategy, and a debate after Du et al. (2023), in which every agent keeps its
conversation and is shown the others' last solutions.
``compact`` has only the forms that the bundled models were trained on. Only one of these, the
request for a commitment, shows a model the responses of others, so later rounds of a debate use it.

Text of other models is quoted here as in the game: it stands in tags with a nonce, or flattened to
a line of its own, never where instructions stand. Only an agent's own words come back to it as its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from econ_env.game.parsing import parse_commitment
from econ_env.game.prompts import (
    COMPACT,
    PLAIN,
    CompactPrompts,
    DefaultPrompts,
    PlainPrompts,
    PromptSet,
    enclosed,
)
from econ_env.grading.answers import extract
from econ_env.llm.types import Message, Role
from econ_env.text import encodable

Exchange: TypeAlias = Sequence[str]
"""One agent's view of one debate round: its own response, then the others'."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A parsed completion."""

    text: str
    """Text that the next round shows."""
    answer: str | None


class BaselinePrompts(Protocol):
    """Prompts of the baselines, and parsers of the replies, for one family of models."""

    @property
    def game(self) -> PromptSet:
        """Prompt set of the game for these models; its token limits hold for baselines too."""

    @property
    def discussion_role(self) -> Role:
        """Role of the requests in later rounds of a debate, one of the game's roles."""

    def solve(self, question: str) -> tuple[Message, ...]:
        """Ask for worked steps and an answer, given the question alone."""

    def read_solution(self, text: str) -> Reply:
        """Parse a reply to :meth:`solve`."""

    def discuss(self, question: str, exchanges: Sequence[Exchange]) -> tuple[Message, ...]:
        """Ask for an answer once more, after at least one round."""

    def read_discussion(self, text: str) -> Reply:
        """Parse a reply to :meth:`discuss`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactBaselines:
    """The forms of ``COMPACT``, without a plan."""

    game: CompactPrompts = COMPACT
    discussion_role: Role = field(default="commit", init=False)

    def solve(self, question: str) -> tuple[Message, ...]:
        """See :meth:`BaselinePrompts.solve`."""
        return self.game.execute(question, "")

    def read_solution(self, text: str) -> Reply:
        """See :meth:`BaselinePrompts.read_solution`."""
        return _read(text)

    def discuss(self, question: str, exchanges: Sequence[Exchange]) -> tuple[Message, ...]:
        """See :meth:`BaselinePrompts.discuss`; this form has room for the last round only."""
        return self.game.commit(question, "", exchanges[-1])

    def read_discussion(self, text: str) -> Reply:
        """Return the value of the JSON object, with its reason as worked steps."""
        read = parse_commitment(encodable(text))
        return Reply(text=self.game.conclusion(read.value, read.reason), answer=read.value)


_DISCUSS = """\
Above is how other solvers answered the same question. Each of them may be right or wrong. \
Compare their work with yours step by step, follow whichever reasoning holds, and give your \
updated solution. End with the final answer alone in \\boxed{}."""

_NO_WORDS = "(no response)"
"""Stands for an empty response: servers refuse an empty message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainBaselines:
    """The plain question; in a debate, a conversation that grows from round to round."""

    game: PlainPrompts | DefaultPrompts = PLAIN
    discussion_role: Role = field(default="execute", init=False)

    def solve(self, question: str) -> tuple[Message, ...]:
        """See :meth:`BaselinePrompts.solve`."""
        return self.game.execute(question, "")

    def read_solution(self, text: str) -> Reply:
        """See :meth:`BaselinePrompts.read_solution`."""
        return _read(text)

    def discuss(self, question: str, exchanges: Sequence[Exchange]) -> tuple[Message, ...]:
        """See :meth:`BaselinePrompts.discuss`; every round so far is in it."""
        messages = list(self.solve(question))
        for own, *others in exchanges:
            shown = [(f"response_{number}", text) for number, text in enumerate(others, 1)]
            messages += [
                Message(role="assistant", content=own.strip() or _NO_WORDS),
                Message(role="user", content=enclosed(shown, _DISCUSS)),
            ]
        return tuple(messages)

    def read_discussion(self, text: str) -> Reply:
        """See :meth:`BaselinePrompts.read_discussion`."""
        return _read(text)


def baseline_prompts(game: PromptSet) -> BaselinePrompts | None:
    """Return the baselines' prompts that go with ``game``; None if there are none."""
    if isinstance(game, CompactPrompts):
        return CompactBaselines(game=game)
    if isinstance(game, (PlainPrompts, DefaultPrompts)):
        return PlainBaselines(game=game)
    return None


def _read(text: str) -> Reply:
    text = encodable(text)
    return Reply(text=text, answer=extract(text))
