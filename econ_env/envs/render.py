"""Episodes for people: as text (``"ansi"``), printed (``"human"``) or drawn (``"rgb_array"``).

The text of a transcript grows only at its end, so a screen prints the new part.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from econ_env.envs.frame import Frame, draw_frame
from econ_env.game.transcript import (
    CommitmentRecord,
    DecisionRecord,
    ExecutorRecord,
    RoundRecord,
    ShortenedRecord,
    StrategyRecord,
    Transcript,
)
from econ_env.llm.types import Usage

RenderMode = Literal["ansi", "human", "rgb_array"]
RENDER_MODES: tuple[RenderMode, ...] = get_args(RenderMode)

_STYLES = {"title": "1", "good": "32", "bad": "31", "dim": "2", "name": "36"}

_CLOSED_BY = {
    "bne_rounds": "all rounds are played",
    "commitment_repeated": "the commitment repeated",
    "no_deviation": "no executor changed its action",
    "oscillation": "commitments went back and forth",
    "failed": "a request failed",
}
_WITHOUT_A_CALL = {
    "consensus": "all members agree",
    "majority": "most of those that count agree",
}


def check_render_mode(mode: str | None) -> RenderMode | None:
    """``mode`` if it can be rendered; ``ValueError`` otherwise."""
    for known in RENDER_MODES:
        if mode == known:
            return known
    if mode is None:
        return None
    raise ValueError(f"render_mode must be None, 'ansi', 'human' or 'rgb_array', got {mode!r}")


def render_as(mode: RenderMode | None, transcript: Transcript) -> str | Frame | None:
    """Return the episode as a text or a picture, None in the modes that return nothing."""
    if mode == "ansi":
        return render_transcript(transcript)
    return draw_frame(transcript) if mode == "rgb_array" else None


def use_colour() -> bool:
    """True if standard output is a terminal that shows colours and NO_COLOR is not set."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def render_transcript(
    transcript: Transcript, *, colour: bool = False, heading: str | None = None
) -> str:
    """The episode so far: question, strategy, responses, commitments, rewards and tokens.

    Its first line begins with ``heading``, as in "game 1"; None: with the number of the
    environment's episode. Control characters in model output are replaced, so that no text can
    control the terminal.
    """
    return "".join(f"{line}\n" for line in _Writer(colour).episode(transcript, heading))


