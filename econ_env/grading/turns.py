"""The part of a reply that is its author's own response: no thoughts, no invented next turns."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

_THINK = re.compile(
    r"<(?P<c1>/?)(?:seed:)?(?:think(?:ing)?|thoughts?|scratchpad)>"
    r"|\[(?P<c2>/?)THINK\]|◁(?P<c3>/?)think▷"
    r"|<\|(?P<word>begin|end)_of_thought\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,2}(\w{1,20})[^<]{0,80}<\|message\|>")
_BARE_CHANNELS = re.compile(r"(?:assistant)?analysis(?=\S)")
_BARE_FINAL = "assistantfinal"

_SPECIAL = r"<\|[A-Za-z_▁]{1,32}\|>|</?s>|<(?:end|start)_of_turn>|<eos>|\[/?INST\]"
_ROLE = r"(?:assistant|model|gpt)\b\s{0,2}:?|<\|end_header_id\|>|<\|message\|>"
_OWN_HEADER = re.compile(
    rf"\s*(?:{_SPECIAL})\s{{0,3}}(?:(?:{_SPECIAL})|{_ROLE}|\s){{0,8}}", re.IGNORECASE
)
_LABEL_BEGINS = r"^[ \t]{0,8}(?:[-=]{3,9}[ \t]*\n)?[#*_> \t]{0,8}"
_TURN = re.compile(
    rf"(?P<token>{_SPECIAL})"
    rf"|{_LABEL_BEGINS}(?:"
    r"(?P<role>(?:user|human|student)[*_]{0,3}[ \t]?:)"
    r"|(?:(?:next|new|another|follow-up)[ \t])?"
    r"(?:question|q|problem|exercise|task|puzzle|example|instruction|input"
    r"|frage|pregunta|domanda|вопрос|问题|問題|问|題目|题目)"
    r"(?:[ \t]?(?P<number>[#(]?\d{1,4}\)?))?"
    r"(?:[*_]{0,3}[ \t]?(?::|\.(?!\d)|\)|\n)|[*_]{1,3}[ \t]?\n)"
    r")",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_NUMBER = re.compile(r"\d", re.ASCII)


def outside_think(response: str) -> str:
    """``response`` without its thoughts, an open last one included.

    Thoughts are what stands between ``<think>`` tags and their like, or in another channel than
    ``final``. A closing tag without an opening one ends a block that the chat template had opened.
    """
    return _outside_blocks(_final_channel(response))


def after_thought(text: str) -> str:
    """``text`` behind the thought that it begins with; all of it if nothing follows the thought.

    A closing tag without an opening one ends a thought that the chat template had opened.
    """
    first = _THINK.search(text)
    if first is None or (text[: first.start()].strip() and not _closes(first)):
        return text
    tags = (first, *_THINK.finditer(text, first.end()))
    end = next((tag.end() for tag in tags if _closes(tag)), len(text))
    return text[end:].lstrip() or text


def opened_thought(text: str) -> str:
    """The tag of the thought that ``text`` ends with; empty if it ends with none.

    A prompt that ends so makes the model begin with a thought.
    """
    last = deque(_THINK.finditer(text), maxlen=1)
    return last[0][0] if last and not _closes(last[0]) and not text[last[0].end() :].strip() else ""


def ends_foreign_thought(text: str) -> bool:
    """Return True if ``text`` ends a thought that it has not begun."""
    first = _THINK.search(text)
    return first is not None and _closes(first)


def has_thought(text: str) -> bool:
    """Return True if there is a tag of a thought in ``text``."""
    return _THINK.search(text) is not None


def _closes(tag: re.Match[str]) -> bool:
    return bool(tag["c1"] or tag["c2"] or tag["c3"] or (tag["word"] or "").lower() == "end")


def _final_channel(response: str) -> str:
    if "<|channel|>" in response:
        last = deque(_CHANNEL.finditer(response), maxlen=1)
        if not last:
            return response
        return response[last[0].end() :] if last[0][1] == "final" else ""
    if _BARE_FINAL in response and _BARE_CHANNELS.match(response):
        return response.rpartition(_BARE_FINAL)[2]
    return response


def _outside_blocks(response: str) -> str:
    if _THINK.search(response) is None:
        return response
    kept: list[str] = []
    position, inside = 0, False
    for tag in _THINK.finditer(response):
        closes = _closes(tag)
        if closes and not inside:
            kept.clear()
        elif not closes and not inside:
            kept.append(response[position : tag.start()])
        inside = not closes
        position = tag.end()
    if not inside:
        kept.append(response[position:])
    return "\n".join(kept)


def own_turn(
    text: str, *, statement_end: Callable[[str], int | None], is_value: Callable[[str], bool]
) -> str:
    """``text`` up to the next turn that its author made up.

    A special token of a chat format ends the turn, a role such as ``User:`` behind a number does,
    and so does a new ``Question:`` behind a stated answer. A question before the first answer is
    the given one, repeated; numbered ones before it are the parts into which it was divided.

    Args:
        text: a reply without thoughts.
        statement_end: function that finds the end of the first stated answer in a text.
        is_value: function that tells if a text is nothing but an answer.
    """
    header = _OWN_HEADER.match(text)
    begin = header.end() if header else 0
    first_number = _ANY_NUMBER.search(text, begin)
    stated: int | None = None
    is_searched = is_divided = False
    for mark in _TURN.finditer(text, begin):
        before = text[begin : mark.start()] if not is_searched or mark["token"] else ""
        if mark["token"]:
            if before.strip():
                return before
            continue
        if mark["role"] and first_number is not None and first_number.start() < mark.start():
            return text[begin : mark.start()]
        if not is_searched:
            if is_value(before):
                return before
            stated, is_searched = statement_end(text), True
        if stated is None or mark.start() < stated:
            is_divided = is_divided or mark["number"] is not None
        elif mark["number"] is None or not is_divided:
            return text[begin : mark.start()]
    return text[begin:]
