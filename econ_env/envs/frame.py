"""Episodes as small pictures (``"rgb_array"``), for videos.

A frame shows the question, the last round (who answered what at which sampling action), the
commitment and, once the decision is closed, the verdicts and rewards. It is drawn with Pillow,
which only a drawn frame needs: the extra ``render``. Long texts and large teams are cut to fit.
"""

from __future__ import annotations

from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_env.errors import EconError
from econ_env.game.transcript import ExecutorRecord, RoundRecord, SettledRewards, Transcript

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Frame: TypeAlias = NDArray[np.uint8]

HEIGHT, WIDTH = 544, 960
FRAME_SHAPE = (HEIGHT, WIDTH, 3)
"""Shape of every frame: height, width and RGB."""

_Colour: TypeAlias = tuple[int, int, int]

_PAPER: _Colour = (250, 250, 247)
_INK: _Colour = (32, 36, 44)
_DIM: _Colour = (118, 124, 134)
_LINE: _Colour = (218, 220, 224)
_GOOD: _Colour = (24, 124, 66)
_BAD: _Colour = (184, 44, 38)
_BAR: _Colour = (74, 122, 188)

_MARGIN = 28
_ROWS = 8
"""Largest number of executors that are shown."""
_QUESTION_LINES = 4
_CHARACTERS = 90
"""Characters of the question on one line."""
_ROW_HEIGHT = 27
# Left ends of the columns of the table, in pixels.
_NAME, _SAMPLING, _ANSWER, _REWARD = _MARGIN, 190, 360, 690
_BAR_WIDTH = 160


class DrawingUnavailable(EconError):
    """The library that draws frames is not installed."""


def draw_frame(transcript: Transcript) -> Frame:
    """Draw the episode so far: an array of the shape ``FRAME_SHAPE``.

    Raises:
        DrawingUnavailable: Pillow is not installed.
    """
    page = _Page()
    question = transcript.question
    page.text((_MARGIN, 18), f"episode {transcript.episode} · question {_line(question.id)}", _DIM)
    if question.gold:
        page.text((_REWARD, 18), f"gold answer: {_line(question.gold, 24)}", _DIM)
    top = 44
    for text in _question_lines(question.text):
        page.text((_MARGIN, top), text, _INK, size=17)
        top += 23
    plan = transcript.strategies[0].strategy if transcript.strategies else ""
    page.text((_MARGIN, 140), f"strategy: {_line(plan, 95)}" if plan else "no strategy", _DIM)
    page.rule(166)
    rounds = list(transcript.rounds())
    if transcript.failed is not None:
        page.text((_MARGIN, 500), f"no result: {_line(transcript.failed, 90)}", _BAD)
    if not rounds:
        page.text((_MARGIN, 180), "no round is played yet", _DIM)
        return page.pixels()
    decision = transcript.decisions[-1]
    # The next decision is there, and empty, as soon as one is closed.
    if not decision.rounds:
        decision = transcript.decisions[-2]
    rewards = decision.rewards
    number = sum(1 for each in transcript.decisions if each.rounds)
    page.text((_MARGIN, 176), f"decision {number} · round {len(decision.rounds)}", _INK, size=17)
    _draw_executors(page, rounds[-1], rewards)
    _draw_commitment(page, rounds[-1], rewards)
    usage = transcript.usage
    spent = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens, {usage.requests} requests"
    page.text((_MARGIN, HEIGHT - 24), spent, _DIM)
    return page.pixels()


def _draw_executors(page: _Page, played: RoundRecord, rewards: SettledRewards | None) -> None:
    """Draw a row for every executor that fits."""
    top = 206
    for index, record in enumerate(played.executors[:_ROWS]):
        colour, paid = _INK, None
        if rewards is not None:
            colour = _GOOD if rewards.components["TS"][index] == 1 else _BAD
            paid = rewards.agents[index]
        _draw_executor(page, top, record, colour, paid)
        top += _ROW_HEIGHT
    hidden = len(played.executors) - _ROWS
    if hidden > 0:
        page.text((_NAME, top), f"and {hidden} more", _DIM)


def _draw_executor(
    page: _Page, top: int, record: ExecutorRecord, colour: _Colour, paid: float | None
) -> None:
    page.text((_NAME, top), record.agent, _INK)
    action = f"T={record.temperature:.2f}  p={record.repetition_penalty:.2f}"
    page.text((_SAMPLING, top), action, _DIM)
    page.text((_ANSWER, top), _line(record.answer, 36), colour)
    if paid is not None:
        page.bar((_REWARD, top + 4), paid)
        page.text((_REWARD + _BAR_WIDTH + 12, top), f"{paid:.3f}", _INK)


def _draw_commitment(page: _Page, played: RoundRecord, rewards: SettledRewards | None) -> None:
    """Draw the team's commitment, if there is one, and its verdict once it is known."""
    page.rule(452)
    if not played.commitments:
        return
    last = played.commitments[-1]
    sure = "" if last.confidence is None else f"  (confidence {last.confidence:.2f})"
    colour, verdict = _INK, ""
    if rewards is not None:
        correct = rewards.team_components["TS"] == 1
        colour, verdict = (_GOOD, "  correct") if correct else (_BAD, "  wrong")
        page.bar((_REWARD, 470), rewards.team)
        page.text((_REWARD + _BAR_WIDTH + 12, 466), f"{rewards.team:.3f}", _INK)
    text = f"commitment: {_line(last.value, 40)}{verdict}{sure}"
    page.text((_MARGIN, 464), text, colour, size=17)


def _question_lines(text: str) -> list[str]:
    """The question in lines that fit, the last one cut if there are more."""
    # Only what can be shown is wrapped: a question may be very long.
    shown = _line(text, _CHARACTERS * (_QUESTION_LINES + 1))
    lines = wrap(shown, _CHARACTERS)
    if len(lines) > _QUESTION_LINES:
        lines = [*lines[: _QUESTION_LINES - 1], _line(f"{lines[_QUESTION_LINES - 1]} …")]
    return lines


def _line(text: str | None, longest: int = _CHARACTERS) -> str:
    """Untrusted text as one line of at most ``longest`` characters."""
    if text is None:
        return "none"
    # Twice as much as is shown: white space is joined, and the rest is not looked at.
    words = text[: 2 * longest + 2].split()
    shown = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(words))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


class _Page:
    """An empty frame, and the few things that are drawn on it."""

    def __init__(self) -> None:
        self._image, self._draw = _new_page()

    def text(self, place: tuple[int, int], text: str, colour: _Colour, *, size: int = 15) -> None:
        """Write a line whose upper left corner is at ``place``."""
        self._draw.text(place, text, fill=colour, font=_font(size))

    def rule(self, top: int) -> None:
        """Draw a line from margin to margin."""
        self._draw.line([(_MARGIN, top), (WIDTH - _MARGIN, top)], fill=_LINE, width=1)

    def bar(self, place: tuple[int, int], value: float) -> None:
        """Draw a bar for a value in [0, 1]."""
        left, top = place
        self._draw.rectangle([left, top, left + _BAR_WIDTH, top + 11], outline=_LINE)
        length = round(_BAR_WIDTH * min(max(value, 0.0), 1.0))
        if length:
            self._draw.rectangle([left, top, left + length, top + 11], fill=_BAR)

    def pixels(self) -> Frame:
        """The frame as a fresh array."""
        return np.array(self._image, dtype=np.uint8)


def _new_page() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise DrawingUnavailable(
            'render_mode="rgb_array" draws with Pillow, which is not installed: '
            'pip install "econ-env[render]"'
        ) from error
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    return image, ImageDraw.Draw(image)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