class Screen:
    """Standard output, to which a growing episode is printed without repetition.

    Args:
        write: prints a text as it is; None: to standard output.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = _print if write is None else write
        self._shown = ""

    def show(self, transcript: Transcript, *, heading: str | None = None) -> None:
        """Print the new part of the episode, or all of it if another episode was shown before."""
        text = render_transcript(transcript, colour=use_colour(), heading=heading)
        new = text[len(self._shown) :] if text.startswith(self._shown) else text
        self._shown = text
        if new:
            self._write(new)

    def space(self) -> None:
        """Print an empty line, behind which another episode begins."""
        self._shown = ""
        self._write("\n")


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class _Writer:
    """Lines of an episode, with or without colour."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour else text

    def _text(self, text: str, indent: str) -> Iterator[str]:
        """Yield untrusted text as indented lines without control characters."""
        for line in text.splitlines() or [""]:
            yield indent + "".join(char if char.isprintable() else "\ufffd" for char in line)

    def _inline(self, text: str | None) -> str:
        return " ".join("".join(self._text(text, " ")).split()) if text is not None else "none"

    def episode(self, transcript: Transcript, heading: str | None) -> Iterator[str]:
        question = transcript.question
        heading = f"episode {transcript.episode}" if heading is None else heading
        title = " · ".join(filter(None, (heading, f"question {self._inline(question.id)}")))
        yield self._paint(f"=== {title} ".ljust(88, "="), "title")
        yield from self._text(question.text, "")
        if question.gold:
            yield self._paint(f"gold answer: {self._inline(question.gold)}", "dim")
        spent = Usage()
        for strategy in transcript.strategies:
            spent += strategy.usage
            yield from self._strategy(strategy)
        yield from self._cuts(transcript.strategies_shortened)
        for number, decision in enumerate(transcript.decisions, 1):
            for index, played in enumerate(decision.rounds, 1):
                yield ""
                yield self._paint(f"decision {number} · round {index}", "title")
                yield from self._round(played)
                spent = _sum_usage(played, spent)
            yield from self._close(decision, number, spent)
        if transcript.failed is not None:
            yield self._paint("the episode was abandoned and has no result", "bad")
            yield from self._text(transcript.failed, "    ")

    def _strategy(self, record: StrategyRecord) -> Iterator[str]:
        note = " (it stated an answer and was cut there)" if record.leaked else ""
        head = self._paint(f"strategy of {record.agent} ({record.model})", "name")
        yield f"{head}: {self._inline(record.strategy)}{note}"

    def _round(self, played: RoundRecord) -> Iterator[str]:
        # What is known later comes later, so that the text of an open round grows at its end.
        for executor in played.executors:
            yield from self._executor(executor)
        yield from self._cuts([cut for cut in played.shortened if cut.role == "execute"])
        for commitment in played.commitments:
            yield from self._commitment(commitment)
        yield from self._cuts([cut for cut in played.shortened if cut.role != "execute"])

    def _executor(self, record: ExecutorRecord) -> Iterator[str]:
        head = self._paint(f"{record.agent} ({record.model})", "name")
        sampling = f"T={record.temperature:.2f} p={record.repetition_penalty:.2f}"
        yield f"  {head} {sampling} -> {self._inline(record.answer)}"
        yield from self._text(record.error or record.text, "      ")
        for equation in record.false_equations:
            yield self._paint(f"      it does not hold that {self._inline(equation)}", "dim")

    def _commitment(self, record: CommitmentRecord) -> Iterator[str]:
        head = self._paint(f"commitment of {record.agent}", "name")
        if not record.called:
            how = f"{_WITHOUT_A_CALL.get(record.parse_method, record.parse_method)}, no call"
        elif record.parse_method == "vote":
            how = f"{record.model}, by a vote in which its own answer counts"
        else:
            how = f"{record.model}, read as {record.parse_method}"
            how += ", novel value replaced by the majority" if record.novel else ""
        confidence = "" if record.confidence is None else f", confidence {record.confidence:.2f}"
        yield f"  {head} ({how}{confidence}) -> {self._inline(record.value)}"
        yield from self._text(record.error or record.reason, "      ")

    def _cuts(self, records: Iterable[ShortenedRecord]) -> Iterator[str]:
        for cut in records:
            text = f"{cut.part} cut from {cut.tokens_before} to {cut.tokens_after} tokens"
            yield self._paint(f"  prompt of {cut.agent} ({cut.role}): {text}", "dim")

    def _close(self, decision: DecisionRecord, number: int, spent: Usage) -> Iterator[str]:
        if decision.closed_by is None:
            return
        reason = _CLOSED_BY[decision.closed_by]
        yield self._paint(f"decision {number} closed: {reason}", "title")
        rewards = decision.rewards
        if rewards is not None:
            correct = rewards.team_components["TS"] == 1
            verdict = self._paint(*(("correct", "good") if correct else ("wrong", "bad")))
            each = "  ".join(f"{reward:.3f}" for reward in rewards.agents)
            yield f"  commitment {verdict} · team reward {rewards.team:.3f} · executors {each}"
        tokens = f"{spent.prompt_tokens} prompt + {spent.completion_tokens} completion"
        yield self._paint(f"  tokens so far: {tokens} in {spent.requests} requests", "dim")


def _sum_usage(played: RoundRecord, start: Usage) -> Usage:
    spent = [record.usage for record in played.executors]
    spent += [record.usage for record in played.commitments]
    return sum(spent, start)
