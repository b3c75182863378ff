"""Every prompt of the game, as two named sets: ``DEFAULT`` and ``COMPACT``.

``DEFAULT`` speaks to instruction-tuned models (system and user message, reference: section 5 of
the paper). ``COMPACT`` is what the bundled models are trained on and the simulated model reads.

All that a prompt encloses (question, strategy, responses) was written by somebody else and is
data. A response must not pose as an instruction or as another executor:

* ``COMPACT`` flattens every part to one line. Only the prompt itself starts lines, so a response
  that contains ``A2: ...`` stays in the middle of its own line.
* ``DEFAULT`` encloses every part in tags whose name ends in a nonce, a hash of the contents: a
  part cannot know the hash of a text that it is itself a part of. Look-alikes of the tags are
  defused all the same, since a model does not compare a nonce as strictly as a parser does.

Prompts depend on their arguments only: the same game sends byte-equal requests. The executors of
a group get one and the same prompt, so that a local model reads it once for all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from econ_env.llm.types import Message, Role

MAX_STRATEGY_TOKENS = 50
"""The paper's cap on a strategy (section 3.1), here a hard one."""

MAX_VALUE_CHARACTERS = 200
"""A commitment's value is cut to this length where a prompt shows it: answers are short."""

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Controls (every line break that ``str.splitlines`` knows is one, or is U+2028/2029), and lone
surrogates, which no tokenizer can encode."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""The same without tab and newline, which a tagged block may keep."""

_TAG_LOOK_ALIKE = re.compile(
    r"[<＜‹〈](?=\s*[/／]?\s*(?:question|plan|response|conclusion)_)", re.I
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLimits:
    """``max_tokens`` of the three kinds of calls."""

    strategy: int
    execute: int
    commit: int

    def of(self, role: Role) -> int:
        """The limit of ``role``; a local role has that of the global one."""
        if role == "execute":
            return self.execute
        return self.strategy if role in ("strategy", "local_strategy") else self.commit


class PromptSet(Protocol):
    """How the game speaks to a family of models."""

    @property
    def name(self) -> str:
        """Name in configurations and records."""

    @property
    def max_tokens(self) -> TokenLimits:
        """Longest completion of each kind of call; ``strategy`` at most 50."""

    def strategy(self, question: str) -> tuple[Message, ...]:
        """Ask the coordinator for a plan that does not state the answer."""

    def local_strategy(self, question: str, strategy: str, group: int = 0) -> tuple[Message, ...]:
        """Ask the coordinator of group number ``group`` to turn the team's plan into its own."""

    def execute(
        self, question: str, strategy: str, last_value: str | None = None
    ) -> tuple[Message, ...]:
        """Ask an executor to answer; ``last_value`` is the standing commitment's, if any."""

    def commit(self, question: str, strategy: str, responses: Sequence[str]) -> tuple[Message, ...]:
        """Ask a coordinator to conclude from ``responses``, in the order of its members."""

    def conclusion(self, value: str | None, reason: str) -> str:
        """A local commitment as the response that the next coordinator above reads."""


def flatten(text: str) -> str:
    """``text`` on one line: every run of line breaks and control characters becomes a space."""
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub(" ", text).strip()


def render_value(value: str | None) -> str:
    """The value of a commitment as prompts show it: one short line, empty for None."""
    return "" if value is None else flatten(value)[:MAX_VALUE_CHARACTERS]


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactPrompts:
    """One user message of lines ``name: text``; a line without content is left out.

    ::

        plan: {question}                     a strategy; a second line "plan: {strategy}" asks
                                             for a local strategy

        solve: {question}                    a response
        plan: {strategy}
        last: {value}

        commit: {question}                   a commitment
        plan: {strategy}
        A1: {response}
        A2: {response}
    """

    name: str = "compact"
    max_tokens: TokenLimits = TokenLimits(strategy=24, execute=96, commit=160)

    def strategy(self, question: str) -> tuple[Message, ...]:
        """See :meth:`PromptSet.strategy`."""
        return _lines(("plan", question))

    def local_strategy(self, question: str, strategy: str, group: int = 0) -> tuple[Message, ...]:
        """See :meth:`PromptSet.local_strategy`; ``group`` does not change this prompt."""
        return _lines(("plan", question), ("plan", strategy))

    def execute(
        self, question: str, strategy: str, last_value: str | None = None
    ) -> tuple[Message, ...]:
        """See :meth:`PromptSet.execute`."""
        return _lines(("solve", question), ("plan", strategy), ("last", render_value(last_value)))

    def commit(self, question: str, strategy: str, responses: Sequence[str]) -> tuple[Message, ...]:
        """See :meth:`PromptSet.commit`."""
        numbered = [(f"A{number}", text) for number, text in enumerate(responses, 1)]
        return _lines(("commit", question), ("plan", strategy), *numbered)

    def conclusion(self, value: str | None, reason: str) -> str:
        """Reason and boxed value: the form of an executor's response."""
        boxed = "" if value is None else rf"\boxed{{{render_value(value)}}}"
        return " ; ".join(part for part in (flatten(reason), boxed) if part)


def _lines(*parts: tuple[str, str]) -> tuple[Message, ...]:
    content = "\n".join([f"{name}: {flat}" for name, text in parts if (flat := flatten(text))])
    return (Message(role="user", content=content),)


COMPACT = CompactPrompts()
"""For the bundled and the simulated models."""
