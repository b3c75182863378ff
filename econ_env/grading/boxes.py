r"""The answer in ``\boxed{...}``, the form that models are asked for."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from econ_env.grading.latex import clean
from econ_env.grading.plain import parse_plain, same_plain

_BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_OPEN_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,4}\{([^\n$]{0,300})")
_MENTION = re.compile(r"\b(?:within|inside|in|into|using|with|as|the|an?|of)\s*[`'\"$\\(]{0,4}$")
_PLACEHOLDER = re.compile(
    r"\.{2,}|…|\\[lc]?dots|_{2,}|\?+"
    r"|[<\[({]?(?:(?:the|your|my|final|numerical)[ _-])*(?:answer|number|result|value)(?: here)?"
    r"[>\])}]?",
    re.IGNORECASE,
)
_AROUND_A_BOX = re.compile(r"\\[()\[\]]|\\(?:text|mathrm|q?quad|[,;: ])|[\s${}*]")
_JOINT = re.compile(r"(?:,|;|、|(?:,|;)?(?:and|or|和|或|及)|\\?&)(?:[A-Za-z](?:_?\d)?=)?")
_LONGEST_JOINT = 60
_MOST_JOINED = 16


class Box(NamedTuple):
    """The boxed answer of a text."""

    answer: str
    """Content of the last box, or of several joined by "and", as a list; empty if it is empty."""
    begins: int
    """Position at which the first of the boxes begins."""
    ends: int
    """Position behind the last of the boxes."""


class _Span(NamedTuple):
    begins: int
    inner: int
    closes: int


def find_box(text: str, *, even_open: bool = False) -> Box | None:
    r"""The answer in the last balanced box; None without a box. Linear time.

    A box that is only spoken of (``put it within \boxed{}``, ``\boxed{your answer}``) does not
    count. With ``even_open`` and no balanced box, an open one does if the rest of its line is a
    value: a response may be cut off there.
    """
    if "boxed" not in text and "fbox" not in text:
        return None
    boxes = _balanced(text)
    if not boxes:
        return _open_box(text) if even_open else None
    while boxes and _is_mentioned(text, boxes[-1]):
        boxes.pop()
    return _joined(text, boxes) if boxes else None


def first_box_end(text: str) -> int | None:
    """Position behind the first balanced box that holds something; None without one."""
    if "boxed" not in text and "fbox" not in text:
        return None
    for box in _balanced(text):
        if not _is_mentioned(text, box) and text[box.inner : box.closes].strip():
            return box.closes + 1
    return None


def _balanced(text: str) -> list[_Span]:
    """The balanced boxes in the order in which they open."""
    open_braces: list[re.Match[str] | None] = []  # the beginning of a box, None: another brace
    found: list[_Span] = []
    for token in _BRACE.finditer(text):
        mark = token[0]
        if mark == "}":
            box = open_braces.pop() if open_braces else None
            if box is not None:
                found.append(_Span(box.start(), box.end(), token.start()))
        elif mark[-1] == "{" and (mark == "{" or len(mark) > 2):
            open_braces.append(None if mark == "{" else token)
    return sorted(found)


def _is_mentioned(text: str, box: _Span) -> bool:
    if box.closes - box.inner > 40:
        return False
    content = text[box.inner : box.closes].strip(" $~")
    if not content:
        return _MENTION.search(text[max(0, box.begins - 40) : box.begins].lower()) is not None
    bare = content.removeprefix("\\text{").removesuffix("}") if "\\text{" in content else content
    return _PLACEHOLDER.fullmatch(bare) is not None


def _joined(text: str, boxes: list[_Span]) -> Box:
    """The last box with those in front of it that "and", "or" or a comma joins to it."""
    last = boxes[-1]
    contents = [clean(text[last.inner : last.closes])]
    begins = last.begins
    for box in reversed(boxes[-_MOST_JOINED:-1]):
        between = text[box.closes + 1 : begins]
        if box.closes > begins or len(between) > _LONGEST_JOINT or not contents[0]:
            break
        if _JOINT.fullmatch(_AROUND_A_BOX.sub("", between)) is None:
            break
        content = clean(text[box.inner : box.closes])
        if not content:
            break
        begins = box.begins
        if not any(_are_equal(content, other) for other in contents):
            contents.insert(0, content)
    return Box(", ".join(contents), begins, last.closes + 1)


def _are_equal(a: str, b: str) -> bool:
    if a == b:
        return True
    first, second = parse_plain(a), parse_plain(b)
    return first is not None and second is not None and same_plain(first, second)


def _open_box(text: str) -> Box | None:
    last = deque(_OPEN_BOX.finditer(text), maxlen=1)
    if not last:
        return None
    answer = clean(last[0][1].rstrip(" .)\\"))
    return Box(answer, *last[0].span()) if parse_plain(answer) is not None else None
